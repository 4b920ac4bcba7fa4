"""Figures: arrays in, Matplotlib axes out."""

from engine.figures.allocations import allocation_figure, curves_figure
from engine.figures.fits import fit_figure
from engine.figures.studies import SolverTime, along_figure, loss_figure, phase_figure, time_figure
from engine.figures.style import save
from engine.fitting.folder import FittedCurve

__all__ = [
    "FittedCurve",
    "SolverTime",
    "allocation_figure",
    "along_figure",
    "curves_figure",
    "fit_figure",
    "loss_figure",
    "phase_figure",
    "save",
    "time_figure",
]
