"""What the live page shows of a portfolio: sliders for each project, and greedy beside the exact optimum."""

from __future__ import annotations

from html import escape
from typing import Any

from bokeh.models import Column, ColumnDataSource, Row

from engine.figures.palette import GREEN
from engine.live.charts import Panel, effort_bars, labels, project_columns, table_html
from engine.live.controls import Moved, Numbers, Resize, Text, budget_line, slider, tiles_html
from engine.live.model import DRAGGED, Live, Picture, State
from engine.live.style import BELOW, FACTS, HEAD, LINE, NAME, PANELS, PROJECTS, TABLE


class PortfolioView:
    """The sliders and the charts of one portfolio."""

    def __init__(self, live: Live) -> None:
        self.live, self.labels = live, labels(live.names)
        self.projects = ColumnDataSource()
        self.panels = [Panel(label, index, self.projects) for index, label in enumerate(self.labels)]
        self.facts = Text(stylesheets=[FACTS], sizing_mode="stretch_width")
        self.table = Text(stylesheets=[TABLE], styles={"max-width": "100%", "overflow-x": "auto"})

    def update(self, picture: Picture, seconds: float, answers: int) -> None:
        """Show another answer."""
        self.facts.text = facts_html(self.labels, self.live, picture, seconds, answers)
        self.table.text = table_html(self.labels, picture)
        self.projects.data = project_columns(self.labels, picture)
        for panel in self.panels:
            panel.update(picture)

    def charts(self) -> list[Any]:
        """The numbers, a panel a project, bars and the table."""
        grid = Row(*(p.figure for p in self.panels), stylesheets=[PANELS], sizing_mode="stretch_width")
        bars = effort_bars(self.labels, self.projects)
        below = Row(bars, self.table, stylesheets=[BELOW], sizing_mode="stretch_width")
        return [self.facts, grid, below]

    def sliders(self, state: State, moved: Moved, resize: Resize) -> list[Any]:
        """The budget's slider, and three for each project."""
        live = self.live
        line = budget_line((live.least_budget, live.most_budget), state.budget, live.unit, moved, resize)
        words = ("weight", "start-up", "curvature")
        head = [Text(text="project", stylesheets=[NAME]), *(Text(text=t, stylesheets=[HEAD]) for t in words)]
        rows: list[Any] = [Row(*head, sizing_mode="stretch_width", stylesheets=[LINE])]
        for project, label in enumerate(self.labels):
            sliders = [
                slider(
                    *(key, project, (0.0, float(live.limits[key][project]))),
                    value=float(getattr(state, key)[project]),
                    moved=moved,
                )
                for key in DRAGGED
            ]
            name = Text(text=escape(label), stylesheets=[NAME])
            rows.append(Row(name, *sliders, sizing_mode="stretch_width", stylesheets=[LINE]))
        return [line, Column(*rows, stylesheets=[PROJECTS], sizing_mode="stretch_width")]


def facts_html(names: list[str], live: Live, picture: Picture, seconds: float, answers: int) -> str:
    """The line of numbers, and which projects are at the frontier."""
    exact, greedy = picture.exact, picture.greedy
    numbers: Numbers = [
        ("exact", "exact", float(exact.value), f"{float(exact.value):,.6g}"),
        ("greedy", "greedy", float(greedy.value), f"{float(greedy.value):,.6g}"),
        ("loss", "greedy loses", picture.loss, f"{100 * picture.loss:.2f} %"),
        ("bound", "upper bound", float(exact.bound), f"{float(exact.bound):,.6g}"),
        ("gap", "proved gap", float(exact.gap), f"{100 * float(exact.gap):.2g} %"),
        ("greedy_gap", "greedy's gap", float(greedy.gap), f"{100 * float(greedy.gap):.2f} %"),
        ("multiplier", "multiplier", float(exact.multiplier), f"{float(exact.multiplier):.4g}"),
        ("spent", "spent", float(exact.spent), f"{float(exact.spent):,.9g} of {picture.state.budget:,.9g}"),
        ("milliseconds", "answered in", 1e3 * seconds, f"{1e3 * seconds:.0f} ms"),
    ]
    there = [escape(n) for n, last in zip(names, picture.exact_frontier, strict=True) if last]
    lots = "" if live.unit == 1 else f"effort in lots of {live.unit:,.9g} · "
    front = f"{lots}{len(there)} of {len(names)} at the frontier{': ' if there else ''}{', '.join(there)}"
    effort = " ".join(f"{float(e):.12g}" for e in exact.effort)
    return (
        f'<div class="facts" data-answer="{answers}" data-budget="{picture.state.budget!r}" '
        f'data-effort="{effort}">{tiles_html(numbers)}</div><div class="front" data-frontier="{len(there)}">'
        f'<span style="color:{GREEN}">★</span> {front}'
        f'<span class="key"> · shaded: later stages, <span style="color:{GREEN}">■</span> the frontier</span>'
        "</div>"
    )
