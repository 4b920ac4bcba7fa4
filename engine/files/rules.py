"""Rules in files: columns, or keys, of single projects, and a mapping `rules` of those of several.

Of a project, in a table's column or a YAML file's key:

- `minimum`: the least effort if it is funded; `lot`: effort in multiples of it; `levels`: the only efforts it
  may have (0;5;10); `fund`: must, never or keep (as it is now); `now`: effort today, and `within`: the share
  of it by which effort may differ (20%).
- `requires`: projects without which it is not funded, each with the effort, or the stage, from which on that
  is so, if it is not any (a;b:10;c:stage 2). `excludes`: projects that are not funded beside it.
- `group`: the group it is in.

Of several, under `rules` in a YAML file, or in a YAML file of its own:

- `groups`, by name: `members` (projects, or groups), `least` and `most` of their spending (a number, or a
  share of the budget, 40%), `minimum` if they spend anything, and how many are funded: `at_least`, `at_most`,
  `exactly`, or `all_or_none: true`.
- `either`: lists of projects of which one is funded at most. `spend: all` spends all of the budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import yaml

from engine.files.delimited import decode
from engine.files.names import nearest, some
from engine.files.tables import Table, number
from engine.model.portfolio import Portfolio
from engine.resources.resources import Resourced
from engine.rules.ruled import Fund, Group, Need, Ruled, normalise_ruled

NUMBERS = ("minimum", "lot", "now", "within")
SETS = ("levels", "fund", "requires", "excludes")
GROUP = "group"
# What only a portfolio with rules has: columns of a table, keys of a YAML file.
RULES = (*(name for name in NUMBERS if name != "now"), *SETS)
# Those that name projects or groups, which are text whatever YAML takes them for.
NAMING = ("requires", "excludes", GROUP)
KEYS = (*NUMBERS, *SETS, GROUP)
FUND = {"may": Fund.MAY, "must": Fund.MUST, "never": Fund.NEVER, "keep": Fund.KEEP}
COUNTS = ("at_least", "at_most", "exactly", "all_or_none")
GROUP_KEYS = ("members", "least", "most", "minimum", *COUNTS)
TOP = ("groups", "either", "spend")
# Where the effort that reaches a stage is looked for.
FARTHEST = 1e12
Row = dict[str, Any]


def take_rules(rows: dict[str, Row]) -> tuple[dict[str, Row], dict[str, Row]]:
    """(rows by project without their rules, the rules of each)."""
    plain = {name: {k: v for k, v in row.items() if k not in KEYS} for name, row in rows.items()}
    rules = {name: {k: row[k] for k in KEYS if row.get(k) is not None} for name, row in rows.items()}
    return plain, rules


def take_columns(table: Table) -> tuple[Table, dict[str, Row]]:
    """(a table without its columns of rules, the rules of each project).

    **Raises:** `ValueError` naming the line that says otherwise than one before it.
    """
    there = [name for name in KEYS if name in table.columns]
    plain = replace(table, columns={k: v for k, v in table.columns.items() if k not in there})
    projects, place = table.words("project")
    rules: dict[str, Row] = {name: {} for name in projects}
    for key in there:
        cells = table.texts(key) if key in NUMBERS and not _shares(table, key) else _words(table, key)
        for row, cell in enumerate(cells):
            if not (cell := cell.strip()):
                continue
            mine = rules[projects[place[row]]]
            if mine.setdefault(key, cell) != cell:
                name = projects[place[row]]
                raise ValueError(
                    f"{table.place(row)}: {key} of {name} is {cell}, expected {mine[key]} as before"
                )
    return plain, rules


def _words(table: Table, key: str) -> list[str]:
    words, codes = table.words(key)
    return [words[code] for code in codes]


def _shares(table: Table, key: str) -> bool:
    return any("%" in word for word in table.words(key)[0])


def ruled(
    portfolio: Portfolio,
    own: Mapping[str, Row],
    shared: Any = None,
    usage: np.ndarray | None = None,
    resources: tuple[str, ...] = (),
) -> Ruled:
    """A portfolio with rules: those of single projects by name, the mapping of those of several, and what it
    uses of several resources, if there are any.

    **Raises:** `ValueError` naming the rule that cannot be.
    """
    names = portfolio.names
    parts: dict[str, Any] = {"usage": usage, "resources": resources} if resources else {}
    for key in NUMBERS:
        if any(key in rules for rules in own.values()):
            parts[key] = np.array([_number(name, own[name], key) for name in names])
    if any("levels" in rules for rules in own.values()):
        parts["only"] = _listed([_levels(name, own[name].get("levels")) for name in names])
    if any("fund" in rules for rules in own.values()):
        parts["fund"] = np.array([_fund(name, own[name].get("fund", "may")) for name in names], np.int32)
    needs = tuple(need for name in names for need in _needs(portfolio, name, own[name].get("requires")))
    pairs = [pair for name in names for pair in _pairs(names, name, own[name].get("excludes"))]
    exclusive = {frozenset(pair): pair for pair in reversed(pairs)}
    groups = [Group(" or ".join(pair), pair, counts=(0, 1)) for pair in exclusive.values()]
    homes: dict[str, list[str]] = {}
    for name in names:
        if GROUP in own[name]:
            homes.setdefault(str(own[name][GROUP]), []).append(name)
    more, spend_all = _shared(shared or {}, names, homes)
    named = {group.name for group in more}
    more += [Group(name, tuple(members)) for name, members in homes.items() if name not in named]
    return normalise_ruled(
        Ruled(portfolio, **parts, groups=(*groups, *more), needs=needs, spend_all=spend_all)
    )


def with_rules(given: Portfolio | Resourced | Ruled, rules: str | Path | Mapping[str, Any]) -> Ruled:
    """A portfolio, of several resources too, or one with rules, with those of a mapping or a file besides.

    **Arguments:** `rules`, what may stand under `rules` in a portfolio's file: `groups`, `either`, `spend`.

    **Raises:** `ValueError` in one line naming the file and what is wrong.
    """
    if not isinstance(rules, (str, Path, Mapping)):
        raise ValueError(f"rules is {rules!r}, expected a YAML file, or {', '.join(TOP)}")
    held, where = (rules, "") if isinstance(rules, Mapping) else (read_rules(Path(rules)), f"{rules}: ")
    if isinstance(given, Resourced):
        given = Ruled(given.portfolio, usage=given.usage, resources=given.resources)
    if not isinstance(given, (Portfolio, Ruled)):
        raise ValueError(f"rules are given for {type(given).__name__}, expected a portfolio")
    base = given if isinstance(given, Ruled) else Ruled(given)
    try:
        homes = {group.name: list(group.members) for group in base.groups if not group.binds}
        more, spend_all = _shared(held, base.labels, homes)
        named = {group.name for group in more}
        groups = (*(g for g in base.groups if g.binds or g.name not in named), *more)
        return normalise_ruled(replace(base, groups=groups, spend_all=base.spend_all or spend_all))
    except ValueError as error:
        raise ValueError(f"{where}{error}") from None


def read_rules(path: Path) -> Mapping[str, Any]:
    """The rules of a YAML file, with or without the key `rules` above them.

    **Raises:** `ValueError` naming the file, for one that cannot be read.
    """
    try:
        data = as_text(decode(path.expanduser().read_bytes()))
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error}), expected a file") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{path}: is not YAML ({str(error).splitlines()[0]})") from None
    if isinstance(data, dict) and set(data) == {"rules"}:
        data = data["rules"]
    if not isinstance(data, dict):
        raise ValueError(f"{path}: has no rules, expected {', '.join(TOP)}")
    return data


def as_text(text: str) -> Any:
    """What a YAML file holds, of which every word and number is text: a project may be called on, or 1."""
    return yaml.load(text, Loader=yaml.BaseLoader)


def _shared(held: Any, names: tuple[str, ...], homes: dict[str, list[str]]) -> tuple[list[Group], bool]:
    """(the groups of a mapping of rules, whether all is spent)."""
    if not isinstance(held, Mapping):
        raise ValueError(f"rules is {held!r}, expected {', '.join(TOP)}")
    for key in held:
        if key not in TOP:
            raise ValueError(f"rules has {key!r}, expected {', '.join(TOP)}{nearest(str(key), TOP)}")
    if held.get("spend", "any") not in ("any", "all"):
        raise ValueError(f"rules: spend is {held['spend']!r}, expected all or any")
    given = held.get("groups") or {}
    if not isinstance(given, Mapping) or not all(isinstance(g, Mapping) for g in given.values()):
        raise ValueError("rules: groups is no mapping of names to their keys, expected one")
    groups = [_group(str(name), group, names, homes, given) for name, group in given.items()]
    either = held.get("either") or []
    if not isinstance(either, (list, tuple)) or not all(isinstance(each, (list, tuple)) for each in either):
        raise ValueError("rules: either is no list of lists of projects, expected one")
    for each in either:
        members = tuple(map(str, each))
        groups.append(Group(" or ".join(members), _known(members, names, "either"), counts=(0, 1)))
    return groups, held.get("spend") == "all"


def _group(
    name: str, group: Mapping[str, Any], names: tuple[str, ...], homes: dict[str, list[str]], all_groups: Any
) -> Group:
    """One group of a mapping of rules."""
    where = f"group {name}"
    for key in group:
        if key not in GROUP_KEYS:
            raise ValueError(
                f"{where} has {key!r}, expected {', '.join(GROUP_KEYS)}{nearest(str(key), GROUP_KEYS)}"
            )
    members = group.get("members", homes.get(name))
    if not isinstance(members, (list, tuple)) or not members:
        raise ValueError(f"{where} has no members, expected a list of projects, or a column group")
    known = tuple(map(str, members))
    _known(known, (*names, *map(str, all_groups), *homes), where)
    parts: dict[str, Any] = {}
    for key in ("least", "most", "minimum"):
        if group.get(key) is not None:
            value, share = _amount(group[key], f"{where}: {key}")
            if share and key == "minimum":
                raise ValueError(f"{where}: minimum is {group[key]}, expected a number")
            parts[f"{key}_share" if share else key] = value
    size = len(_all_members(known, names, all_groups, homes))
    return Group(name, known, **parts, counts=_counts(where, group, size))


def _all_members(
    members: tuple[str, ...], names: tuple[str, ...], groups: Any, homes: dict[str, list[str]], depth: int = 0
) -> set[str]:
    """The projects of a group, those of its groups included; that these are a tree is checked later."""
    found: set[str] = set()
    for member in members:
        if member in names or depth > len(groups):
            found.add(member)
        else:
            inner = groups.get(member, {}).get("members") or homes.get(member, [])
            found |= _all_members(tuple(map(str, inner)), names, groups, homes, depth + 1)
    return found


def _counts(where: str, group: Mapping[str, Any], size: int) -> tuple[int, ...] | None:
    """How many of so many may be funded."""
    given = {key: group[key] for key in COUNTS if group.get(key) is not None}
    if not given:
        return None
    if "all_or_none" in given:
        if str(given["all_or_none"]).lower() != "true" or len(given) > 1:
            raise ValueError(f"{where}: all_or_none is {given['all_or_none']!r}, expected true, and alone")
        return (0, size)
    for key, count in given.items():
        if isinstance(count, bool) or not str(count).isdigit():
            raise ValueError(f"{where}: {key} is {count!r}, expected a whole number of projects")
    given = {key: int(count) for key, count in given.items()}
    low, high = given.get("at_least", 0), given.get("at_most", size)
    if "exactly" in given:
        low = high = given["exactly"]
    if not low <= min(high, size):
        raise ValueError(f"{where}: at least {low} of {size} and at most {high} are funded, expected fewer")
    return tuple(range(low, min(high, size) + 1))


def _amount(given: Any, what: str) -> tuple[float, bool]:
    """(a number, whether it is a share of the budget)."""
    if isinstance(given, str) and given.strip().endswith("%"):
        return number(given.strip()[:-1], what) / 100.0, True
    value = number(given, what)
    if value < 0:
        raise ValueError(f"{what} is {value:g}, expected a number of at least 0")
    return value, False


def _number(name: str, rules: Row, key: str) -> float:
    """A number of one project, NaN for none; `within` may be in per cent."""
    if key not in rules:
        return float("nan")
    if key == "within":
        return _amount(rules[key], f"{name}: {key}")[0]
    return number(rules[key], f"{name}: {key}", finite=True)


def _parts(cell: Any) -> list[Any]:
    """The parts of a cell with semicolons, or a list."""
    if isinstance(cell, (list, tuple)):
        return list(cell)
    return [part.strip() for part in str(cell).split(";") if part.strip()]


def _levels(name: str, cell: Any) -> list[float]:
    return [] if cell is None else [number(part, f"{name}: levels") for part in _parts(cell)]


def _listed(levels: list[list[float]]) -> np.ndarray:
    """Lists of different lengths as one array, NaN past their ends."""
    longest = max(1, *map(len, levels))
    return np.array([[*row, *[np.nan] * (longest - len(row))] for row in levels])


def _fund(name: str, word: Any) -> int:
    # YAML reads no word of these as anything else.
    if str(word) not in FUND:
        raise ValueError(f"{name}: fund is {word!r}, expected {', '.join(FUND)}")
    return int(FUND[str(word)])


def _pairs(names: tuple[str, ...], name: str, cell: Any) -> list[tuple[str, str]]:
    others = [] if cell is None else [str(part) for part in _parts(cell)]
    return [(name, other) for other in _known(tuple(others), names, f"{name}: excludes")]


def _needs(portfolio: Portfolio, name: str, cell: Any) -> list[Need]:
    """What a project requires."""
    if cell is None:
        return []
    what = f"{name}: requires"
    items = list(cell.items()) if isinstance(cell, Mapping) else [_split(part) for part in _parts(cell)]
    _known(tuple(str(other) for other, _ in items), portfolio.names, what)
    return [Need(name, str(other), _past(portfolio, str(other), past, what)) for other, past in items]


def _split(part: Any) -> tuple[str, Any]:
    """A project and what is asked of it."""
    name, colon, past = str(part).rpartition(":")
    return (name.strip(), past.strip()) if colon else (str(part), None)


def _past(portfolio: Portfolio, project: str, past: Any, what: str) -> Any:
    """The effort from which on a requirement is met; None for any."""
    if past is None or past == "":
        return None
    if isinstance(past, str) and past.startswith("stage"):
        stage = number(past.removeprefix("stage").strip(), f"{what} {project}: stage")
        return stage_effort(portfolio, portfolio.names.index(project), int(stage))
    return number(past, f"{what} {project}")


def stage_effort(portfolio: Portfolio, project: int, stage: int) -> float:
    """The least whole effort at which a project is in a stage, counted from 1.

    **Raises:** `ValueError` for a stage that no effort reaches.
    """

    def reached(effort: float) -> bool:
        with jax.enable_x64(True):
            stages = portfolio.stage(jax.numpy.full(portfolio.shape, effort))[0]
        return int(stages[project]) + 1 >= stage

    high = 1.0
    while not reached(high):
        high *= 2.0
        if high > FARTHEST:
            raise ValueError(f"{portfolio.names[project]} has no stage {stage}, expected one it can reach")
    low = 0.0
    while high - low > 1.0:
        middle = np.floor((low + high) / 2.0)
        low, high = (low, middle) if reached(middle) else (middle, high)
    return float(high)


def _known(given: tuple[str, ...], names: tuple[str, ...], what: str) -> tuple[str, ...]:
    for name in given:
        if name not in names:
            raise ValueError(f"{what} names {name!r}, no project of {some(names)}{nearest(name, names)}")
    return given
