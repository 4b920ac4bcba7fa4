"""Tables of text that keep within a width: columns that do not fit beside the others go below them.

A sheet has columns that say what a row is, and groups of columns of what is known of it. It is shown as one
table where that fits; else group by group in as many tables as it takes, each of which begins with what its
rows are.
"""

from __future__ import annotations

import functools
import os
import re
from dataclasses import dataclass, field
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

# The width where there is no terminal to ask, and COLUMNS says nothing.
WIDTH = 80

# A column costs its text, two spaces and a line.
FRAME = 3

# Words wider than this are broken where they are composed; a remark wants at least this much.
MOST_WORD, LEAST_REMARK = 24, 24


@dataclass(frozen=True)
class Group:
    """Columns that belong together: a heading each, and the cells of every row.

    Remarks are text: they stand left, and are broken into lines.
    """

    headings: list[str]
    rows: list[list[str]]
    remarks: bool = False


@dataclass(frozen=True)
class Sheet:
    """What each row is, what is known of it, and what is said above and below; `sections` are the rows above
    which there is a line."""

    keys: Group
    groups: list[Group]
    title: str | None = None
    caption: str | None = None
    sections: frozenset[int] = field(default_factory=frozenset)
    right: bool = False  # keys that are numbers


def show(sheet: Sheet) -> None:
    """Print a sheet, on a terminal at its width; elsewhere at COLUMNS, or as on a terminal of 80 columns."""
    console = Console()
    if not console.is_terminal:
        given = os.environ.get("COLUMNS", "")
        console = Console(width=int(given) if given.isdigit() and int(given) else WIDTH)
    if sheet.title:
        console.print(Text(sheet.title, "italic"))
    for groups in arrange(sheet, console.width):
        console.print(_table(sheet, groups, console.width))
    if sheet.caption:
        console.print(Text(sheet.caption, "dim italic"))


def arrange(sheet: Sheet, width: int) -> list[list[Group]]:
    """The groups of each table; a group that is too wide for a table of its own is split."""
    room = width - 1 - sum(_widths(sheet.keys))
    whole = [sum(_widths(group)) for group in sheet.groups]
    if sum(whole) <= room:
        return [sheet.groups]
    tables: list[list[Group]] = [[]]
    left = room
    for group, wide in zip(sheet.groups, whole, strict=True):
        parts = [group] if wide <= room else _split(group, room)
        for part in parts:
            need = sum(_widths(part))
            if need > left and tables[-1]:
                tables.append([])
                left = room
            tables[-1].append(part)
            left -= need
    return tables


def _split(group: Group, room: int) -> list[Group]:
    """A group in as few parts as fit."""
    parts: list[list[int]] = [[]]
    left = room
    for column, need in enumerate(_widths(group)):
        if need > left and parts[-1]:
            parts.append([])
            left = room
        parts[-1].append(column)
        left -= need
    return [
        Group(
            [group.headings[c] for c in part], [[row[c] for c in part] for row in group.rows], group.remarks
        )
        for part in parts
    ]


def _widths(group: Group, *, wanted: bool = False) -> list[int]:
    """How wide each column is, with its frame: at the least, with headings broken between words and remarks
    anywhere, or as wide as wanted."""
    widths = []
    for column, heading in enumerate(group.headings):
        heading = fold(heading)
        words = heading.splitlines() if wanted else heading.split()
        cells = {row[column] for row in group.rows}
        longest = max((len(line) for cell in cells for line in _lines(group, cell)), default=0)
        if group.remarks and not wanted:
            longest = min(longest, LEAST_REMARK)
        widths.append(max(*map(len, words), longest) + FRAME)
    return widths


def _fitted(groups: list[Group], width: int) -> list[int | None]:
    """The width of the text of each column; what is left over goes to those that are content with least."""
    least = [width for group in groups for width in _widths(group)]
    wanted = [width for group in groups for width in _widths(group, wanted=True)]
    left = width - 1 - sum(least)
    if left < 0:
        return [None] * len(least)  # names too long for any arrangement are broken anywhere
    for column in sorted(range(len(least)), key=lambda c: wanted[c] - least[c]):
        more = min(wanted[column] - least[column], left)
        least[column] += more
        left -= more
    return [width - FRAME for width in least]


def _lines(group: Group, cell: str) -> list[str]:
    return [cell] if group.remarks else fold(cell).splitlines()


@functools.lru_cache(maxsize=1 << 16)
def fold(text: str) -> str:
    """A text whose composed words are broken after a dot or an underscore where they are long."""
    lines = [""]
    for piece in re.split(r"(?<=[._ ])", text):
        if len(lines[-1]) + len(piece.rstrip()) > MOST_WORD and lines[-1]:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _table(sheet: Sheet, groups: list[Group], width: int) -> Table:
    table = Table()
    shown = [sheet.keys, *groups]
    right = [sheet.right, *(not group.remarks for group in groups)]
    widths = iter(_fitted(shown, width))
    for group, numbers in zip(shown, right, strict=True):
        for heading in group.headings:
            justify: Literal["left", "right"] = "right" if numbers else "left"
            table.add_column(escape(fold(heading)), justify=justify, width=next(widths))
    for row in range(len(sheet.keys.rows)):
        if row in sheet.sections:
            table.add_section()
        cells = ["\n".join(_lines(group, cell)) for group in shown for cell in group.rows[row]]
        table.add_row(*map(escape, cells))
    return table
