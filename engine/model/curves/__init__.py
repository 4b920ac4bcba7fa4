"""Curve families; a new one is a class in one of these files and its name in `FAMILIES`."""

from __future__ import annotations

from engine.model.curves.base import Curve
from engine.model.curves.concave import Exponential, Linear, Log, Power, PureLog, Root
from engine.model.curves.increasing import Increasing
from engine.model.curves.s_shaped import Hill, Logistic, Weibull
from engine.model.curves.staged import Lifecycle, Tabulated

FAMILIES: dict[str, type[Curve]] = {
    c.family: c
    for c in (
        *(Log, PureLog, Power, Root, Linear, Exponential),
        *(Increasing, Hill, Weibull, Logistic, Lifecycle, Tabulated),
    )
}
