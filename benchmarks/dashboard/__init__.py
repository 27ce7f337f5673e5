"""The dashboard: performance over the project's history, measured by airspeed velocity. See benchmarks/dashboard.md."""
