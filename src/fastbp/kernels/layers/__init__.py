"""Products and dense layers on NumPy arrays."""
