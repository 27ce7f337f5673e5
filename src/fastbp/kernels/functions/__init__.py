"""Activations, losses and optimizers: one record each."""
