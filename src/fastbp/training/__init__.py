"""From samples to a trained network: steps, epochs, stopping, L-BFGS."""
