"""The register tile, the loops around it, and the work on a tile while it is in cache."""
