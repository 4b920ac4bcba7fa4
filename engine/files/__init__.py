"""What users hold: portfolios, measurements, mix models, draws of curves."""
