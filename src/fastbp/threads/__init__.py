"""The number of threads, and the pool of worker threads."""
