"""What the tests of the kernels and of the engine share: lattices of shapes, error bounds, guarded memory."""
