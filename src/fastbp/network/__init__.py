"""What a network is to the kernels: where everything lies, packing, samples, initial weights, prediction."""
