"""The dashboard: throughput over the project's life, measured by airspeed velocity. See benchmarks/dashboard.md."""
