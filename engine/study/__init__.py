"""Studies on disk: grids of points, their blocks, whoever computes them, and what they found."""
