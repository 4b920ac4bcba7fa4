"""Measurements: what effort brought what performance, as users hold it in spreadsheets and logs of training.

Long form, one row a measurement: project, effort, performance; optionally standard_error of the performance,
weight, and replicate, which tells apart rows of the same project and effort. Where there is no project, the
name of the file is one. How other columns become these is said in `reading`,
which files are read in `tables`.
"""

from __future__ import annotations

import glob
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from engine.files.headers import ignored_note, missing, nearly
from engine.files.names import some
from engine.files.numbers import is_nothing, looks_like_number
from engine.files.reading import Reading, arrange, measured
from engine.files.runs import falls_back, repeats, resolved
from engine.files.shipped import as_path
from engine.files.tables import Table, as_table, read_table

if TYPE_CHECKING:
    import pyarrow as pa

KNOWN = ("project", "effort", "performance", "standard_error", "weight", "replicate")


@dataclass(frozen=True)
class Measurements:
    """The mean performance of every project at each of its efforts, in rising order of effort.

    Rows are as long as the longest; `weight` is 0 past a row's end. Elsewhere it is the number of replicates
    times their mean weight, over the mean square of their standard errors where there are some. `repeats`
    says how many rows of a project there are beyond one at each effort, `scatter` what the standard deviation
    of replicates about their means is. `error` is the standard error of each mean, where standard errors or
    replicates of every project tell it.
    """

    names: tuple[str, ...]
    effort: Float[np.ndarray, "projects points"]
    performance: Float[np.ndarray, "projects points"]
    weight: Float[np.ndarray, "projects points"]
    repeats: Int[np.ndarray, " projects"] | None = None
    scatter: Float[np.ndarray, " projects"] | None = None
    error: Float[np.ndarray, "projects points"] | None = None

    @property
    def counts(self) -> np.ndarray:
        """How many efforts each project was measured at."""
        return np.sum(self.weight > 0, axis=1)

    def table(self) -> pa.Table:
        """Long form again: a row a project and effort, with its weight and standard error."""
        import pyarrow as pa

        project, place = np.nonzero(self.weight > 0)
        numbers = {n: getattr(self, n)[project, place] for n in ("effort", "performance", "weight")}
        if self.error is not None:
            # Read again, a weight is divided by the square of the error beside it.
            numbers["standard_error"] = self.error[project, place]
            numbers["weight"] = numbers["weight"] * numbers["standard_error"] ** 2
        return pa.table({"project": pa.array([self.names[i] for i in project]), **numbers})


@dataclass(frozen=True)
class Rows:
    """Measurements row by row, in the order of their files; `code` says which of `names` each is of."""

    names: tuple[str, ...]
    code: np.ndarray
    effort: np.ndarray
    performance: np.ndarray
    weight: np.ndarray
    error: np.ndarray | None
    replicate: np.ndarray | None
    others: Table


def load_measurements(path: str | Path | Sequence[str | Path], **reading: Any) -> Measurements:
    """Read measurements from a CSV, JSON, Parquet or spreadsheet file, or from several.

    **Arguments:** `path`, a file, a pattern of files as `runs/*.csv`, or a list of them. `reading`, what
    `engine.Reading` holds: `columns`, `where`, `direction`, `effort_unit`, `restarts`, `decimal`, `sheet`.

    **Warns:** of rows that are left out, of columns that are not read, and of counters that fall back.

    **Raises:** `ValueError` in one line naming the file, the row, what is wrong and what was expected.
    """
    how, notes = Reading(**reading), list[str]()
    paths = _paths(path)
    parts = []
    for one, title in zip(paths, _titles(paths), strict=True):
        with _source(str(one), notes) as found:
            parts.append(_rows(read_table(one, how.decimal, how.sheet), how, title, found))
    with _source(str(paths[0]) if len(paths) == 1 else f"{len(paths)} files", notes) as found:
        result = gather(parts, how, found)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return result


def as_measurements(data: Measurements | str | Path | Any, **reading: Any) -> Measurements:
    """Measurements as they are, from files, or from a data frame or Arrow table with the columns of a file.

    **Raises:** `ValueError` in one line naming the file, the row, what is wrong and what was expected.
    """
    if isinstance(data, Measurements):
        if reading:
            raise ValueError(f"{next(iter(reading))} is given, expected none for measurements that are read")
        return data
    if isinstance(data, (str, Path, list, tuple)):
        return load_measurements(data, **reading)
    how, notes = Reading(**reading), list[str]()
    result = gather([_rows(as_table(data, how.decimal, how.sheet), how, None, notes)], how, notes)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    return result


@contextmanager
def _source(name: str, notes: list[str]) -> Iterator[list[str]]:
    """A list for notes of a file; they and errors will begin with its name."""
    found: list[str] = []
    try:
        yield found
    except ValueError as error:
        text, start = str(error), f"{Path(name).expanduser()}: "
        raise ValueError(text if text.startswith(start) else f"{name}: {text}") from None
    notes += [f"{name}: {note}" for note in found]


def _paths(path: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files that are meant, those of a pattern in the order of their names."""
    paths: list[Path] = []
    for each in path if isinstance(path, (list, tuple)) else [path]:
        one = as_path(each, "a file of measurements")
        found = [] if one.exists() else sorted(glob.glob(str(one), recursive=True))
        paths += [Path(name) for name in found] or [one]
    if not paths:
        raise ValueError("data has no files, expected one at least")
    return paths


def _titles(paths: list[Path]) -> list[str]:
    """The name of each file without its ending, with as many of its folders as tell the files apart."""
    plain = [path.with_suffix("") for path in paths]
    for depth in range(1, max(len(path.parts) for path in plain) + 1):
        titles = ["/".join(path.parts[-depth:]) for path in plain]
        if len(set(titles)) == len(set(plain)):
            break
    ends = {title.rpartition("/")[2] for title in titles}
    # Of v0/metrics and v1/metrics, the folders say all.
    folders = len(titles) > 1 and len(ends) == 1 and all("/" in title for title in titles)
    return [title.rpartition("/")[0] if folders else title for title in titles]


def _rows(table: Table, how: Reading, title: str | None, notes: list[str]) -> Rows:
    """The rows of one table.

    **Raises:** `ValueError` naming the row or column that cannot be.
    """
    notes += table.notes
    table = arrange(table, how, KNOWN)
    for name in ("effort", "performance"):
        if name not in table.columns:
            raise missing(table, name, KNOWN)
    names, code = _projects(table, title, notes)
    table = measured(replace(table, columns={**table.columns, "project": code}), how, notes)
    names, code = _present(names, table.columns["project"], notes)
    effort = table.numbers("effort")
    for name in ("effort", "performance"):
        _check(table, name, np.isfinite(table.numbers(name)), "a finite number")
    _check(table, "effort", effort >= 0, "a number of at least 0")
    others = {name: column for name, column in table.columns.items() if name not in KNOWN}
    named = bool(how.columns.get("performance"))
    notes += ignored_note(others, table.columns, KNOWN, not named)
    return Rows(
        tuple(names),
        code,
        effort,
        table.numbers("performance"),
        _positive(table, "weight") if "weight" in table.columns else np.ones(effort.size),
        _positive(table, "standard_error") if "standard_error" in table.columns else None,
        table.words("replicate")[1] if "replicate" in table.columns else None,
        Table(others, table.places, table.unit),
    )


def _projects(table: Table, title: str | None, notes: list[str]) -> tuple[list[str], np.ndarray]:
    """The names of the projects, and which one each row is of; the file's own name where none are given."""
    if "project" in table.columns:
        names, code = table.words("project")
        if "" in names:
            row = int(np.argmax(code == names.index("")))
            raise ValueError(f"{table.place(row)} has no project, expected its name")
        return names, code
    if title is None or nearly(table, "project"):
        raise missing(table, "project", KNOWN)
    told = [name for name in _texts(table) if 1 < len(table.words(name)[0]) < len(table)]
    if told:
        notes.append(f"has no column project: every row is of {title}; if not, say columns.project={told[0]}")
    return [title], np.zeros(len(table), int)


def _present(names: list[str], code: np.ndarray, notes: list[str]) -> tuple[list[str], np.ndarray]:
    """The projects that have a measurement."""
    present, place = np.unique(code, return_inverse=True)
    if len(present) < len(names):
        lost = [name for at, name in enumerate(names) if at not in set(present.tolist())]
        notes.append(f"{some(lost)}: no measurement is left, so no project")
    return [names[at] for at in present], place


def _texts(table: Table) -> list[str]:
    """The columns that are not known and begin with a word."""
    unknown = [name for name in table.columns if name not in KNOWN and name not in table.twice]
    return [name for name in unknown if _is_text(table.columns[name])]


def _is_text(column: Any) -> bool:
    cells = (cell.as_py() if hasattr(cell, "as_py") else cell for cell in column)
    first = next((cell for cell in cells if cell is not None and str(cell).strip()), None)
    return isinstance(first, str) and not looks_like_number(first) and not is_nothing(first)


def _positive(table: Table, name: str) -> np.ndarray:
    values = table.numbers(name)
    _check(table, name, np.isfinite(values) & (values > 0), "a number above 0")
    return values


def _check(table: Table, name: str, good: np.ndarray, expected: str) -> None:
    if not good.all():
        row = int(np.argmin(good))
        cell = table.numbers(name)[row]
        raise ValueError(f"{table.place(row)} has {name} {cell:g}, expected {expected}")


def gather(parts: list[Rows], how: Reading, notes: list[str]) -> Measurements:
    """Rows of all files as one row of means a project, in the order that projects first occur.

    **Raises:** `ValueError` where rows of the same project and effort are told apart by a column of words.
    """
    index: dict[str, int] = {}
    places = [np.array([index.setdefault(name, len(index)) for name in part.names]) for part in parts]
    code = np.concatenate([place[part.code] for place, part in zip(places, parts, strict=True)])
    effort = np.concatenate([part.effort for part in parts])
    if repeats(code, effort):
        for part in parts:
            if part.replicate is None:
                _check_one_metric(part)
    runs = _runs(parts, code)
    effort, keep = resolved(runs, effort, how.restarts)
    if how.restarts is None and repeats(runs, effort):
        fell = falls_back(runs, effort)
        if fell.any():
            name = list(index)[code[np.argmax(fell)]]
            notes.append(
                f"effort of {name} falls back and repeats: rows of one effort are averaged as replicates; "
                "say restarts=continue if a counter began again, replace if work was done again, or average"
            )
    performance, weight = (np.concatenate([getattr(p, n) for p in parts]) for n in ("performance", "weight"))
    with_error = [part.error is not None for part in parts]
    if any(with_error) and not all(with_error):
        raise ValueError("some files have a standard_error and some have none, expected all or none")
    error = np.concatenate([p.error for p in parts if p.error is not None])[keep] if all(with_error) else None
    return _means(tuple(index), code[keep], effort[keep], performance[keep], weight[keep], error)


def _runs(parts: list[Rows], code: np.ndarray) -> np.ndarray:
    """Which run each row is of: a replicate of a project, or all of it."""
    if all(part.replicate is None for part in parts):
        return code
    which = [np.zeros(p.code.size, int) if p.replicate is None else p.replicate for p in parts]
    replicate = np.concatenate(which)
    return code * (int(replicate.max()) + 1) + replicate


def _check_one_metric(part: Rows) -> None:
    """Rows of several metrics below each other are no replicates."""
    order = np.lexsort((part.effort, part.code))
    same = (np.diff(part.code[order]) == 0) & (np.diff(part.effort[order]) == 0)
    most = np.max(np.diff(np.flatnonzero(np.concatenate([[True], ~same, [True]]))))
    for name in _texts(part.others):
        words, codes = part.others.words(name)
        if 1 < len(words) <= most and np.any(same & (np.diff(codes[order]) != 0)):
            choices = f"where.{name}={words[0]}, or columns.replicate={name} to average them"
            raise ValueError(
                f"rows of one project and effort are of several {name} ({some(words)}), expected {choices}"
            )


def _means(
    names: tuple[str, ...],
    code: np.ndarray,
    effort: np.ndarray,
    performance: np.ndarray,
    weight: np.ndarray,
    error: np.ndarray | None,
) -> Measurements:
    order = np.lexsort((effort, code))
    code, effort, performance, weight = (a[order] for a in (code, effort, performance, weight))
    new = np.concatenate([[True], (np.diff(code) != 0) | (np.diff(effort) != 0)])
    starts = np.flatnonzero(new)

    def total(values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, starts)

    mean, precision = total(weight * performance) / total(weight), total(weight)
    count = np.diff(np.append(starts, effort.size))
    apart = performance - np.repeat(mean, count)
    squares = np.bincount(code, apart**2, minlength=len(names))
    repeats = np.bincount(code[~new], minlength=len(names))
    scatter = np.sqrt(squares / np.maximum(repeats, 1))
    code, effort = code[starts], effort[starts]
    known = None
    if error is not None:
        together = total(error[order] ** 2)
        precision, known = precision * count / together, np.sqrt(together) / count
    elif np.all(scatter > 0):
        known = scatter[code] / np.sqrt(count)
    lengths = np.bincount(code, minlength=len(names))
    place = np.arange(code.size) - np.concatenate([[0], np.cumsum(lengths)])[code]

    def padded(values: np.ndarray) -> np.ndarray:
        whole = np.zeros((len(names), int(lengths.max())))
        whole[code, place] = values
        return whole

    errors = None if known is None else padded(known)
    return Measurements(names, padded(effort), padded(mean), padded(precision), repeats, scatter, errors)
