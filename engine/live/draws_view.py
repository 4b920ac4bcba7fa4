"""What the live page shows of draws: two sliders of risk, and a band around every mean curve."""

from __future__ import annotations

from html import escape

import numpy as np

from engine.live.controls import (
    Tile,
    budget_html,
    meanings_html,
    proof_tile,
    slider,
    spent_text,
    tiles_html,
    time_tile,
)
from engine.live.draws import BAND, LEAST_TAIL, MOST_TAIL, Fan, LiveDraws
from engine.live.panels import (
    View,
    axes_svg,
    band_svg,
    corner_svg,
    line_svg,
    mark_at,
    view_of,
)
from engine.live.view import ProjectsView, digits_of, row_html
from engine.study.words import number_text

BAND_WORDS = " to ".join(f"{100 * share:.0f}" for share in BAND) + " % of draws"
WORDS = {"aversion": "risk aversion κ", "tail": "worst share of draws"}
MEANINGS = {
    "aversion": "0 maximises the mean return, 1 the mean of the worst draws",
    "tail": "the share α of draws that count as the worst",
}
LABELS = {"aversion": "risk aversion", "tail": "worst share"}


class DrawsView(ProjectsView[Fan]):
    """The sliders and the drawings of one set of draws."""

    def __init__(self, live: LiveDraws) -> None:
        super().__init__(live.names)
        self.live = live

    def controls(self) -> dict[str, str]:
        """The budget, the risk aversion, and the share of draws that are the worst."""
        live, state = self.live, self.live.start
        ends = {"aversion": (0.0, 1.0), "tail": (LEAST_TAIL, MOST_TAIL)}
        rows = "".join(
            f'<div class="risk" title="{escape(MEANINGS[key])}">'
            f"{slider(key, LABELS[key], ends[key], getattr(state, key), WORDS[key])}</div>"
            for key in ends
        )
        return {
            "budget-line": budget_html((live.least_budget, live.most_budget), state.budget, None),
            "sliders": f"<h2>Risk</h2>{rows}{meanings_html(WORDS, MEANINGS)}",
        }

    def words(self, place: int, name: str, fan: Fan) -> str:
        """What a panel shows."""
        mean, low, high = (number_text(part[place], 4) for part in fan.here)
        return (
            f"{name}: {number_text(fan.bet.effort[place], 4)} units of effort return {mean} on average; "
            f"{100 * (BAND[1] - BAND[0]):.0f} % of draws lie from {low} to {high}"
        )

    def sentence(self, fan: Fan) -> str:
        """The numbers, once they rest."""
        figures, state = fan.bet.figures, fan.state
        return (
            f"budget {number_text(state.budget, 6)}, risk aversion {number_text(state.aversion, 3)}: mean "
            f"return {number_text(figures['mean'])}, mean of the worst {share_text(state.tail)} "
            f"{number_text(figures['cvar'])}; spent {spent_text(float(fan.bet.spent), state.budget)}"
        )

    def heading(self, fan: Fan) -> list[str]:
        """The title of the figure that is saved, and the lines below it."""
        lines = [f"{self.sentence(fan)}.", f"Lines: means. Bands: {BAND_WORDS}."]
        return ["effort by mean and CVaR (●)", *lines]

    def efforts(self, fan: Fan) -> dict[str, np.ndarray]:
        """The effort of each project, for the bars."""
        return {"exact": np.asarray(fan.bet.effort)}

    def table(self, fan: Fan) -> str:
        """Effort of every project, and the mean and the band of what it returns there."""
        return table_html(self.labels, fan)

    def views(self, fan: Fan) -> list[View]:
        """The axes of each panel."""
        rows = zip(fan.effort, fan.curves.mean, fan.curves.low, fan.curves.high, strict=True)
        return [view_of(effort, low, high.clip(min=mean)) for effort, mean, low, high in rows]

    def curve(self, place: int, fan: Fan, view: View) -> str:
        """What of a panel is the same while only the budget moves."""
        effort = fan.effort[place]
        mean, low, high = (part[place] for part in fan.curves)
        band = band_svg(view, effort, low, high)
        return band + axes_svg(self.labels[place], view) + line_svg(view, effort, mean)

    def marks(self, place: int, fan: Fan, view: View) -> str:
        """Where the allocations stand on it."""
        low, high = number_text(fan.here.low[place], 3), number_text(fan.here.high[place], 3)
        mark = mark_at("exact", view, fan.bet.effort[place], fan.here.mean[place])
        return mark + corner_svg(f"{low} to {high}")

    def front(self, fan: Fan) -> str:
        """What is read before the panels."""
        state, worst = fan.state, share_text(fan.state.tail)
        return (
            f"objective: {number_text(1 - state.aversion, 3)} × mean + {number_text(state.aversion, 3)} × "
            f"mean of the worst {worst} of draws, in real effort · lines: means; bands, and the numbers "
            f"beside names: {BAND_WORDS}"
        )

    def numbers(self, fan: Fan, compiled: float, seconds: float, answers: int) -> str:
        """The line of numbers."""
        state, bet = fan.state, fan.bet
        value, mean, cvar = float(bet.value), float(bet.figures["mean"]), float(bet.figures["cvar"])
        worst = f"mean of the worst {share_text(state.tail)}"
        spent = float(bet.spent)
        tiles = [
            Tile("value", "objective", value, number_text(value, 6)),
            Tile("mean", "mean return", mean, number_text(mean, 6)),
            Tile("cvar", worst, cvar, number_text(cvar, 6), "CVaR: the mean return of the worst draws"),
            proof_tile(bool(bet.proved), float(bet.gap)),
            Tile("spent", "spent", spent, spent_text(spent, state.budget)),
            Tile("bound", "upper bound", float(bet.bound), number_text(bet.bound, 6)),
            time_tile(compiled, seconds),
        ]
        held = {"budget": repr(state.budget), "aversion": repr(state.aversion), "tail": repr(state.tail)}
        effort = digits_of(bet.effort)
        return tiles_html(tiles, {"answer": str(answers), **held, "effort": effort})


def share_text(share: float) -> str:
    """A share of draws, in per cent."""
    return f"{number_text(100 * share, 3)} %"


def table_html(names: list[str], fan: Fan) -> str:
    """Effort of every project, and the mean and the band of what it returns there."""
    each = zip(names, fan.bet.effort, *fan.here, strict=True)
    rows = [row_html(name, numbers) for name, *numbers in each]
    words = ["effort (units)", "mean return", *(f"{100 * share:.0f} % of draws below" for share in BAND)]
    head = "".join(f'<th scope="col">{word}</th>' for word in ("project", *words))
    return f'<table class="allocation"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
