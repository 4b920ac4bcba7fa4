"""What the live page shows of a portfolio: sliders for each project, and greedy beside the exact optimum."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from engine.live.controls import (
    Tile,
    budget_html,
    meanings_html,
    proof_tile,
    sign_html,
    slider,
    spent_text,
    tiles_html,
    time_tile,
)
from engine.live.model import DRAGGED, Live, Picture, State
from engine.live.panels import (
    View,
    axes_svg,
    bars_svg,
    corner_svg,
    figure_svg,
    labels,
    line_svg,
    mark_at,
    panels_html,
    strips_svg,
    view_of,
)
from engine.study.words import counted, number_text, percent_text

# What the sliders of a project are called, and what they mean.
WORDS = {"weight": "weight", "startup": "start-up cost (units)", "curvature": "utility flattens"}
MEANINGS = {
    "weight": "what a project's returns are multiplied by",
    "startup": "the effort that is spent before the first of it counts",
    "curvature": "curvature r of the concave utility (1 − e^(−r p))/r of performance p; 0 is linear",
}
FRONTIER = "frontier (last stage)"
PRICE = (
    "what another unit of budget returns: the price at which the exact solver's bound is lowest. Where the "
    "budget stands at a corner, engine allocate gives the price to its right"
)


class PortfolioView:
    """The sliders and the drawings of one portfolio."""

    def __init__(self, live: Live) -> None:
        self.live, self.labels = live, labels(live.names)

    def controls(self) -> dict[str, str]:
        """The budget's line, and three sliders for each project, where they begin."""
        live, state = self.live, self.live.start
        head = "".join(
            f'<span title="{escape(MEANINGS[key])}">{words}</span>' for key, words in WORDS.items()
        )
        rows = "".join(
            f'<div class="project"><span class="of">{escape(name)}</span>'
            f"{self._sliders(project, state)}</div>"
            for project, name in enumerate(self.labels)
        )
        return {
            "budget-line": budget_html((live.least_budget, live.most_budget), state.budget, live.unit),
            "sliders": '<h2>Projects</h2><div class="project head" aria-hidden="true">'
            f'<span class="of">project</span>{head}</div>'
            f"{rows}{meanings_html(WORDS, MEANINGS)}",
        }

    def _sliders(self, project: int, state: State) -> str:
        name = self.labels[project]
        return "".join(
            slider(
                f"{key}.{project}",
                f"{WORDS[key]} of {name}",
                (0.0, float(self.live.limits[key][project])),
                float(getattr(state, key)[project]),
            )
            for key in DRAGGED
        )

    def charts(self) -> str:
        """Empty panels, and what stands below them."""
        return panels_html(self.labels)

    def parts(self, picture: Picture, compiled: float, seconds: float, answers: int) -> dict[str, str]:
        """Another answer: what belongs in the page, by the id of its place."""
        views = self._views(picture)
        drawn = {f"curve-{place}": self._curve(place, picture, views[place]) for place in range(len(views))}
        marks = {f"marks-{place}": self._marks(place, picture, views[place]) for place in range(len(views))}
        efforts = {"exact": picture.exact.effort, "greedy": picture.greedy.effort}
        return {
            "numbers": self._numbers(picture, compiled, seconds, answers),
            "front": self._front(picture),
            **drawn,
            **marks,
            "bars": bars_svg(self.labels, efforts),  # type: ignore[arg-type]
            "table": table_html(self.labels, self.live.stages, picture),
        }

    def said(self, picture: Picture) -> dict[str, str]:
        """What each panel shows, in words, by its id."""
        return {f"panel-{place}": self._said(place, name, picture) for place, name in enumerate(self.labels)}

    def sentence(self, picture: Picture) -> str:
        """The numbers, once they rest."""
        exact, greedy, budget = picture.exact, picture.greedy, picture.state.budget
        return (
            f"budget {number_text(budget, 6)}: exact returns {number_text(exact.value)}, greedy "
            f"{number_text(greedy.value)}, which loses {percent_text(picture.loss)}; shadow price "
            f"{number_text(exact.multiplier, 4)}; spent {spent_text(float(exact.spent), budget)}"
        )

    def figure(self, picture: Picture, origin: str) -> str:
        """All panels as one SVG file."""
        views = self._views(picture)
        panels = [
            self._curve(place, picture, view) + self._marks(place, picture, view)
            for place, view in enumerate(views)
        ]
        return figure_svg(
            f"{origin}: effort by exact (●) and greedy (□)", [f"{self.sentence(picture)}."], panels
        )

    def _views(self, picture: Picture) -> list[View]:
        return [view_of(*each) for each in zip(picture.effort, picture.returns, picture.returns, strict=True)]

    def _curve(self, place: int, picture: Picture, view: View) -> str:
        effort = picture.effort[place]
        strips = strips_svg(view, effort, picture.stage[place], picture.frontier[place])
        line = line_svg(view, effort, picture.returns[place])
        return strips + axes_svg(self.labels[place], view) + line

    def _marks(self, place: int, picture: Picture, view: View) -> str:
        exact = mark_at("exact", view, float(picture.exact.effort[place]), picture.exact_return[place])
        greedy = mark_at("greedy", view, float(picture.greedy.effort[place]), picture.greedy_return[place])
        at = "★ frontier" if picture.exact_frontier[place] else f"stage {self._stage(place, picture)}"
        return exact + greedy + corner_svg(at)

    def _stage(self, place: int, picture: Picture) -> str:
        return stage_text(picture, self.live.stages, place)

    def _said(self, place: int, name: str, picture: Picture) -> str:
        exact, greedy = float(picture.exact.effort[place]), float(picture.greedy.effort[place])
        stage = self._stage(place, picture)
        return (
            f"{name}: {number_text(exact)} units of effort return "
            f"{number_text(picture.exact_return[place], 4)}; "
            f"{stage if stage == FRONTIER else f'stage {stage}'}; greedy puts {number_text(greedy)}"
        )

    def _front(self, picture: Picture) -> str:
        there = [escape(n) for n, last in zip(self.labels, picture.exact_frontier, strict=True) if last]
        lots = "" if self.live.unit == 1 else f"effort in lots of {number_text(self.live.unit, 9)} · "
        names = f": {', '.join(there)}" if there else ""
        count = f"{len(there)} of {counted(len(self.labels), 'project')} at the frontier{names}"
        return (
            f'<span data-frontier="{len(there)}">{lots}★ {count}</span> · {sign_html("exact")}exact, '
            f"{sign_html('greedy')}greedy · shaded: later stages, darkest: the frontier (the last)"
        )

    def _numbers(self, picture: Picture, compiled: float, seconds: float, answers: int) -> str:
        exact, greedy, budget = picture.exact, picture.greedy, picture.state.budget
        spent = float(exact.spent)
        tiles = [
            Tile("exact", "exact returns", float(exact.value), number_text(exact.value, 6)),
            Tile("greedy", "greedy returns", float(greedy.value), number_text(greedy.value, 6)),
            Tile("loss", "greedy loses", picture.loss, percent_text(picture.loss)),
            proof_tile(bool(exact.proved), float(exact.gap)),
            Tile(
                "multiplier", "shadow price", float(exact.multiplier), number_text(exact.multiplier, 4), PRICE
            ),
            Tile("spent", "spent", spent, spent_text(spent, budget)),
            Tile("bound", "upper bound", float(exact.bound), number_text(exact.bound, 6)),
            Tile("greedy_gap", "greedy's own gap", float(greedy.gap), percent_text(float(greedy.gap))),
            time_tile(compiled, seconds),
        ]
        effort = " ".join(f"{float(e):.12g}" for e in exact.effort)
        return tiles_html(tiles, {"answer": str(answers), "budget": repr(budget), "effort": effort})


def stage_text(picture: Picture, stages: np.ndarray, place: int) -> str:
    """The stage where the optimum of one project stands, of how many."""
    if picture.exact_frontier[place]:
        return FRONTIER
    return f"{int(picture.exact_stage[place]) + 1} of {stages[place]}"


def table_html(names: list[str], stages: np.ndarray, picture: Picture) -> str:
    """Effort, return and stage of every project."""
    rows = []
    columns: Any = (picture.exact.effort, picture.greedy.effort, picture.exact_return, picture.greedy_return)
    for place, (name, *numbers) in enumerate(zip(names, *columns, strict=True)):
        cells = "".join(f"<td>{number_text(number, 4)}</td>" for number in numbers)
        stage = stage_text(picture, stages, place)
        rows.append(f'<tr><th scope="row">{escape(name)}</th>{cells}<td>{stage}</td></tr>')
    pair = "".join(f'<th scope="col">{sign_html(s)}{s}</th>' for s in ("exact", "greedy"))
    return (
        '<table class="allocation"><thead><tr><th rowspan="2" scope="col">project</th>'
        '<th colspan="2" scope="colgroup">effort (units)</th><th colspan="2" scope="colgroup">return</th>'
        f'<th rowspan="2" scope="col">stage (exact)</th></tr><tr>{pair}{pair}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
