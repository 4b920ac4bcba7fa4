"""A command line that is still being typed, as far as the cursor: its words, and the one at the cursor."""

from __future__ import annotations

from typing import NamedTuple


class Typed(NamedTuple):
    """The words before the cursor's, that one without its quotes, and where in it a quote is open."""

    before: list[str]
    current: str
    quoted: int | None


def typed(line: str) -> Typed:
    """A line taken apart as shells do, with a quote that may still be open."""
    words, current, begun = list[str](), "", False
    quote, opened, escaped = "", None, False
    for sign in line:
        if escaped:
            current, escaped = current + sign, False
        elif sign == "\\" and quote != "'":
            begun, escaped = True, True
        elif quote:
            quote, current = ("", current) if sign == quote else (quote, current + sign)
        elif sign in "'\"":
            begun, quote, opened = True, sign, len(current)
        elif sign.isspace():
            words += [current] if begun else []
            current, begun = "", False
        else:
            begun, current = True, current + sign
    return Typed(words, current, opened if quote else None)
