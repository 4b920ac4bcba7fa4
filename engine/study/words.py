"""How numbers, settings and metrics are written: once, for tables, figures, reports and the live page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

# What the axes of a grid are called; other keys are called by their names.
AXES = {
    "budget": "budget (units of cost)",
    "scenario.skew": "skew of the weights",
    "scenario.projects": "projects",
    "scenario.success.value": "chance of success",
    "scenario.approaches.moonshot.success.value": "chance of a moonshot",
    "scenario.spillover.chance": "chance that the platform lifts a project",
    "scenario.spillover.share.median": "effort received per unit spent on the platform",
    "scenario.uncertainty.spread.scale": "σ of the log of each project's scale",
    "scenario.planning.stall": "chance a period that a project stalls",
    "scenario.planning.resume": "chance a period that a stall ends",
    "scenario.planning.noise": "noise of looks, as a share of a project's scale",
}

# What metrics are called whose own names say too little.
METRIC_NAMES = {
    "frontier": "chance that a project is at the frontier",
    "optimal": "share of portfolios solved to the optimum",
    "proved": "share of answers proved optimal",
    "loss": "mean share of the optimum missed",
    "gap": "mean certified gap",
    "value": "mean total return",
    "over_equal": "return less that of equal split",
    "over_static": "return less that of the static plan",
    "over_richer": "return less that of a richer static plan",
}


def axis_name(key: str) -> str:
    """What an axis of a grid is called."""
    return AXES.get(key, key)


def key_name(key: str) -> str:
    """What a key of a grid is called in a sentence: without its unit."""
    return axis_name(key).split(" (")[0]


def settings_words(settings: Mapping[str, Any]) -> str:
    """The settings of a point in a sentence."""
    return listed([f"{key_name(key)} {setting_text(value)}" for key, value in settings.items()])


def metric_name(metric: str) -> str:
    """What the mean of a metric is called."""
    return METRIC_NAMES.get(metric, f"mean {metric.replace('_', ' ')}")


def number_text(number: Any, digits: int = 5) -> str:
    """A number with so many significant digits; a dash where there is none."""
    if math.isnan(number):
        return "–"
    return "0" if abs(number) < 1e-12 else f"{number:.{digits}g}"


def percent_text(share: float, places: int = 2) -> str:
    """A share in per cent; a dash where there is none, and never less than none by rounding alone."""
    if math.isnan(share):
        return "–"
    text = f"{100 * share:.{places}f}"
    return f"{text.lstrip('-') if float(text) == 0 else text} %"


def rate_text(rate: float) -> str:
    """So many a second, in three digits; a dash where that is not known."""
    return "–" if math.isnan(rate) else f"{float(f'{rate:.3g}'):,.0f}"


def setting_text(value: Any) -> str:
    """A setting of a grid."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def range_text(numbers: Iterable[float], show: Callable[[float], str]) -> str:
    """The least and the largest of some numbers; one of them where they look alike."""
    known = list(numbers)
    low, high = show(min(known)), show(max(known))
    return low if low == high else f"{low} to {high}"


def short(name: str, most: int = 24) -> str:
    """A name as far as it fits."""
    return name if len(name) <= most else name[: most - 1] + "…"


def listed(words: Sequence[str]) -> str:
    """Words with commas and an "and"."""
    return " and ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} and {words[-1]}"


def counted(count: int, thing: str) -> str:
    """So many things."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


def sentence(words: str) -> str:
    """Words with a capital."""
    return words[:1].upper() + words[1:]
