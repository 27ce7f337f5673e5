"""Vector types, operations on vectors, and elementary functions."""
