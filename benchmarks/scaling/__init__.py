"""How far a training step would scale on machines with more cores than this one: docs/scaling.md."""
