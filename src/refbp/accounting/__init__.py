"""What a training step costs: operations, memory, and how they are shared among machines."""
