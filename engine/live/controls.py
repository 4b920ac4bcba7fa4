"""Parts that both kinds of view have, as HTML: sliders, the budget's line, and the line of numbers.

Every control has a name of its own for those who do not see it. A slider tells its key and its step by
`data-key` and `data-step`; between steps it may stand anywhere, where an address or a file put it.
"""

from __future__ import annotations

import math
from html import escape
from typing import NamedTuple

from engine.figures.looks import solver_look
from engine.study.words import number_text, percent_text

SLIDER_STEPS = 200


class Tile(NamedTuple):
    """A number that is shown: its name for machines, words, its full digits, how it is written, and what
    it means, where the words do not say."""

    name: str
    words: str
    number: float
    text: str
    meaning: str = ""


def decimals(end: float) -> int:
    """How many decimals a slider that ends here shows: three, or as many as tell its steps apart."""
    return max(3, 3 - math.floor(math.log10(end)))


def slider(key: str, label: str, ends: tuple[float, float], value: float, shown: str = "") -> str:
    """A slider, and its value beside it; `label` is its name, `shown` what stands before the value."""
    low, high = ends
    return (
        f'<label class="slider"><span>{shown}</span><output>{number_text(value, 4)}</output>'
        f'<input type="range" data-key="{key}" name="{key}" min="{low!r}" max="{high!r}" step="any" '
        f'value="{value!r}" data-start="{value!r}" data-step="{(high - low) / SLIDER_STEPS!r}" '
        f'data-decimals="{decimals(high)}" aria-label="{escape(label)}" '
        f'aria-valuetext="{number_text(value, 4)}"></label>'
    )


def budget_html(ends: tuple[float, float], value: float, unit: float | None) -> str:
    """The budget: its slider, in steps of the unit unless they are few, as a number, and where it ends."""
    least, most = ends
    few = unit is None or most - least < 20 * unit
    step = most / SLIDER_STEPS if few else unit
    return (
        '<label class="wide" for="budget">budget (units of cost)</label><div class="budget">'
        f'<input type="range" id="budget" data-key="budget" name="budget" min="{least!r}" max="{most!r}" '
        f'step="any" value="{value!r}" data-start="{value!r}" data-step="{step!r}" '
        f'data-decimals="{decimals(most)}" aria-label="budget" aria-valuetext="{number_text(value, 6)}">'
        f'<input type="number" id="budget_number" name="budget_number" step="any" value="{plain(value)}" '
        'aria-label="budget as a number"><label>up to <input type="number" id="most_budget" '
        f'name="most_budget" step="any" value="{plain(most)}" '
        'aria-label="largest budget of the slider"></label></div>'
    )


def meanings_html(words: dict[str, str], meanings: dict[str, str]) -> str:
    """What sliders mean, to be unfolded."""
    listed = "".join(f"<dt>{words[key]}</dt><dd>{escape(meaning)}</dd>" for key, meaning in meanings.items())
    return f"<details><summary>what the sliders mean</summary><dl>{listed}</dl></details>"


def plain(number: float) -> str:
    """A number with all its digits, and no decimals where it is whole."""
    return repr(number).removesuffix(".0")


def tiles_html(tiles: list[Tile], data: dict[str, str]) -> str:
    """A tile a number; each has its full digits in `data-number`, for whoever reads by machine."""
    shown = "".join(
        f'<div class="tile"{f" title={_quoted(tile.meaning)}" if tile.meaning else ""}>'
        f'<span class="key">{sign_html(tile.name)}{tile.words}</span>'
        f'<b data-name="{tile.name}" data-number="{tile.number!r}">{tile.text}</b></div>'
        for tile in tiles
    )
    held = " ".join(f"data-{name}={_quoted(text)}" for name, text in data.items())
    return f'<div class="facts" {held}>{shown}</div>'


def sign_html(solver: str) -> str:
    """The mark of an allocation in the drawings, before its number."""
    if solver not in ("exact", "greedy"):
        return ""
    return f'<span class="sign-{solver}" aria-hidden="true">{solver_look(solver).sign}</span> '


def time_tile(compiled: float, seconds: float) -> Tile:
    """What the answer took, and before it what compiling for its portfolio took, where it did."""
    solved = f"solved in {milliseconds(seconds)}"
    text = f"compiled in {number_text(compiled, 2)} s, {solved}" if compiled > 0.05 else solved
    return Tile("milliseconds", "time", 1e3 * seconds, text)


def milliseconds(seconds: float) -> str:
    """A time in milliseconds, or in seconds where it is long."""
    return f"{number_text(seconds, 2)} s" if seconds >= 1 else f"{1e3 * seconds:.{int(seconds < 0.01)}f} ms"


def spent_text(spent: float, budget: float) -> str:
    """What is spent of a budget."""
    return f"{number_text(spent, 6)} of {number_text(budget, 6)}"


def proof_tile(proved: bool, gap: float) -> Tile:
    """Whether the optimum is proved, or how far from it the answer may be."""
    text = "proved optimal" if proved else f"gap ≤ {percent_text(gap, 4)}"
    meaning = "(upper bound − total return) / upper bound; 0 where the answer is proved"
    return Tile("gap", "how good", gap, text, meaning)


def _quoted(text: str) -> str:
    return f'"{escape(text)}"'
