"""Figures of bets: what safety costs."""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.axes import Axes

from engine.allocation.risk_curve import RiskCurve
from engine.figures.palette import BLUE
from engine.figures.style import STYLE, only_axes


@mpl.rc_context(STYLE)
def risk_figure(curve: RiskCurve, axes: Axes | None = None) -> Axes:
    """Mean against CVaR, a point for each aversion to risk; hollow where it is not proved."""
    axes = only_axes(axes)
    axes.plot(curve.cvar, curve.mean, color=BLUE, linewidth=1.3, zorder=1)
    faces = [BLUE if proved else "white" for proved in curve.proved]
    axes.scatter(curve.cvar, curve.mean, c=faces, edgecolors=BLUE, s=22, zorder=2)
    for place, label in ((0, "aversion 0"), (-1, "aversion 1")):
        axes.annotate(
            label,
            (curve.cvar[place], curve.mean[place]),
            textcoords="offset points",
            xytext=(6, 6 if place == 0 else -12),
            fontsize=8,
        )
    axes.set(xlabel=f"mean of the worst {100 * curve.tail:g} % of draws (CVaR)", ylabel="mean return")
    axes.margins(0.12)
    return axes
