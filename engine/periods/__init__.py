"""Periods: a budget over several periods, where effort counts for later ones too."""
