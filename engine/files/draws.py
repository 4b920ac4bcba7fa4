"""Draws of fitted curves on disk: one row a draw and project, the numbers of its family in columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.model.curves import FAMILIES
from engine.model.portfolio import Portfolio
from engine.model.validation import check, normalise

Numbers = dict[str, dict[str, np.ndarray]]


def write_draws(path: Path, names: tuple[str, ...], families: list[str], draws: Numbers) -> None:
    """Write draws [draws, projects] of each family; `families` is the one chosen for each project."""
    count = len(next(iter(next(iter(draws.values())).values())))
    columns: dict[str, np.ndarray] = {}
    for family, numbers in draws.items():
        mine = np.array([chosen == family for chosen in families])
        for name, values in numbers.items():
            column = columns.setdefault(name, np.full((count, len(names)), np.nan))
            column[:, mine] = values[:, mine]
    table = {
        "draw": np.repeat(np.arange(count, dtype=np.int32), len(names)),
        "project": pa.array(list(names) * count).dictionary_encode(),
        "family": pa.array(families * count).dictionary_encode(),
        **{name: values.reshape(-1) for name, values in columns.items()},
    }
    pq.write_table(pa.table(table), path)


def read_draws(path: str) -> tuple[tuple[str, ...], np.ndarray, Numbers]:
    """(names of the projects, index of each one's family, numbers [draws, projects] by family).

    Where a family is not a project's own, it has the numbers of a project whose own it is.

    **Raises:** `ValueError` in one line naming the file.
    """
    try:
        table = pq.ParquetFile(path).read(use_threads=False)
        names = tuple(dict.fromkeys(table["project"].to_pylist()))
        count = table.num_rows // len(names)
        families = table["family"].to_pylist()[: len(names)]
        used = list(dict.fromkeys(families))
        if len(names) * count != table.num_rows or not all(map(_is_drawn, used)):
            raise ValueError
        choice = np.array([used.index(family) for family in families], np.int32)
        numbers: Numbers = {}
        for index, family in enumerate(used):
            own = np.flatnonzero(choice == index)
            source = np.where(choice == index, np.arange(len(names)), own[0])
            wanted = [*FAMILIES[family].parameters(), "baseline"]
            numbers[family] = {
                n: table[n].to_numpy().reshape(count, len(names))[:, source].astype(float) for n in wanted
            }
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise ValueError(f"{path}: cannot be read ({reason}), expected draws of engine fit") from None
    except (KeyError, ValueError, pa.ArrowInvalid, ZeroDivisionError):
        raise ValueError(f"{path}: is no draws.parquet of engine fit") from None
    for index, (family, values) in enumerate(numbers.items()):
        own = np.flatnonzero(choice == index)
        curves = FAMILIES[family](**{name: value[:, own] for name, value in values.items()})
        try:
            check(normalise(Portfolio(curves, names=tuple(names[project] for project in own))))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    return names, choice, numbers


def _is_drawn(family: str) -> bool:
    """Whether draws of a family are numbers, one a parameter."""
    known = FAMILIES.get(family)
    return known is not None and not any(field.metadata["axes"] for field in known.parameters().values())
