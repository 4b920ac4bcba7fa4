"""The live page's drawings, as SVG: one small curve a project, and bars of effort.

A panel is two groups: its curve with axes and stages, which is the same while only the budget moves, and its
marks, a solver's each. Colours are classes, so that a style sheet says them, light or dark; the figure that
is exported holds the same panels and a style sheet of its own.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from engine.figures.looks import solver_look
from engine.figures.palette import DARK, DARK_GREYS, FRONTIER_GREY, INK, LINE, PAPER, SOFT
from engine.live.model import nice_above
from engine.study.words import number_text, short

WIDTH, HEIGHT = 200, 152
LEFT, RIGHT, TOP, BOTTOM = 34.0, 194.0, 24.0, 120.0
EFFORT, RETURN = "effort (units)", "return"
FRONTIER_FILL, STAGE_FILL, MOST_FILL, BAND_FILL = 1.0, 0.07, 0.25, 0.22
LONGEST_NAME = 20
LINE_HEIGHT, BARS_WIDTH, BARS_LEFT = 20, 400, 124
# The colours by the names that style sheets have for them.
COLOURS = {
    "exact": solver_look("exact").colour,
    "greedy": solver_look("greedy").colour,
    "frontier": FRONTIER_GREY,
    "ink": INK,
    "soft": SOFT,
    "line": LINE,
    "paper": PAPER,
}
RULES = """
text { font: 10px system-ui, sans-serif; fill: var(--ink); }
.name { font-size: 11.5px; font-weight: 600; }
.tick, .stage-name { fill: var(--soft); }
.frame { fill: none; stroke: var(--line); }
.curve { fill: none; stroke: var(--ink); stroke-width: 1.6; }
.strip { fill: var(--soft); } .strip.last { fill: var(--frontier); }
.band { fill: var(--exact); }
.exact { fill: var(--exact); stroke: var(--exact); stroke-width: 1.5; }
.greedy { fill: none; stroke: var(--greedy); stroke-width: 2; }
"""


class View(NamedTuple):
    """The ranges of a panel's axes: effort from 0, returns from `low`."""

    effort: float
    low: float
    high: float

    def x(self, effort: np.ndarray | float) -> np.ndarray:
        """Where efforts are."""
        return LEFT + (RIGHT - LEFT) * np.asarray(effort) / self.effort

    def y(self, returns: np.ndarray | float) -> np.ndarray:
        """Where returns are, cut off far outside."""
        share = (np.asarray(returns) - self.low) / (self.high - self.low)
        return BOTTOM - (BOTTOM - TOP) * np.clip(share, -1.0, 2.0)


def view_of(effort: np.ndarray, low: np.ndarray, high: np.ndarray) -> View:
    """Axes on which all of a curve, or of a band, lies."""
    least, most = min(0.0, float(np.min(low))), float(np.max(high))
    top = nice_above(1.12 * most) if most > 0 else max(-least, 1.0) / 2
    return View(float(effort[-1]), 1.15 * least, top)


def axes_svg(name: str, view: View) -> str:
    """The frame of a panel, its name, ticks and the names of its axes."""
    middle = 0.5 * (LEFT + RIGHT)
    ticks = [
        (LEFT - 7, TOP + 8, "end", number_text(view.high, 3)),
        (LEFT - 7, BOTTOM + 1, "end", number_text(view.low, 3)),
        (LEFT, BOTTOM + 15, "middle", "0"),
        (RIGHT, BOTTOM + 15, "end", number_text(view.effort, 4)),
    ]
    return (
        f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{RIGHT - LEFT}" height="{BOTTOM - TOP}"/>'
        f'<text class="name" x="2" y="14">{escape(name)}</text>'
        + "".join(f'<text class="tick" x="{x}" y="{y}" text-anchor="{a}">{t}</text>' for x, y, a, t in ticks)
        + f'<text x="{middle}" y="{BOTTOM + 27}" text-anchor="middle">{EFFORT}</text>'
        f'<text x="10" y="{0.5 * (TOP + BOTTOM)}" text-anchor="middle" '
        f'transform="rotate(-90 10 {0.5 * (TOP + BOTTOM)})">{RETURN}</text>'
    )


def points_of(view: View, effort: np.ndarray, returns: np.ndarray) -> list[str]:
    """The points of a line."""
    return [
        f"{x:.1f},{y:.1f}" for x, y in zip(view.x(effort).tolist(), view.y(returns).tolist(), strict=True)
    ]


def line_svg(view: View, effort: np.ndarray, returns: np.ndarray) -> str:
    """A curve."""
    return f'<polyline class="curve" points="{" ".join(points_of(view, effort, returns))}"/>'


def band_svg(view: View, effort: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    """The area between two curves."""
    edge = [*points_of(view, effort, low), *reversed(points_of(view, effort, high))]
    return f'<polygon class="band" fill-opacity="{BAND_FILL}" points="{" ".join(edge)}"/>'


def strips_svg(view: View, effort: np.ndarray, stage: np.ndarray, frontier: np.ndarray) -> str:
    """The intervals of effort at each stage after the first; the last stage is the frontier's colour."""
    middle = np.concatenate([effort[:1], 0.5 * (effort[1:] + effort[:-1]), effort[-1:]])
    cuts = [0, *(np.flatnonzero(np.diff(stage)) + 1).tolist(), len(stage)]
    strips = []
    for begin, end in itertools.pairwise(cuts):
        number, last = int(stage[begin]), bool(frontier[begin])
        if number == 0 and not last:
            continue
        left, right = float(view.x(middle[begin])), float(view.x(middle[end]))
        fill = FRONTIER_FILL if last else min(STAGE_FILL * number, MOST_FILL)
        strips.append(
            f'<rect class="strip{" last" * last}" x="{left:.1f}" y="{TOP}" width="{right - left:.1f}" '
            f'height="{BOTTOM - TOP}" fill-opacity="{fill:.2f}"/>'
        )
    return "".join(strips)


def mark_svg(solver: str, x: float, y: float, size: float) -> str:
    """A solver's mark, of its look: a disc or a square."""
    if solver_look(solver).marker == "o":
        return f'<circle class="{solver}" cx="{x:.1f}" cy="{y:.1f}" r="{size:g}"/>'
    return (
        f'<rect class="{solver}" x="{x - size:.1f}" y="{y - size:.1f}" width="{2 * size:g}" '
        f'height="{2 * size:g}"/>'
    )


def mark_at(solver: str, view: View, effort: float, returns: float) -> str:
    """A solver's mark on a curve: greedy's is larger, so that both are seen where they meet."""
    size = 3.6 if solver_look(solver).filled else 5.6
    return mark_svg(solver, float(view.x(effort)), float(view.y(returns)), size)


def corner_svg(words: str) -> str:
    """What stands in a panel's upper corner."""
    return f'<text class="stage-name" x="{RIGHT}" y="14" text-anchor="end">{escape(words)}</text>'


def panel_html(place: int, label: str) -> str:
    """An empty panel of the page."""
    return (
        f'<svg class="panel" id="panel-{place}" role="img" aria-label="{escape(label)}" '
        f'viewBox="0 0 {WIDTH} {HEIGHT}"><g id="curve-{place}"></g><g id="marks-{place}"></g></svg>'
    )


def panels_html(names: Sequence[str]) -> str:
    """Empty panels, and room for bars and a table below them."""
    panels = "".join(panel_html(place, name) for place, name in enumerate(names))
    return (
        f'<div class="panels">{panels}</div><div class="below"><div id="bars"></div>'
        '<div id="table" role="region" aria-label="table of projects" tabindex="0"></div></div>'
    )


def bars_svg(names: Sequence[str], efforts: dict[str, np.ndarray]) -> str:
    """Effort of each project by each of up to two solvers, a line a project."""
    end = nice_above(max(float(np.max(effort)) for effort in efforts.values()))
    most = BARS_WIDTH - BARS_LEFT - 10
    height = 14.0 / len(efforts)
    lines = []
    for place, name in enumerate(names):
        top = LINE_HEIGHT * place + 20
        lines.append(f'<text x="{BARS_LEFT - 6}" y="{top + 11}" text-anchor="end">{escape(name)}</text>')
        for number, (solver, effort) in enumerate(efforts.items()):
            width = most * float(effort[place]) / end
            lines.append(
                f'<rect class="{solver}" x="{BARS_LEFT}" y="{top + number * height + 1:.1f}" '
                f'width="{width:.1f}" height="{height - 2:.1f}"/>'
            )
    foot = LINE_HEIGHT * len(names) + 22
    right = BARS_LEFT + most
    return (
        f'<svg class="bars" role="img" aria-label="bars of the effort of each project, as in the table" '
        f'viewBox="0 0 {BARS_WIDTH} {foot + 32}">'
        f'<text class="name" x="2" y="12">effort of each project</text>{"".join(lines)}'
        f'<path class="frame" d="M{BARS_LEFT},18V{foot}H{right}"/>'
        f'<text class="tick" x="{BARS_LEFT}" y="{foot + 12}" text-anchor="middle">0</text>'
        f'<text class="tick" x="{right}" y="{foot + 12}" text-anchor="end">{number_text(end, 4)}</text>'
        f'<text x="{BARS_LEFT + most / 2}" y="{foot + 25}" text-anchor="middle">{EFFORT}</text></svg>'
    )


def figure_svg(title: str, lines: Sequence[str], panels: Sequence[str]) -> str:
    """Panels as one file: a title and lines above them, on light paper."""
    columns = min(len(panels), 5 if len(panels) > 8 else 4)
    top = 26 + 16 * len(lines)
    width, height = WIDTH * max(columns, 3), top + HEIGHT * -(-len(panels) // columns)
    places = [divmod(place, columns) for place in range(len(panels))]
    placed = "".join(
        f'<g transform="translate({WIDTH * column} {top + HEIGHT * row})">{panel}</g>'
        for (row, column), panel in zip(places, panels, strict=True)
    )
    said = "".join(
        f'<text x="4" y="{34 + 16 * number}" style="font-size:12px">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}"><title>{escape(title)}</title>'
        f"<style>{light()}{RULES}</style>"
        f'<rect width="{width}" height="{height}" fill="var(--paper)"/>'
        f'<text class="name" x="4" y="16" style="font-size:14px">{escape(title)}</text>{said}{placed}</svg>\n'
    )


def light() -> str:
    """The colours on light paper, by name."""
    return f":root{{{''.join(f'--{name}:{colour};' for name, colour in COLOURS.items())}}}"


def colours_css() -> str:
    """The colours, on light paper and on dark, and how drawings look."""
    dark_of = DARK | DARK_GREYS
    dark = "".join(f"--{name}:{dark_of[colour]};" for name, colour in COLOURS.items())
    return f"{light()}\n@media (prefers-color-scheme: dark){{:root{{{dark}}}}}\n{RULES}"


def labels(names: Sequence[str]) -> list[str]:
    """Names short enough to be read, no two alike, without what SVG cannot hold."""
    plain = [re.sub(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]", " ", name) for name in names]
    told = [short(name, LONGEST_NAME) for name in plain]
    return [s if told.count(s) == 1 else f"{i} {s}"[:LONGEST_NAME] for i, s in enumerate(told)]
