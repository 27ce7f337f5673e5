"""A network as the kernels see it: memory layout, packing, samples, initial weights, prediction."""
