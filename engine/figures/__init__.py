"""Figures: arrays in, Matplotlib axes out.

Each public name is imported when it is first asked for: the live page takes colours without Matplotlib.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

from engine.model.naming import renamed

if TYPE_CHECKING:
    from engine.figures.bets import risk_figure as risk_figure
    from engine.figures.budgets import returns_figure as returns_figure
    from engine.figures.budgets import shares_figure as shares_figure
    from engine.figures.curves import curves_figure as curves_figure
    from engine.figures.curves import gains_figure as gains_figure
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
    "risk_figure": "engine.figures.bets",
    "returns_figure": "engine.figures.budgets",
    "shares_figure": "engine.figures.budgets",
    "curves_figure": "engine.figures.curves",
    "gains_figure": "engine.figures.curves",
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
    "along_figure",
    "curves_figure",
    "fit_figure",
    "gains_figure",
    "loss_figure",
    "phase_figure",
    "returns_figure",
    "risk_figure",
    "save",
    "schedule_figure",
    "shares_figure",
    "time_figure",
]


def __getattr__(name: str) -> Any:
    if name == "allocation_figure":
        told = renamed("engine.figures.allocation_figure", "shares_figure")
        warnings.warn(told, FutureWarning, stacklevel=2)
        name = "shares_figure"
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
