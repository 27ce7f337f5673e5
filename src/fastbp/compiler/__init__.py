"""Compilation: decorators, the code cache, the processor. Private names of Numba and llvmlite are used only here."""
