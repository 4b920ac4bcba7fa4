"""What the live page shows of draws: two sliders of risk, and a band around every mean curve."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from bokeh.models import CDSView, Column, ColumnDataSource, IndexFilter, PlainText, Row, Title

from engine.figures.palette import BLUE
from engine.live.charts import bars_figure, effort_bar, labels, small_figure
from engine.live.controls import Moved, Numbers, Resize, Text, budget_line, slider, tiles_html
from engine.live.draws import BAND, LEAST_TAIL, MOST_TAIL, Fan, LiveDraws, Stance
from engine.live.model import nice_above
from engine.live.style import BELOW, FACTS, LINE, NAME, PANELS, TABLE

BAND_FILL = 0.2
BAND_WORDS = " to ".join(f"{100 * share:.0f}" for share in BAND) + " % of draws"


class BandPanel:
    """One project: its mean curve over the band of its draws, and a dot where the answer stands."""

    def __init__(self, label: str, index: int, projects: ColumnDataSource) -> None:
        self.index = index
        self.curve = ColumnDataSource({"effort": [], "mean": [], "low": [], "high": []})
        title = Title(text=PlainText(label), text_font_size="11px", text_font_style="normal")
        self.figure = small_figure(title)
        band = {"fill_color": BLUE, "fill_alpha": BAND_FILL, "source": self.curve}
        self.figure.varea(x="effort", y1="low", y2="high", **band)
        self.figure.line("effort", "mean", line_width=2, line_color="#333333", source=self.curve)
        shown = CDSView(filter=IndexFilter([index]))
        self.figure.scatter("effort", "mean", size=9, color=BLUE, source=projects, view=shown)

    def update(self, fan: Fan) -> None:
        """Send the curves where their axis moved, and nothing else."""
        effort = fan.effort[self.index]
        if np.array_equal(self.curve.data["effort"], effort):
            return
        mean, low, high = (part[self.index] for part in fan.curves)
        self.curve.data = {"effort": effort, "mean": mean, "low": low, "high": high}
        least, most = min(0.0, float(np.min(low))), float(max(np.max(high), np.max(mean)))
        self.figure.x_range.end = float(effort[-1])
        self.figure.y_range.start = 1.15 * least
        self.figure.y_range.end = nice_above(1.12 * most) if most > 0 else max(-least, 1.0) / 2


class DrawsView:
    """The sliders and the charts of one set of draws."""

    def __init__(self, live: LiveDraws) -> None:
        self.live, self.labels = live, labels(live.names)
        self.projects = ColumnDataSource()
        self.panels = [BandPanel(label, index, self.projects) for index, label in enumerate(self.labels)]
        self.facts = Text(stylesheets=[FACTS], sizing_mode="stretch_width")
        self.table = Text(stylesheets=[TABLE], styles={"max-width": "100%", "overflow-x": "auto"})

    def update(self, fan: Fan, seconds: float, answers: int) -> None:
        """Show another answer."""
        self.facts.text = facts_html(fan, seconds, answers)
        self.table.text = table_html(self.labels, fan)
        self.projects.data = {"project": self.labels, "effort": fan.bet.effort, "mean": fan.here.mean}
        for panel in self.panels:
            panel.update(fan)

    def charts(self) -> list[Any]:
        """The numbers, a panel a project, bars and the table."""
        grid = Row(*(p.figure for p in self.panels), stylesheets=[PANELS], sizing_mode="stretch_width")
        bars = bars_figure(self.labels)
        effort_bar(bars, self.projects, "effort", BLUE, 0.0, 0.9)
        below = Row(bars, self.table, stylesheets=[BELOW], sizing_mode="stretch_width")
        return [self.facts, grid, below]

    def sliders(self, state: Stance, moved: Moved, resize: Resize) -> list[Any]:
        """The budget, the risk aversion, and the share of draws that are the worst."""
        live = self.live
        line = budget_line((live.least_budget, live.most_budget), state.budget, None, moved, resize)
        ends = {"aversion": (0.0, 1.0), "tail": (LEAST_TAIL, MOST_TAIL)}
        words = {"aversion": "risk aversion", "tail": "worst share"}
        rows = [
            Row(
                Text(text=words[key], stylesheets=[NAME]),
                slider(key, None, ends[key], getattr(state, key), moved),
                sizing_mode="stretch_width",
                stylesheets=[LINE],
            )
            for key in ends
        ]
        return [line, Column(*rows, sizing_mode="stretch_width")]


def facts_html(fan: Fan, seconds: float, answers: int) -> str:
    """The line of numbers, and what is maximised."""
    state, bet = fan.state, fan.bet
    value, mean, cvar = float(bet.value), float(bet.figures["mean"]), float(bet.figures["cvar"])
    numbers: Numbers = [
        ("value", "objective", value, f"{value:,.6g}"),
        ("mean", "mean", mean, f"{mean:,.6g}"),
        ("cvar", f"mean of the worst {100 * state.tail:.3g} %", cvar, f"{cvar:,.6g}"),
        ("bound", "upper bound", float(bet.bound), f"{float(bet.bound):,.6g}"),
        ("gap", "certified gap", float(bet.gap), f"{100 * float(bet.gap):.2g} %"),
        ("spent", "spent", float(bet.spent), f"{float(bet.spent):,.6g} of {state.budget:,.9g}"),
        ("milliseconds", "answered in", 1e3 * seconds, f"{1e3 * seconds:.0f} ms"),
    ]
    effort = " ".join(f"{float(e):.12g}" for e in bet.effort)
    return (
        f'<div class="facts" data-answer="{answers}" data-budget="{state.budget!r}" '
        f'data-aversion="{state.aversion!r}" data-effort="{effort}">{tiles_html(numbers)}</div>'
        f'<div class="front">objective: {1 - state.aversion:.3g} × mean + {state.aversion:.3g} × mean of the '
        f'worst {100 * state.tail:.3g} % of draws, in real effort<span class="key"> · '
        f'<span style="color:{BLUE};opacity:0.5">■</span> {BAND_WORDS}</span></div>'
    )


def table_html(names: list[str], fan: Fan) -> str:
    """Effort of every project, and the mean and the band of what it returns there."""
    rows = []
    for name, effort, mean, low, high in zip(names, fan.bet.effort, *fan.here, strict=True):
        cells = f"{effort:,.4g}", f"{mean:,.3f}", f"{low:,.3f}", f"{high:,.3f}"
        rows.append(f"<tr><th>{escape(name)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    edges = "".join(f"<th>{100 * share:.0f} %</th>" for share in BAND)
    return (
        '<table class="allocation"><thead><tr><th>project</th><th>effort</th>'
        f"<th>mean return</th>{edges}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )
