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
    corner_svg,
    line_svg,
    mark_at,
    strips_svg,
    view_of,
)
from engine.live.view import ProjectsView, digits_of, row_html
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


class PortfolioView(ProjectsView[Picture]):
    """The sliders and the drawings of one portfolio."""

    def __init__(self, live: Live) -> None:
        super().__init__(live.names)
        self.live = live

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

    def sentence(self, picture: Picture) -> str:
        """The numbers, once they rest."""
        exact, greedy, budget = picture.exact, picture.greedy, picture.state.budget
        return (
            f"budget {number_text(budget, 6)}: exact returns {number_text(exact.value)}, greedy "
            f"{number_text(greedy.value)}, which loses {percent_text(picture.loss)}; shadow price "
            f"{number_text(exact.multiplier, 4)}; spent {spent_text(float(exact.spent), budget)}"
        )

    def heading(self, picture: Picture) -> list[str]:
        """The title of the figure that is saved, and the line below it."""
        return ["effort by exact (●) and greedy (□)", f"{self.sentence(picture)}."]

    def efforts(self, picture: Picture) -> dict[str, np.ndarray]:
        """The effort of each project by both, for the bars."""
        return {"exact": np.asarray(picture.exact.effort), "greedy": np.asarray(picture.greedy.effort)}

    def table(self, picture: Picture) -> str:
        """Effort, return and stage of every project."""
        return table_html(self.labels, self.live.stages, picture)

    def views(self, picture: Picture) -> list[View]:
        """The axes of each panel."""
        return [view_of(*each) for each in zip(picture.effort, picture.returns, picture.returns, strict=True)]

    def curve(self, place: int, picture: Picture, view: View) -> str:
        """What of a panel is the same while only the budget moves."""
        effort = picture.effort[place]
        strips = strips_svg(view, effort, picture.stage[place], picture.frontier[place])
        line = line_svg(view, effort, picture.returns[place])
        return strips + axes_svg(self.labels[place], view) + line

    def marks(self, place: int, picture: Picture, view: View) -> str:
        """Where the allocations stand on it."""
        exact = mark_at("exact", view, float(picture.exact.effort[place]), picture.exact_return[place])
        greedy = mark_at("greedy", view, float(picture.greedy.effort[place]), picture.greedy_return[place])
        at = "★ frontier" if picture.exact_frontier[place] else f"stage {self._stage(place, picture)}"
        return exact + greedy + corner_svg(at)

    def _stage(self, place: int, picture: Picture) -> str:
        return stage_text(picture, self.live.stages, place)

    def words(self, place: int, name: str, picture: Picture) -> str:
        """What a panel shows."""
        exact, greedy = float(picture.exact.effort[place]), float(picture.greedy.effort[place])
        stage = self._stage(place, picture)
        return (
            f"{name}: {number_text(exact)} units of effort return "
            f"{number_text(picture.exact_return[place], 4)}; "
            f"{stage if stage == FRONTIER else f'stage {stage}'}; greedy puts {number_text(greedy)}"
        )

    def front(self, picture: Picture) -> str:
        """What is read before the panels."""
        there = [escape(n) for n, last in zip(self.labels, picture.exact_frontier, strict=True) if last]
        lots = "" if self.live.unit == 1 else f"effort in lots of {number_text(self.live.unit, 9)} · "
        names = f": {', '.join(there)}" if there else ""
        count = f"{len(there)} of {counted(len(self.labels), 'project')} at the frontier{names}"
        return (
            f'<span data-frontier="{len(there)}">{lots}★ {count}</span> · {sign_html("exact")}exact, '
            f"{sign_html('greedy')}greedy · shaded: later stages, darkest: the frontier (the last)"
        )

    def numbers(self, picture: Picture, compiled: float, seconds: float, answers: int) -> str:
        """The line of numbers."""
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
        effort = digits_of(exact.effort)
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
        rows.append(row_html(name, numbers, stage_text(picture, stages, place)))
    pair = "".join(f'<th scope="col">{sign_html(s)}{s}</th>' for s in ("exact", "greedy"))
    return (
        '<table class="allocation"><thead><tr><th rowspan="2" scope="col">project</th>'
        '<th colspan="2" scope="colgroup">effort (units)</th><th colspan="2" scope="colgroup">return</th>'
        f'<th rowspan="2" scope="col">stage (exact)</th></tr><tr>{pair}{pair}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )
