"""Figures of fitted curves."""

from __future__ import annotations

import matplotlib as mpl
from matplotlib.axes import Axes

from engine.figures.palette import BLUE, SKY, SOFT
from engine.figures.style import STYLE, WIDTH, new_figure, tint
from engine.fitting.folder import FittedCurve
from engine.study.words import short


@mpl.rc_context(STYLE)
def fit_figure(curve: FittedCurve) -> tuple[Axes, Axes]:
    """A fitted curve through its measurements and their standard errors, with the band of its draws as far as
    the project may be funded; below, the residuals.

    **Returns:** the Axes of the curve and of the residuals.
    """
    figure = new_figure(WIDTH, 4.2)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1.1])
    if curve.low is not None and curve.high is not None:
        above.fill_between(
            curve.grid,
            curve.low,
            curve.high,
            color=tint(SKY),
            label="nine tenths of the draws",
        )
    above.plot(curve.grid, curve.fitted, color="black", linewidth=1.3, label=f"{curve.family}, fitted")
    bars = {"fmt": "o", "color": BLUE, "elinewidth": 1.0, "yerr": curve.error}
    above.errorbar(curve.effort, curve.performance, markersize=4.5, label="measured", **bars)
    most = float(curve.effort.max())
    for axes in (above, below):
        axes.axvline(most, color=SOFT, linewidth=0.9, linestyle=":")
    above.text(most, 0.02, " beyond the measurements", transform=above.get_xaxis_transform(), fontsize=7.5)
    above.set(title=short(curve.name, 60), ylabel="performance (as measured)")
    if curve.logarithmic:
        above.set_xscale("log")
    above.set_xlim(curve.grid[0], curve.grid[-1])
    above.legend(loc="lower right", bbox_to_anchor=(1.0, 0.1))
    below.axhline(0.0, color="black", linewidth=0.8)
    residual = curve.performance - curve.foretold
    below.vlines(curve.effort, 0.0, residual, color=BLUE, linewidth=1.0)
    below.errorbar(curve.effort, residual, markersize=4, **bars)
    below.set(xlabel="effort (units)", ylabel="residual")
    return above, below
