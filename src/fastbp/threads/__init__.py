"""How many threads there are, and the pool of worker threads."""
