"""What a network is made of, a record each: optimizers."""
