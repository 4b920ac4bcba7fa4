"""Which column is which: headers in capitals and with spaces, near misses, and columns that a user names."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from engine.files.names import nearby, nearest, plain_name, some
from engine.files.tables import INDEX, Table

# As pandas calls the index of a frame that it reads again.
UNNAMED = re.compile(r"(Unnamed: \d+)?")
# What others call these, which is offered and never taken.
USUAL = {
    "project": ("run", "run_name", "trial", "name", "model", "learner", "channel"),
    "effort": ("step", "global_step", "epoch", "iteration", "size_train", "train_size", "spend", "tokens"),
    "performance": ("value", "val_accuracy", "val_acc", "accuracy", "score", "test_score", "outcome"),
    "period": ("week", "month", "quarter", "round", "year"),
    "seen": ("performance", "measured", "return", "value", "val_accuracy", "accuracy", "score"),
}
LIKENESS = 0.8


def find(table: Table, name: str, key: str) -> str:
    """The header of the column that a key of the user's names, exactly or but for capitals and signs.

    **Raises:** `ValueError` that says which columns there are, and the nearest.
    """
    if name in table.columns:
        return name
    alike = [header for header in table.columns if plain_name(header) == plain_name(name) != ""]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise ValueError(f"{key} {name!r} could be {some(alike)}, expected one of them")
    raise ValueError(
        f"has no column {name!r} for {key}, saw {some(table.columns)}{nearest(name, table.columns)}"
    )


def known_columns(table: Table, given: Mapping[str, Any], known: Collection[str]) -> dict[str, str]:
    """The header of every known column that there is, by its name; those given are the user's own words.

    A given header with a `*` in it, which stands for several columns, is left as it is.

    **Raises:** `ValueError` for one given that is not there, and for two headers that say the same.
    """
    found: dict[str, str] = {}
    for name, header in given.items():
        if name not in known:
            raise ValueError(
                f"columns.{name} is unknown, expected columns.{' or columns.'.join(nearby(name, known))}"
            )
        if header is not None:
            header = str(header)
            wild = "*" in header and header not in table.columns
            found[name] = header if wild else find(table, header, f"columns.{name}")
    for name in known:
        alike = [header for header in table.columns if plain_name(header) == name]
        if name in found or not alike:
            continue
        if len(alike) > 1 and name not in table.columns:
            raise ValueError(f"has columns {some(alike)} for {name}, expected one of them")
        found[name] = name if name in table.columns else alike[0]
    return found


def missing(table: Table, name: str, known: Collection[str]) -> ValueError:
    """What to say where there is no column of this name."""
    spare = [header for header in table.columns if plain_name(header) not in known]
    usual = [header for header in spare if plain_name(header) in USUAL.get(name, ())]
    close = get_close_matches(name, list(map(plain_name, spare)), 1, LIKENESS)
    near = [header for header in spare if plain_name(header) in close] or usual
    hint = f"did you mean columns.{name}={near[0]}?" if near else f"expected it, or columns.{name}=..."
    return ValueError(f"has no column {name}, saw {some(table.columns)}, {hint}")


def ignored_note(
    ignored: Iterable[str], used: Collection[str], known: Collection[str], every: bool
) -> list[str]:
    """What is said of columns that are not used: of every one, or of those that nearly have a known name."""
    unused = [name for name in known if name not in used]
    said = []
    for header in ignored:
        close = get_close_matches(plain_name(header), unused, 1, LIKENESS)
        if close and plain_name(header) not in known:
            said.append(f"{header} (did you mean {close[0]}?)")
        elif every and header != INDEX and not UNNAMED.fullmatch(header):
            said.append(header)
    return [f"ignores column{'s' * (len(said) > 1)} {some(said)}"] if said else []


def nearly(table: Table, name: str) -> str | None:
    """The header that nearly has this name."""
    close = get_close_matches(name, [plain_name(header) for header in table.columns], 1, LIKENESS)
    return next((header for header in table.columns if plain_name(header) in close), None)
