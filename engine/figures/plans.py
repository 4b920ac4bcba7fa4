"""Figures of plans over periods: what policies regret as time goes by, and where one puts its effort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from engine.figures.looks import project_colour, project_hatch, solver_look
from engine.figures.style import STYLE, only_axes


class Regret(NamedTuple):
    """What a policy regrets after each period: the mean, its standard error, and the 90 % quantile over
    portfolios, NaN where it is below 0."""

    mean: Float[np.ndarray, " periods"]
    error: Float[np.ndarray, " periods"]
    high: Float[np.ndarray, " periods"]


@mpl.rc_context(STYLE)
def regret_figure(regrets: Mapping[str, Regret], axes: Axes | None = None) -> Axes:
    """Regret over time, a line a policy in a band of two standard errors; thin, what nine in ten portfolios
    stay below."""
    axes = only_axes(axes)
    for policy, regret in regrets.items():
        periods = np.arange(1, regret.mean.size + 1)
        look = solver_look(policy)
        line: dict[str, Any] = {"color": look.colour, "linestyle": look.dash}
        axes.plot(periods, regret.mean, label=policy, linewidth=1.5, **line)
        axes.plot(periods, regret.high, linewidth=0.6, **line)
        low, high = regret.mean - 2.0 * regret.error, regret.mean + 2.0 * regret.error
        axes.fill_between(periods, low, high, color=line["color"], alpha=0.2, linewidth=0)
    axes.axhline(0.0, color="black", linewidth=0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="period", ylabel="what the clairvoyant has returned more")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes


@mpl.rc_context(STYLE)
def effort_over_time_figure(
    effort: Float[np.ndarray, "periods projects"], names: Sequence[str], axes: Axes | None = None
) -> Axes:
    """Effort by period, stacked by project; what never has any is left out."""
    axes = only_axes(axes)
    below = np.zeros(effort.shape[0])
    periods = np.arange(1, effort.shape[0] + 1)
    for project in np.flatnonzero(effort.sum(axis=0) > 0).tolist():
        look: dict[str, Any] = {"color": project_colour(project), "hatch": project_hatch(project)}
        spent = effort[:, project]
        axes.bar(periods, spent, 0.85, below, label=names[project], edgecolor="white", linewidth=0.4, **look)
        below = below + spent
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(xlabel="period", ylabel="effort")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes
