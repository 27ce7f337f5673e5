"""Compilation: decorators, the code cache, the processor. Every private name of Numba and llvmlite is in here."""
