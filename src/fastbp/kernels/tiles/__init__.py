"""The register tile, the loops around it, and what is done to a tile while it is in cache."""
