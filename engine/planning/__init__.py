"""Plans over periods: spend, look, believe anew, re-plan."""
