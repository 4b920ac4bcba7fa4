"""Draws of curves on disk: one row a draw and project, its family, and that family's numbers in columns."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int

from engine.model.curves import FAMILIES
from engine.model.portfolio import Portfolio
from engine.model.validation import check, normalise


class Draws(NamedTuple):
    """Curves drawn for every project, whose family may differ from draw to draw.

    `choice` is the place of each curve's family in `numbers`, which holds the numbers of every family, each
    [draws, projects]; where a family is not a curve's own they are numbers that nothing reads.
    """

    choice: Int[np.ndarray, "draws projects"]
    numbers: dict[str, dict[str, np.ndarray]]

    def families(self) -> np.ndarray:
        """The name of each curve's family, [draws, projects]."""
        return np.array(list(self.numbers))[self.choice]


def write_draws(path: Path, names: tuple[str, ...], draws: Draws) -> None:
    """Write the draws of these projects."""
    columns: dict[str, np.ndarray] = {}
    for place, numbers in enumerate(draws.numbers.values()):
        for name, values in numbers.items():
            column = columns.setdefault(name, np.full(draws.choice.shape, np.nan))
            np.copyto(column, values, where=draws.choice == place)
    count = len(draws.choice)
    table = {
        "draw": np.repeat(np.arange(count, dtype=np.int32), len(names)),
        "project": _coded(np.tile(np.arange(len(names)), count), names),
        "family": _coded(draws.choice.reshape(-1), draws.numbers),
        **{name: values.reshape(-1) for name, values in columns.items()},
    }
    pq.write_table(pa.table(table), path)


def _coded(places: np.ndarray, words: Iterable[str]) -> pa.DictionaryArray:
    """A column of words, given by their places."""
    return pa.DictionaryArray.from_arrays(places.astype(np.int32), list(words))


def read_draws(path: str) -> tuple[tuple[str, ...], Draws]:
    """(names of the projects, their draws).

    **Raises:** `ValueError` in one line naming the file.
    """
    try:
        table = pq.ParquetFile(path).read(use_threads=False)
        names = tuple(dict.fromkeys(table["project"].to_pylist()))
        shape = table.num_rows // len(names), len(names)
        families = np.array(table["family"].to_pylist())
        used = list(dict.fromkeys(families.tolist()))
        if shape[0] * shape[1] != table.num_rows or not all(map(_is_drawn, used)):
            raise ValueError
        numbers: dict[str, dict[str, np.ndarray]] = {}
        for family in used:
            own = families == family
            wanted = [*FAMILIES[family].parameters(), "baseline"]
            columns = {n: table[n].to_numpy().astype(float) for n in wanted}
            # Elsewhere, the numbers of the first that is of the family.
            filled = {n: np.where(own, values, values[own][0]) for n, values in columns.items()}
            numbers[family] = {n: values.reshape(shape) for n, values in filled.items()}
        choice = np.array([used.index(family) for family in families.tolist()], np.int32).reshape(shape)
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise ValueError(f"{path}: cannot be read ({reason}), expected draws of engine fit") from None
    except (KeyError, ValueError, pa.ArrowInvalid, ZeroDivisionError):
        raise ValueError(f"{path}: is no draws.parquet of engine fit") from None
    for place, (family, values) in enumerate(numbers.items()):
        own = choice == place
        curves = FAMILIES[family](**{name: of[own] for name, of in values.items()})
        try:
            check(normalise(Portfolio(curves, names=tuple(names[n] for n in np.nonzero(own)[1]))))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    return names, Draws(choice, numbers)


def _is_drawn(family: str) -> bool:
    """Whether draws of a family are numbers, one a parameter."""
    known = FAMILIES.get(family)
    return known is not None and not any(field.metadata["axes"] for field in known.parameters().values())
