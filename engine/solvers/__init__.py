"""Solvers: each takes one portfolio, a budget and a lattice, and gives one `Solution`."""
