"""Figures: arrays in, Matplotlib axes out.

Each public name is imported when it is first asked for: the live page takes colours without Matplotlib.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.figures.allocations import allocation_figure as allocation_figure
    from engine.figures.allocations import curves_figure as curves_figure
    from engine.figures.bets import risk_figure as risk_figure
    from engine.figures.fits import fit_figure as fit_figure
    from engine.figures.periods import schedule_figure as schedule_figure
    from engine.figures.studies import SolverTime as SolverTime
    from engine.figures.studies import along_figure as along_figure
    from engine.figures.studies import loss_figure as loss_figure
    from engine.figures.studies import phase_figure as phase_figure
    from engine.figures.studies import time_figure as time_figure
    from engine.figures.style import save as save
    from engine.fitting.folder import FittedCurve as FittedCurve

_HOMES = {
    "allocation_figure": "engine.figures.allocations",
    "curves_figure": "engine.figures.allocations",
    "risk_figure": "engine.figures.bets",
    "fit_figure": "engine.figures.fits",
    "schedule_figure": "engine.figures.periods",
    "along_figure": "engine.figures.studies",
    "loss_figure": "engine.figures.studies",
    "phase_figure": "engine.figures.studies",
    "time_figure": "engine.figures.studies",
    "SolverTime": "engine.figures.studies",
    "save": "engine.figures.style",
    "FittedCurve": "engine.fitting.folder",
}

__all__ = [
    "FittedCurve",
    "SolverTime",
    "allocation_figure",
    "along_figure",
    "curves_figure",
    "fit_figure",
    "loss_figure",
    "phase_figure",
    "risk_figure",
    "save",
    "schedule_figure",
    "time_figure",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
