"""One real plan, period by period: draws of curves and a log of spending in, the next period's advice out."""
