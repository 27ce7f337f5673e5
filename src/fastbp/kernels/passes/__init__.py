"""Passes over a whole network: a training step, prediction, their parts and their data."""
