"""A log of spending: what every project got in each period of a plan, and what was measured of it.

Long form, one row a project and period: project, period, effort, seen; optionally standard_error. `effort` is
that of the period alone, and `seen` what the project returned in all at the period's end, blank where nobody
measured. Periods count from 1; a project that got nothing in a period needs no row. Rows of period 0 are
effort from before the plan: paid for, and known to the curves already.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from engine.files.headers import ignored_note, missing
from engine.files.names import nearest, some
from engine.files.reading import Reading, arrange
from engine.files.shipped import as_path
from engine.files.tables import Table, as_table, read_table

NEEDED = ("project", "period", "effort", "seen")
KNOWN = (*NEEDED, "standard_error")
MOST_PERIODS = 1_000


class ByPeriod(NamedTuple):
    """A log by period, from 0 on: `seen` is NaN where nothing was measured, `error` where none is known."""

    effort: Float[np.ndarray, "periods1 projects"]
    seen: Float[np.ndarray, "periods1 projects"]
    error: Float[np.ndarray, "periods1 projects"]


@dataclass(frozen=True)
class Spending:
    """A log row by row; `places` says where each stands. `seen` and `error` are NaN where a cell is blank.

    **Raises:** `ValueError` naming the first row that cannot be.
    """

    project: tuple[str, ...]
    period: Int[np.ndarray, " rows"]
    effort: Float[np.ndarray, " rows"]
    seen: Float[np.ndarray, " rows"]
    error: Float[np.ndarray, " rows"]
    places: tuple[str, ...]

    def __post_init__(self) -> None:
        first: dict[tuple[str, int], str] = {}
        for row, (name, place) in enumerate(zip(self.project, self.places, strict=True)):
            fault = self._fault(row)
            if fault:
                raise ValueError(f"{place} {fault}")
            pair = name, int(self.period[row])
            if pair in first:
                raise ValueError(
                    f"{place} has {name} in period {pair[1]} again, expected one row a project and period: "
                    f"see {first[pair].rpartition(': ')[2]}"
                )
            first[pair] = place

    def _fault(self, row: int) -> str | None:
        """What is wrong with a row by itself."""
        effort, seen, error = (float(values[row]) for values in (self.effort, self.seen, self.error))
        if not self.project[row]:
            return "has no project, expected its name"
        if not 0 <= effort < np.inf:
            saw = "no effort" if np.isnan(effort) else f"effort {effort:g}"
            return f"has {saw}, expected a number of at least 0"
        if np.isinf(seen):
            return f"has seen {seen:g}, expected a finite number, or none"
        if not np.isnan(seen) and self.period[row] == 0:
            return f"has seen {seen:g} in period 0, expected none: the curves know what was before the plan"
        if not np.isnan(seen) and effort == 0:
            return f"has seen {seen:g} and no effort, expected none: it tells what effort brought"
        if not np.isnan(error) and not 0 < error < np.inf:
            return f"has standard_error {error:g}, expected a number above 0"
        return None

    @property
    def last(self) -> int:
        """The last period that has a row; 0 where there is none."""
        return int(self.period.max(initial=0))

    @property
    def skipped(self) -> list[int]:
        """The periods without a row before the last."""
        return sorted(set(range(1, self.last)) - set(self.period.tolist()))

    def by_period(self, names: Sequence[str], periods: int) -> ByPeriod:
        """Arrays over periods 0 to `periods` and these projects.

        **Raises:** `ValueError` naming the first row of another project, or of a later period.
        """
        index = {name: place for place, name in enumerate(names)}
        for name, period, place in zip(self.project, self.period.tolist(), self.places, strict=True):
            if name not in index:
                raise ValueError(
                    f"{place} has project {name}, of which there is no curve, saw {some(names)}"
                    f"{nearest(name, names)}"
                )
            if period > periods:
                raise ValueError(
                    f"{place} has period {period}, the plan has {periods}: expected one of them, or "
                    f"planning.periods={period} or more"
                )
        at = self.period, np.array([index[name] for name in self.project], int)
        shape = periods + 1, len(names)
        found = ByPeriod(np.zeros(shape), np.full(shape, np.nan), np.full(shape, np.nan))
        for array, values in zip(found, (self.effort, self.seen, self.error), strict=True):
            array[at] = values
        return found


def nothing_spent() -> Spending:
    """The log before the first period."""
    none = np.zeros(0)
    return Spending((), np.zeros(0, int), none, none, none, ())


def load_spending(log: str | Path | Any, **reading: Any) -> Spending:
    """Read a log of spending from a CSV, JSON, Parquet or spreadsheet file, or from a data frame.

    **Arguments:** `reading`, what `engine.Reading` holds, but for `restarts`; `columns` names project,
    period, effort, seen and standard_error.

    **Warns:** of columns that are not read, and of periods without a row.

    **Raises:** `ValueError` in one line naming the file, the row, what is wrong and what was expected.
    """
    how = Reading(**reading)
    if how.restarts is not None:
        raise ValueError(f"restarts is {how.restarts!r}, expected none for a log of spending")
    if isinstance(log, (str, Path)):
        path = as_path(log, "a log of spending")
        source, table = f"{path}: ", read_table(path, how.decimal, how.sheet)
    else:
        source, table = "", as_table(log, how.decimal, how.sheet)
    notes: list[str] = [*table.notes]
    try:
        table = arrange(table, how, KNOWN)
        for name in NEEDED:
            if name not in table.columns:
                raise missing(table, name, KNOWN)
        columns = {"standard_error": np.full(len(table), np.nan), **table.columns}
        found = _spending(replace(table, columns=columns), how, source)
    except ValueError as error:
        text = str(error)
        raise ValueError(text if text.startswith(source) else f"{source}{text}") from None
    notes += ignored_note((name for name in table.columns if name not in KNOWN), table.columns, KNOWN, True)
    if found.skipped:
        notes.append(f"has no row of period {some(map(str, found.skipped))}: nothing was spent then")
    for note in notes:
        warnings.warn(f"{source}{note}", stacklevel=2)
    return found


def _spending(table: Table, how: Reading, source: str) -> Spending:
    """The log in a table with columns of ours.

    **Raises:** `ValueError` naming the row or column that cannot be.
    """
    words, codes = table.words("project")
    places = tuple(f"{source}{table.place(row)}" for row in range(len(table)))
    period, effort, seen, error = (table.numbers(name) for name in KNOWN[1:])
    whole = (period >= 0) & (period <= MOST_PERIODS) & (period == np.floor(period))
    if not whole.all():
        row = int(np.argmin(whole))
        saw = "no period" if np.isnan(period[row]) else f"period {period[row]:g}"
        raise ValueError(f"{places[row]} has {saw}, expected a whole number from 1 to {MOST_PERIODS:,}, or 0")
    sign = 1.0 if how.direction == "up" else -1.0
    project = tuple(words[code] for code in codes)
    unit = effort / how.effort_unit
    return Spending(project, period.astype(int), unit, 0.0 + sign * seen, error, places)
