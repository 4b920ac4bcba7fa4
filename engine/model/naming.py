"""A name that there is not: what there is, and the nearest of it."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import Any

# How alike two names are of which one may be meant for the other, from 0 to 1.
ALIKE = 0.6


def nearest(name: Any, known: Collection[str]) -> str | None:
    """The name that is likely meant: one that this one ends, as `portfolios` does `run.portfolios`, or the
    most similar by Ratcliff & Metzener's (1988) share of common letters; None where none is near."""
    if not isinstance(name, str):
        return None
    ends = [each for each in known if re.split(r"[.@]", each)[-1] == name]
    return next(iter(ends or get_close_matches(name, list(known), 1, ALIKE)), None)


def renamed(was: str, now: str) -> str:
    """What is said of a name that is another now."""
    return f"{was} is now {now}, and goes with the next release"


def one_of(name: Any, known: Collection[str]) -> str:
    """`, expected one of NAMES` or, where one is near, `: did you mean NAME? expected one of NAMES`."""
    near = nearest(name, known)
    return f"{f': did you mean {near}?' if near else ','} expected one of {', '.join(known)}"
