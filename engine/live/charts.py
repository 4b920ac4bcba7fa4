"""The live page's charts: one small curve a project, bars of effort, a table.

Dots and bars draw from one source with a row a project, so a drag of the budget is one message; a curve has a
source of its own, which is sent when it moved.
"""

from __future__ import annotations

import itertools
from html import escape
from typing import Any

import numpy as np
from bokeh.models import CDSView, ColumnDataSource, FactorRange, IndexFilter, PlainText, Range1d, Title
from bokeh.plotting import figure
from bokeh.transform import dodge

from engine.figures.palette import BLUE, GREEN, VERMILLION
from engine.live.model import Picture, nice_above

GREY = "#8a8a8a"
FRONTIER_FILL, STAGE_FILL = 0.28, 0.07
LONGEST_NAME = 20


def small_figure(title: Title) -> figure:
    """An empty figure the size of a panel."""
    plot = figure(
        width=170,
        height=140,
        sizing_mode="stretch_width",
        min_border=4,
        min_border_left=30,
        title=title,
        x_range=Range1d(0, 1),
        y_range=Range1d(0, 1),
        toolbar_location=None,
        tools="",
    )
    plot.grid.visible = False
    plot.outline_line_color = "#cccccc"
    for axis in plot.axis:
        axis.ticker.desired_num_ticks = 3
        axis.minor_tick_line_color = None
        axis.major_label_text_font_size = "9px"
        axis.axis_line_color = None
    return plot


class Panel:
    """One project: its curve over its stages, a dot where the optimum stands, a ring where greedy does."""

    def __init__(self, label: str, index: int, projects: ColumnDataSource) -> None:
        self.label, self.index = label, index
        self.curve = ColumnDataSource({"effort": [], "returns": []})
        self.stages = ColumnDataSource({"left": [], "right": [], "colour": [], "fill": []})
        self.title = Title(text=PlainText(label), text_font_size="11px", text_font_style="normal")
        self.figure = small_figure(self.title)
        shown = CDSView(filter=IndexFilter([index]))
        self.figure.vstrip(
            x0="left",
            x1="right",
            fill_color="colour",
            fill_alpha="fill",
            line_color=None,
            level="underlay",
            source=self.stages,
        )
        self.figure.line("effort", "returns", line_width=2, line_color="#333333", source=self.curve)
        self.figure.scatter(
            "exact_effort", "exact_return", size=9, color=BLUE, source=projects, view=shown, level="overlay"
        )
        self.figure.scatter(
            *("greedy_effort", "greedy_return"),
            size=14,
            fill_color=None,
            line_color=VERMILLION,
            line_width=2,
            source=projects,
            view=shown,
            level="overlay",
        )

    def update(self, picture: Picture) -> None:
        """Send what changed of this project, and nothing else."""
        effort, returns = picture.effort[self.index], picture.returns[self.index]
        old = self.curve.data
        if not (np.array_equal(old["effort"], effort) and np.array_equal(old["returns"], returns)):
            self.curve.data = {"effort": effort, "returns": returns}
            low, high = min(0.0, float(np.min(returns))), float(np.max(returns))
            self.figure.x_range.end = float(effort[-1])
            self.figure.y_range.start = 1.15 * low
            self.figure.y_range.end = nice_above(1.12 * high) if high > 0 else max(-low, 1.0) / 2
        strips = stage_strips(effort, picture.stage[self.index], picture.frontier[self.index])
        if strips != self.stages.data:
            self.stages.data = strips
        at = bool(picture.exact_frontier[self.index])
        title = f"★ {self.label}" if at else self.label
        if title != self.title.text.text:
            self.title.text = PlainText(title)
            self.title.text_color = "#00543d" if at else "#222222"
            self.title.text_font_style = "bold" if at else "normal"


def bars_figure(names: list[str]) -> figure:
    """An empty figure of bars, a line a project."""
    bars = figure(
        y_range=FactorRange(*reversed(names)),
        width=400,
        height=60 + 20 * len(names),
        title=Title(text="effort", text_font_size="12px"),
        toolbar_location=None,
        tools="",
        styles={"max-width": "100%"},
    )
    bars.x_range.start = 0
    bars.ygrid.visible = False
    bars.xaxis.minor_tick_line_color = None
    bars.outline_line_color = None
    return bars


def effort_bar(
    bars: figure, projects: ColumnDataSource, column: str, colour: str, side: float, fill: float
) -> None:
    """A bar a project from a column of efforts, beside its line."""
    place = dodge("project", side, range=bars.y_range)
    bars.hbar(
        y=place, right=column, height=0.34, source=projects, color=colour, line_width=1.5
    ).glyph.fill_alpha = fill


def effort_bars(names: list[str], projects: ColumnDataSource) -> figure:
    """Effort of both allocations, project by project."""
    bars = bars_figure(names)
    effort_bar(bars, projects, "exact_effort", BLUE, 0.2, 0.9)
    effort_bar(bars, projects, "greedy_effort", VERMILLION, -0.2, 0.0)
    return bars


def table_html(names: list[str], picture: Picture) -> str:
    """Effort, return and stage of every project."""
    rows = []
    numbers = (picture.exact.effort, picture.greedy.effort, picture.exact_return, picture.greedy_return)
    last = zip(picture.exact_stage, picture.exact_frontier, strict=True)
    stages = ["frontier" if frontier else f"{int(stage) + 1}" for stage, frontier in last]
    for name, stage, exact, greedy, mine, other in zip(names, stages, *numbers, strict=True):
        cells = f"{exact:,.0f}", f"{greedy:,.0f}", f"{mine:,.3f}", f"{other:,.3f}", stage
        rows.append(f"<tr><th>{escape(name)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    pair = f'<th style="color:{BLUE}">● exact</th><th style="color:{VERMILLION}">○ greedy</th>'
    return (
        '<table class="allocation"><thead><tr><th>project</th><th colspan="2">effort</th>'
        f'<th colspan="2">return</th><th>stage</th></tr><tr><th></th>{pair}{pair}<th></th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def labels(names: tuple[str, ...]) -> list[str]:
    """Names short enough to be read, and no two alike."""
    short = [n if len(n) <= LONGEST_NAME else n[: LONGEST_NAME - 1] + "…" for n in names]
    return [s if short.count(s) == 1 else f"{i} {s}"[:LONGEST_NAME] for i, s in enumerate(short)]


def project_columns(names: list[str], picture: Picture) -> dict[str, Any]:
    """One row a project: what dots and bars are drawn from."""
    return {
        "project": names,
        "exact_effort": picture.exact.effort,
        "greedy_effort": picture.greedy.effort,
        "exact_return": picture.exact_return,
        "greedy_return": picture.greedy_return,
    }


def stage_strips(effort: np.ndarray, stage: np.ndarray, frontier: np.ndarray) -> dict[str, list[Any]]:
    """The intervals of effort at each stage after the first; the last stage is the frontier's colour."""
    middle = np.concatenate([effort[:1], 0.5 * (effort[1:] + effort[:-1]), effort[-1:]])
    cuts = [0, *(np.flatnonzero(np.diff(stage)) + 1).tolist(), len(stage)]
    strips: dict[str, list[Any]] = {"left": [], "right": [], "colour": [], "fill": []}
    for begin, end in itertools.pairwise(cuts):
        number, last = int(stage[begin]), bool(frontier[begin])
        if number == 0 and not last:
            continue
        strips["left"].append(float(middle[begin]))
        strips["right"].append(float(middle[end]))
        strips["colour"].append(GREEN if last else GREY)
        strips["fill"].append(FRONTIER_FILL if last else min(STAGE_FILL * number, 0.25))
    return strips
