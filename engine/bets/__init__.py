"""Bets: efforts placed before it is known what they bring. Curves known by draws, approaches that may fail,
and performance that spills over; each reduced to what the solvers solve, or solved where it cannot be."""
