"""Parts that both kinds of view have: text, sliders, the budget's line and the line of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from bokeh.models import Div, Row, Slider, Spinner

from engine.figures.palette import BLUE, VERMILLION
from engine.live.style import SLIDER

SLIDER_STEPS = 200
# What stands between $$ in a project's name is not a formula.
Text = partial(Div, disable_math=True)
# What a slider tells: its key, whose it is (None: nobody's), and where it stands.
Moved = Callable[[str, int | None, Any], None]
Resize = Callable[[Any], None]
# Names of numbers, what they are called, the numbers, and how these are shown.
Numbers = list[tuple[str, str, float, str]]


def slider(key: str, project: int | None, ends: tuple[float, float], value: float, moved: Moved) -> Slider:
    """A slider without a title, as wide as there is room."""
    name = key if project is None else f"{key} {project}"
    low, high = ends
    one = Slider(
        title="",
        start=low,
        end=high,
        value=value,
        step=(high - low) / SLIDER_STEPS,
        name=name,
        tooltips=False,
        show_value=True,
        stylesheets=[SLIDER],
    )
    one.format, one.sizing_mode = decimals(high), "stretch_width"
    one.on_change("value", lambda _, __, new: moved(key, project, new))
    return one


def budget_line(
    ends: tuple[float, float], value: float, unit: float | None, moved: Moved, resize: Resize
) -> Row:
    """The budget's slider, in steps of the unit unless they are few, and where it ends."""
    least, most = ends
    budget = Slider(title="budget", start=least, end=most, value=value, name="budget")
    few = unit is None or most - least < 20 * unit
    budget.step = most / SLIDER_STEPS if few else unit
    budget.sizing_mode = "stretch_width"
    budget.on_change("value", lambda _, __, new: moved("budget", None, new))
    end = Spinner(title="up to", value=most, low=1, width=90, name="most_budget")
    end.step = unit or 1.0
    end.on_change("value", lambda _, __, new: resize(new))
    return Row(budget, end, sizing_mode="stretch_width")


def decimals(end: float) -> str:
    """Bokeh's format of a slider that ends here: three decimals, or as many as tell its steps apart."""
    return f"0.[{'0' * max(3, 3 - math.floor(math.log10(end)))}]"


def tiles_html(numbers: Numbers) -> str:
    """A tile a number; each has its full digits in `data-number`, for whoever reads by machine."""
    return "".join(
        f'<div><span class="key">{key_of(name)}{words}</span>'
        f'<b data-name="{name}" data-number="{number!r}">{text}</b></div>'
        for name, words, number, text in numbers
    )


def key_of(name: str) -> str:
    """The mark of an allocation in the charts, before its number."""
    mark = {
        "exact": f'<span style="color:{BLUE}">●</span> ',
        "greedy": f'<span style="color:{VERMILLION}">○</span> ',
    }
    return mark.get(name, "")
