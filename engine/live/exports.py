"""What the live page saves: what its sliders stand for as a table, and the allocation as `engine allocate`
prints it."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np

from engine.allocation.allocate import allocate
from engine.allocation.place import bet
from engine.files.portfolios import DRAW, cell_text, columns_of, save_portfolio
from engine.files.rows import rows_of
from engine.live.draws import LiveDraws, Stance
from engine.live.model import Live, State


def table_csv(live: Live | LiveDraws, state: Any) -> str:
    """What the sliders stand for as a CSV file that `portfolio=` reads: a portfolio, or draws.

    **Raises:** `ValueError` for what files cannot hold.
    """
    if isinstance(live, LiveDraws):
        return _draws_csv(live)
    portfolio = dataclasses.replace(live.portfolio_of(state), names=live.names)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "portfolio.csv"
        try:
            save_portfolio(portfolio, path)
        except ValueError as error:
            raise ValueError(str(error).replace(str(path), path.name)) from None
        return path.read_text(encoding="utf-8")


def _draws_csv(live: LiveDraws) -> str:
    """One row a draw and project; costs and bounds, which all draws share, in each."""
    each = live.draws.each()
    rows: dict[str, Any] = {}
    for number in range(live.draws.count):
        one = jax.tree.map(lambda a, n=number: np.asarray(a)[n], each)
        for name, row in rows_of(dataclasses.replace(one, names=live.names)).items():
            rows[f"{len(rows)}"] = {"project": name, DRAW: str(number), **row}
    columns = ["project", DRAW, *(key for key in columns_of(rows) if key not in ("project", DRAW))]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell_text(row[key]) if key in row else "" for key in columns] for row in rows.values())
    return text.getvalue()


def allocation_json(live: Live | LiveDraws, state: Any) -> str:
    """What `engine allocate format=json` prints for what the sliders stand for."""
    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("always")
        answer = _bet(live, state) if isinstance(live, LiveDraws) else _allocation(live, state)
    told = [*(str(note.message) for note in noted), *getattr(answer, "notes", ())]
    return json.dumps({**answer.to_dict(), "warnings": told})


def _allocation(live: Live, state: State) -> Any:
    portfolio = dataclasses.replace(live.portfolio_of(state), names=live.names)
    return allocate(portfolio, state.budget, "exact", unit=None if live.unit == 1 else live.unit)


def _bet(live: LiveDraws, state: Stance) -> Any:
    given = dataclasses.replace(live.draws, names=live.names)
    return bet(given, state.budget, objective="mean_cvar", aversion=state.aversion, tail=state.tail)
