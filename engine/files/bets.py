"""Files that hold a bet: told from a portfolio's by a column, or a key, that only they have.

**Approaches** (`engine.Approaches`): a table with a column `approach`, in which a project has a row for each
of its approaches, or several of measurements; a blank approach is one without a name. `cost` is the same in
all rows of a project. In a YAML file a project has `approaches`, a mapping by name, and beside it `cost`, or
`weight` where that is the same for all; a project without them is one approach.

**Draws** (`engine.Uncertain`): a table with a column `draw`, in which a project has a row for each of its
draws, or the draws.parquet of `engine fit` and `engine responses`; draws of one name belong together,
whatever the project. In a YAML file a project has `draws`, a list of its curves, in the same order for all
projects, and beside it `cost`, `lower`, `upper` and `weight`.

**Rules** (`engine.Ruled`): the columns, or keys, and the mapping `rules` that `engine.files.rules` lists.

**Spill-over** (`engine.Coupled`): a column `spillover`, or that key of a YAML file; see `spillovers`.

**Several resources** (`engine.Resourced`): columns `cost.people` and `cost.money`, or a `cost` that is a
mapping in a YAML file; see `resources`.
**Carry-over** (`engine.Spread`): a column `carry`, or that key of projects in a YAML file; see `periods`.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.bets.approaches import Approaches, normalise_approaches
from engine.bets.spillover import Coupled, normalise_coupled
from engine.bets.uncertain import SHARED, Uncertain, normalise_uncertain
from engine.files.headers import missing
from engine.files.periods import CARRIES, take_carries
from engine.files.portfolios import (
    APPROACH,
    APPROACHES,
    DRAW,
    DRAWS,
    KNOWN,
    SHARED_RULES,
    YAML,
    Held,
    cell_text,
    columns_of,
    errors_of,
    held_in,
    load_portfolio,
    portfolio_rows,
    rows_in,
    save_portfolio,
    write,
    yaml_text,
)
from engine.files.reading import Reading, arrange
from engine.files.resources import COST, of_resources, take_usage, uses_resources
from engine.files.rows import RISING, Row, build, rows_of
from engine.files.rules import RULES, ruled, take_columns, take_rules
from engine.files.shipped import as_path, portfolio_path
from engine.files.spillovers import SPILLOVER, take_spillover
from engine.files.tables import Table, text_table
from engine.model.curves import FAMILIES
from engine.model.curves.mixture import Mixture
from engine.model.portfolio import Portfolio
from engine.periods.spread import Spread, normalise_spread
from engine.resources.resources import Resourced, normalise_resourced
from engine.rules.ruled import Ruled

Holds = Portfolio | Approaches | Coupled | Resourced | Ruled | Spread | Uncertain
Reader = Callable[[Held, Reading, str, list[str], list[str]], Holds]
# What may stand beside the approaches of a project in a YAML file.
BESIDE = ("cost", "weight")
BESIDE_DRAWS = (*SHARED, "weight")
# What `engine fit` and `engine responses` call their draws.
FITTED = "draws.parquet"
# Project and approach of each row, by the row's name.
Places = dict[str, tuple[str, str]]


def load_bet(path: str | Path, **reading: Any) -> Holds:
    """Read what a file holds, from a YAML file or a table: a bet, or else a portfolio.

    **Arguments:** `path` and `reading`, as of `load_portfolio`; of what ships, `moonshot` and `platform` are
    bets, `uncertain` draws of curves.

    **Returns:** an `Approaches`, `Coupled`, `Resourced`, `Ruled`, `Spread`, `Uncertain` or `Portfolio` of
    float64 arrays, with names.

    **Warns:** as `load_portfolio` does.

    **Raises:** `ValueError` in one line naming the file, the place, what is wrong and what was expected.
    """
    path, how, notes = portfolio_path(path, "a bet's file"), Reading(**reading), list[str]()
    found: list[str] = []
    if path.name == FITTED:
        how.refuse(FITTED)
        return read_fitted(path)
    with errors_of(path, notes):
        held = held_in(path, how, notes)
        bet = reader_of(held)(held, how, path.stem, notes, found)
    for note in [*(f"{path}: {note}" for note in notes), *found]:
        warnings.warn(note, stacklevel=2)
    return bet


def load_drawn(path: str | Path, **reading: Any) -> Portfolio | Uncertain:
    """Read a portfolio or draws of curves; other bets are refused as `load_portfolio` refuses them."""
    held = load_bet(path, **reading)
    return held if isinstance(held, (Portfolio, Uncertain)) else load_portfolio(path, **reading)


def reader_of(held: Held) -> Reader:
    """Who reads what a file holds, by what is there."""
    keys = held.columns.keys() if isinstance(held, Table) else {key for row in held.values() for key in row}
    readers: dict[str, Reader] = {
        APPROACH: read_approaches,
        APPROACHES: read_approaches,
        DRAW: read_uncertain,
        DRAWS: read_uncertain,
        SPILLOVER: read_coupled,
        SHARED_RULES: read_ruled,
        **dict.fromkeys(RULES, read_ruled),
        **dict.fromkeys(CARRIES, read_spread),
    }
    there = [key for key in readers if key in keys]
    resources = of_resources(keys) if isinstance(held, Table) else [COST] * uses_resources(held)
    readers |= dict.fromkeys(resources, read_resourced)
    there += resources
    if resources and any(key in (SHARED_RULES, *RULES) for key in there):
        return read_ruled
    if len({readers[key] for key in there}) > 1:
        raise ValueError(f"has {' and '.join(there)}, expected one of them")
    return readers[there[0]] if there else read_portfolio


def read_portfolio(held: Held, how: Reading, title: str, notes: list[str], found: list[str]) -> Portfolio:
    """A portfolio; what is odd about its file is added to `notes`, about its projects to `found`."""
    return build(portfolio_rows(held, how, title, notes), found)


def read_approaches(held: Held, how: Reading, title: str, notes: list[str], found: list[str]) -> Approaches:
    """Approaches; see `read_portfolio`."""
    if isinstance(held, Table):
        rows, places = _table_rows(held, APPROACH, how, notes)
    else:
        rows, places = _mapped_rows(held)
    flat = build(steady(rows), found)
    projects, labels = zip(*(places[name] for name in rows), strict=True)
    return Approaches.of(flat, projects, labels)


def read_ruled(held: Held, how: Reading, title: str, notes: list[str], found: list[str]) -> Ruled:
    """A portfolio with rules; see `read_portfolio`."""
    if isinstance(held, Table):
        if "project" not in held.columns:
            raise missing(held, "project", KNOWN)
        table, own = take_columns(held)
        rows, resources, usage = take_usage(rows_in(table, how, title, notes))
        return ruled(build(steady(rows), found), own, usage=usage, resources=resources)
    rows, own = take_rules(held)
    shared = next((row.pop(SHARED_RULES) for row in rows.values() if SHARED_RULES in row), None)
    rows, resources, usage = take_usage(rows)
    return ruled(build(steady(rows), found), own, shared, usage=usage, resources=resources)


def read_coupled(held: Held, how: Reading, title: str, notes: list[str], found: list[str]) -> Coupled:
    """A portfolio with spill-over; see `read_portfolio`."""
    rows = rows_in(held, how, title, notes) if isinstance(held, Table) else held
    plain, matrix = take_spillover(rows)
    return normalise_coupled(Coupled(build(steady(plain), found), matrix))  # type: ignore[arg-type]


def read_resourced(held: Held, how: Reading, title: str, notes: list[str], found: list[str]) -> Resourced:
    """A portfolio that uses several resources; see `read_portfolio`."""
    rows = rows_in(held, how, title, notes) if isinstance(held, Table) else held
    plain, resources, usage = take_usage(rows)
    return normalise_resourced(Resourced(build(steady(plain), found), usage, resources))  # type: ignore[arg-type]


def read_spread(held: Held, how: Reading, title: str, notes: list[str], found: list[str]) -> Spread:
    """A portfolio whose effort carries over; see `read_portfolio`."""
    rows = rows_in(held, how, title, notes) if isinstance(held, Table) else held
    plain, carry, carried = take_carries(rows)
    return normalise_spread(Spread(build(steady(plain), found), carry, carried))  # type: ignore[arg-type]


def read_uncertain(held: Held, how: Reading, title: str, notes: list[str], found: list[str]) -> Uncertain:
    """Curves known by draws; see `read_portfolio`."""
    rows, places = _table_rows(held, DRAW, how, notes) if isinstance(held, Table) else _listed_rows(held)
    flat = build(steady(rows), found)
    projects, draws = zip(*(places[name] for name in rows), strict=True)
    return Uncertain.of(flat, projects, draws)


def steady(rows: dict[str, Row]) -> dict[str, Row]:
    """The rows of a bet, or a `ValueError` for prices that rise."""
    for name, row in rows.items():
        if row.get(RISING) is not None:
            raise ValueError(f"{name}: has {RISING}, expected a steady price of what is a bet")
    return rows


def read_fitted(path: Path) -> Uncertain:
    """The draws that `engine fit` or `engine responses` wrote."""
    from engine.files.draws import read_draws

    names, draws = read_draws(str(path))
    curves = [FAMILIES[family](**numbers) for family, numbers in draws.numbers.items()]
    whole = curves[0] if len(curves) == 1 else Mixture(tuple(curves), draws.choice)  # type: ignore[arg-type]
    return normalise_uncertain(Uncertain(Portfolio(whole), names=names))


def place_name(project: str, approach: str) -> str:
    """What an approach of a project is called in messages, and as a row."""
    return f"{project}/{approach}" if project and approach else project


def _table_rows(table: Table, of: str, how: Reading, notes: list[str]) -> tuple[dict[str, Row], Places]:
    """The rows of a table with a column of approaches or draws, each read as a project of its own."""
    if "project" not in table.columns:
        raise missing(table, "project", KNOWN)
    pairs = list(zip(_words(table, "project"), _words(table, of), strict=True))
    names = [place_name(*pair) for pair in pairs]
    columns = {name: column for name, column in table.columns.items() if name != of}
    rows = rows_in(replace(table, columns={**columns, "project": names}), how, None, notes)
    return rows, dict(zip(names, pairs, strict=True))


def _words(table: Table, name: str) -> list[str]:
    words, codes = table.words(name)
    return [words[code] for code in codes]


def _mapped_rows(held: dict[str, Row]) -> tuple[dict[str, Row], Places]:
    """The rows of the approaches in a YAML file, with what stands beside them."""
    rows: dict[str, Row] = {}
    places: Places = {}
    for project, row in held.items():
        if APPROACHES not in row:
            rows[project], places[project] = row, (project, "")
            continue
        for label, own in _ways(project, row).items():
            name = place_name(project, label)
            if name in rows:
                raise ValueError(f"{name} occurs twice, expected names that differ")
            beside = {key: row[key] for key in BESIDE if key in row}
            rows[name], places[name] = {**beside, **own}, (project, label)
    return rows, places


def _listed_rows(held: dict[str, Row]) -> tuple[dict[str, Row], Places]:
    """The rows of the draws in a YAML file, with what stands beside them."""
    rows: dict[str, Row] = {}
    places: Places = {}
    for project, row in held.items():
        listed = row.get(DRAWS)
        if not isinstance(listed, list) or not listed or not all(isinstance(own, dict) for own in listed):
            raise ValueError(f"{project}: {DRAWS} is no list of curves, expected one, as of other projects")
        for key in row:
            if key not in (DRAWS, *BESIDE_DRAWS):
                raise ValueError(
                    f"{project}: has {key} beside its draws, expected {', '.join(BESIDE_DRAWS)} only there"
                )
        beside = {key: row[key] for key in BESIDE_DRAWS if key in row}
        for number, own in enumerate(listed):
            name = place_name(project, f"draw {number}")
            rows[name], places[name] = {**beside, **own}, (project, str(number))
    return rows, places


def _ways(project: str, row: Row) -> dict[str, Row]:
    """The approaches of a project in a YAML file."""
    ways = row[APPROACHES]
    if not isinstance(ways, dict) or not ways or not all(isinstance(own, dict) for own in ways.values()):
        raise ValueError(f"{project}: {APPROACHES} is no mapping of names to their keys, expected one")
    for key in row:
        if key not in (APPROACHES, *BESIDE):
            expected = " and ".join(BESIDE)
            raise ValueError(f"{project}: has {key} beside its approaches, expected {expected} only there")
    return ways


def save_bet(bet: Holds, path: str | Path) -> None:
    """Write approaches, or a portfolio, to a CSV or YAML file, by the name's ending: `load_bet` reads it.

    **Raises:** `ValueError` in one line naming the file, for what cannot be written: see `save_portfolio`.
    """
    if isinstance(bet, (Coupled, Resourced, Ruled, Spread, Uncertain)):
        raise ValueError(f"a bet is {type(bet).__name__}, expected approaches or a portfolio to write")
    if not isinstance(bet, Approaches):
        save_portfolio(bet, path)
        return
    path = as_path(path, "a file to write")
    with errors_of(path, []):
        given = normalise_approaches(bet)
        rows = dict(zip(given.places, rows_of(given.entries()).values(), strict=True))
        text = _yaml_of(rows) if path.suffix.lower() in YAML else _csv_of(rows)
    write(path, text)


def _yaml_of(rows: dict[tuple[str, ...], Row]) -> str:
    mapped: dict[str, Row] = {}
    for (project, *label), row in rows.items():
        if not label:
            mapped[project] = row
            continue
        own = mapped.setdefault(project, {APPROACHES: {}})
        if "cost" in row:
            own["cost"] = row.pop("cost")
        own[APPROACHES][label[0]] = row
    return yaml_text(mapped)


def _csv_of(rows: dict[tuple[str, ...], Row]) -> str:
    text, named = io.StringIO(), {"/".join(place): row for place, row in rows.items()}
    columns = columns_of(named)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["project", APPROACH, *columns])
    for place, row in rows.items():
        cells = [cell_text(row[key]) if key in row else "" for key in columns]
        writer.writerow([*(*place, "")[:2], *cells])
    table = arrange(text_table(text.getvalue()), Reading(), KNOWN)
    read = zip(_words(table, "project"), _words(table, APPROACH), strict=True)
    for place, found in zip(rows, read, strict=True):
        if (*place, "")[:2] != found:
            raise ValueError(f"{'/'.join(place)!r} cannot be named so in a CSV file, expected a YAML file")
    return text.getvalue()
