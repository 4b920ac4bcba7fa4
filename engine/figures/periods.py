"""Figures of budgets over periods: what is spent on each project in each, and what of it counts."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

from engine.allocation.periods import Schedule
from engine.figures.looks import MARKERS, project_colour, project_dash
from engine.figures.plans import effort_over_time_figure
from engine.figures.style import STYLE, only_axes
from engine.study.words import short


@mpl.rc_context(STYLE)
def schedule_figure(found: Schedule, axes: Axes | None = None) -> Axes:
    """Effort by period, stacked by project, and a line for the effective effort of each, which carries over.

    **Raises:** `ValueError` for a batch.
    """
    if found.batch:
        raise ValueError(
            f"a figure is of one schedule, this is a batch of shape {found.batch}: take one by [i]"
        )
    axes = only_axes(axes)
    effort_over_time_figure(found.effort, [short(name) for name in found.names], axes)
    periods = np.arange(1, found.periods + 1)
    for project in np.flatnonzero(found.effort.sum(axis=0) > 0).tolist():
        look: dict[str, Any] = {
            "color": project_colour(project),
            "linestyle": project_dash(project),
            "marker": MARKERS[project % len(MARKERS)],
        }
        label = f"{short(found.names[project])}, effective"
        axes.plot(periods, found.effective[:, project], label=label, markeredgecolor="white", **look)
    axes.set(ylabel="effort spent (bars), and what counts (lines)")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes
