"""From a table as it is to a table with the columns of ours: named, filtered, made long, in our units.

What the user says of a table is its `Reading`. In this order:

1. rows are those of `where`;
2. columns are those that `columns` names, or that have our names but for capitals and signs; a `*` stands for
   any text, and a column that matches is a project of that name, so that a wide table becomes a long one;
3. rows without effort or performance are left out and counted aloud;
4. a performance that is best when it is low changes its sign (`direction="down"`: a loss of 2.4 is a
   performance of -2.4), and effort is counted in `effort_unit`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from engine.files.headers import find, known_columns
from engine.files.names import nearest, some
from engine.files.numbers import MARKS
from engine.files.tables import Column, Table

RESTARTS = ("continue", "replace", "average")


@dataclass(frozen=True)
class Reading:
    """How a table is to be read.

    - `columns`: the header of a column by our name for it: project, effort, performance, standard_error,
      weight and replicate. A header may have a `*`, which stands for the names of projects; with
      `replicate="*"` it stands for replicates of one project.
    - `where`: the value that a column must have, or a list of values, by header.
    - `direction`: up, or down for a performance that is best when it is low: it is then minus what is there.
    - `effort_unit`: what effort is counted in; 1e9 makes billions of tokens of tokens.
    - `restarts`: what it means that effort falls back from one row to the next of a project: continue, a
      counter that began again, whose rows follow the ones before; replace, work that was done again from
      there, whose earlier rows are dropped; average, replicates.
    - `decimal`: point or comma, where the file itself does not tell.
    - `sheet`: the name of a spreadsheet's sheet, or its number from 1; else the first that is not empty.

    **Raises:** `ValueError` naming the one that cannot be.
    """

    columns: Mapping[str, str | None] = field(default_factory=dict)
    where: Mapping[str, Any] = field(default_factory=dict)
    direction: str = "up"
    effort_unit: float = 1.0
    restarts: str | None = None
    decimal: str | None = None
    sheet: str | int | None = None

    def __post_init__(self) -> None:
        if self.direction not in ("up", "down"):
            raise ValueError(f"direction is {self.direction!r}, expected up or down")
        if not 0 < self.effort_unit < np.inf:
            raise ValueError(f"effort_unit is {self.effort_unit:g}, expected a number above 0")
        if self.restarts is not None and self.restarts not in RESTARTS:
            raise ValueError(f"restarts is {self.restarts!r}, expected one of {', '.join(RESTARTS)}")
        if self.decimal is not None and self.decimal not in MARKS:
            raise ValueError(f"decimal is {self.decimal!r}, expected point or comma")

    def refuse(self, what: str) -> None:
        """Refuse what changes nothing, where there is no table to read.

        **Raises:** `ValueError` naming the first key that is given.
        """
        for each in fields(self):
            value, neutral = getattr(self, each.name), getattr(AS_IT_IS, each.name)
            parts = value.items() if isinstance(value, Mapping) else ()
            given = {f"{each.name}.{name}": part for name, part in parts if part is not None}
            if not isinstance(value, Mapping) and value != neutral:
                given = {each.name: value}
            for key, said in given.items():
                raise ValueError(f"{key} is {said!r}, expected none for {what}")


AS_IT_IS = Reading()


def arrange(table: Table, reading: Reading, known: Collection[str]) -> Table:
    """The table with known columns under their own names; the others keep theirs.

    **Raises:** `ValueError` naming the column or key that cannot be.
    """
    table = _chosen(table, reading.where)
    headers = known_columns(table, reading.columns, known)
    if any("*" in header and header not in table.columns for header in headers.values()):
        return _long(table, headers)
    name_of = {table.checked(header): name for name, header in headers.items()}
    gone = {*headers, *(find(table, key, "where") for key in reading.where)} - name_of.keys()
    columns = {name_of.get(header, header): c for header, c in table.columns.items() if header not in gone}
    return replace(table, columns=columns, twice=table.twice & columns.keys())


def _chosen(table: Table, where: Mapping[str, Any]) -> Table:
    """The rows that have these values."""
    for key, wanted in where.items():
        header = find(table, key, f"where.{key}")
        values = list(wanted) if isinstance(wanted, (list, tuple)) else [wanted]
        words, codes = table.words(header)
        fits = np.array([any(_same(word, value) for value in values) for word in words], bool)
        if not fits.any():
            said = ", ".join(map(str, values))
            raise ValueError(f"where.{key}={said} leaves no row, saw {some(words)}{nearest(said, words)}")
        table = table.keep(fits[codes])
    return table


def _same(word: str, value: Any) -> bool:
    """Whether a cell says what is wanted, as text or as a number."""
    if word == str(value).strip():
        return True
    try:
        return not isinstance(value, bool) and "_" not in word and float(word) == float(value)
    except (TypeError, ValueError):
        return False


def _long(table: Table, headers: dict[str, str]) -> Table:
    """A wide table as a long one: a block of rows for each text that the `*` stands for."""
    stars = {n: header for n, header in headers.items() if "*" in header and header not in table.columns}
    named = "replicate" if stars.get("replicate") == "*" else "project"
    stars.pop(named, None)
    for name, header in stars.items():
        if header.count("*") > 1:
            raise ValueError(f"columns.{name} is {header!r}, expected one * in it")
    if "performance" not in stars:
        other = next(iter(stars), named)
        raise ValueError(f"columns.{other} has a *, expected one in columns.performance too")
    plain = {name: header for name, header in headers.items() if header in table.columns}
    before, after = map(re.escape, stars["performance"].split("*"))
    pattern = re.compile(f"{before}(.+){after}", re.DOTALL)
    free = [header for header in table.columns if header not in plain.values()]
    matches = [found[1] for header in free if (found := pattern.fullmatch(header))]
    if not matches:
        saw = f"saw {some(free)}"
        raise ValueError(f"no column is {stars['performance']!r} for columns.performance, {saw}")
    columns: dict[str, Column] = {}
    for name, header in stars.items():
        parts = [_numbers(table, header.replace("*", match, 1), f"columns.{name}") for match in matches]
        columns[name] = np.concatenate(parts)
    for name, header in plain.items():
        words, codes = table.words(header)
        columns[name] = (
            [words[code] for code in codes] * len(matches)
            if _is_word(name)
            else np.tile(table.numbers(header), len(matches))
        )
    marks = [match.strip() for match in matches for _ in range(len(table))]
    if named in columns:  # a project's name and what the * stands for
        marks = [f"{one} {other}".strip() for one, other in zip(columns[named], marks, strict=True)]
    columns[named] = marks
    return replace(table, columns=columns, places=np.tile(table.places, len(matches)), twice=frozenset())


def _is_word(name: str) -> bool:
    return name in ("project", "replicate", "family")


def _numbers(table: Table, header: str, key: str) -> np.ndarray:
    return table.numbers(find(table, header, key))


def measured(table: Table, reading: Reading, notes: list[str]) -> Table:
    """The rows of an arranged table that have an effort and a performance, in our direction and unit.

    **Raises:** `ValueError` naming the row or column that cannot be.
    """
    if not len(table):
        raise ValueError("has no rows, expected measurements")
    numbers = {name: table.numbers(name) for name in ("effort", "performance")}
    blank = {name: np.isnan(values) for name, values in numbers.items()}
    keep = ~(blank["effort"] | blank["performance"])
    if not keep.any():
        raise ValueError("has no row with both effort and performance, expected one at least")
    for name in ("performance", "effort"):
        count = int(np.sum(blank[name] & ~(blank["performance"] if name == "effort" else np.False_)))
        if count:
            notes.append(f"{count:,} of {len(table):,} rows have no {name} and are left out")
    sign = 1.0 if reading.direction == "up" else -1.0
    effort = numbers["effort"] / reading.effort_unit if reading.effort_unit != 1 else numbers["effort"]
    performance = numbers["performance"] if sign > 0 else 0.0 - numbers["performance"]
    table = replace(table, columns={**table.columns, "effort": effort, "performance": performance})
    return table.keep(keep)
