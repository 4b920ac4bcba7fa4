"""Names that people give and mistype: as keys are written, the nearest of what there is, a few of many."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches

MOST_SAID = 8


def plain_name(header: str) -> str:
    """A header as keys are written: `Standard Error (%)` is standard_error."""
    return re.sub(r"[\W_]+", "_", header.strip().lower()).strip("_")


def nearest(name: str, among: Iterable[str]) -> str:
    """The words that offer the nearest of these names, if one is near."""
    by_plain = {plain_name(each): each for each in among}
    close = get_close_matches(plain_name(name), list(by_plain), 1, 0.6)
    return f", did you mean {by_plain[close[0]]}?" if close else ""


def nearby(name: str, among: Collection[str]) -> list[str]:
    """The nearest of these names, or all."""
    return get_close_matches(name, list(among), 1, 0.6) or list(among)


def some(names: Iterable[str]) -> str:
    """The first of these names."""
    listed = list(names)
    more = f" and {len(listed) - MOST_SAID} more" if len(listed) > MOST_SAID else ""
    return ", ".join(listed[:MOST_SAID]) + more
