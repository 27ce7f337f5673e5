"""How many threads, on which processors, and who works for whom."""
