"""Rules in files: columns, keys, and the mapping of those of several projects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import Fund, Group, Need, Ruled, load_bet, load_portfolio, with_rules
from engine.files.rules import stage_effort

TABLE = """project,family,scale,rate,minimum,lot,levels,fund,now,within,requires,excludes,group
a,log,9,0.3,8,,,,,,,b,north
b,log,8,0.4,,5,,must,,,,a,north
c,log,7,0.5,,,0;10;20,,,,a:12;b,,south
d,log,6,0.5,,,,keep,7,20%,,,south
"""
YAML = """projects:
  a: {family: log, scale: 9, rate: 0.3, minimum: 8}
  b: {family: log, scale: 8, rate: 0.4, lot: 5, fund: must}
  c: {family: hill, scale: 7, half: 5, exponent: 2, levels: [0, 10, 20], requires: {a: stage 2, b: 3}}
  d: {family: log, scale: 6, rate: 0.5, now: 7, within: 20%, excludes: a}
rules:
  groups:
    north: {members: [a, b], least: 3, most: 60%}
    all: {members: [north, c, d], at_least: 1, at_most: 3}
    pair: {members: [c, d], all_or_none: true}
  either: [[a, c]]
  spend: all
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_columns_of_a_table(tmp_path: Path) -> None:
    given = load_bet(written(tmp_path, "p.csv", TABLE))
    assert isinstance(given, Ruled)
    assert given.labels == ("a", "b", "c", "d")
    np.testing.assert_array_equal(given.minimum, [8, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(given.lot, [np.nan, 5, np.nan, np.nan])
    np.testing.assert_array_equal(given.only[2], [0, 10, 20])
    assert np.isnan(given.only[0]).all()
    assert list(given.fund) == [Fund.MAY, Fund.MUST, Fund.MAY, Fund.KEEP]
    assert float(given.within[3]) == pytest.approx(0.2)
    members = {group.name: group.members for group in given.groups}
    assert members == {"a or b": ("a", "b"), "north": ("a", "b"), "south": ("c", "d")}
    assert [group.binds for group in given.groups] == [True, False, False]
    north = with_rules(given, {"groups": {"north": {"most": "60%"}}})
    assert {g.name: g.binds for g in north.groups} == {"a or b": True, "south": False, "north": True}
    assert [(need.project, need.needs, need.past) for need in given.needs] == [
        ("c", "a", 12),
        ("c", "b", None),
    ]


def test_keys_of_a_yaml_file(tmp_path: Path) -> None:
    given = load_bet(written(tmp_path, "p.yaml", YAML))
    assert isinstance(given, Ruled)
    groups = {group.name: group for group in given.groups}
    assert float(groups["north"].most_share) == pytest.approx(0.6)  # type: ignore[arg-type]
    assert float(groups["north"].least) == 3.0  # type: ignore[arg-type]
    assert groups["all"].counts == (1, 2, 3)
    assert given.members(groups["all"]) == (0, 1, 2, 3)
    assert groups["pair"].counts == (0, 2)
    assert groups["a or c"].one_of
    assert groups["d or a"].one_of
    assert given.spend_all
    past = {need.needs: need.past for need in given.needs}
    assert float(past["b"]) == 3.0
    assert float(past["a"]) == stage_effort(given.portfolio, 0, 2)


def test_the_effort_of_a_stage_is_the_first_that_is_in_it(tmp_path: Path) -> None:
    given = load_bet(written(tmp_path, "p.yaml", YAML))
    portfolio = given.portfolio
    effort = stage_effort(portfolio, 2, 3)
    at = [np.asarray(portfolio.stage(np.full(4, x))[0])[2] + 1 for x in (effort - 1, effort)]
    assert at == [2, 3]
    with pytest.raises(ValueError, match="c has no stage 9"):
        stage_effort(portfolio, 2, 9)


def test_rules_of_several_stand_in_a_file_of_their_own(tmp_path: Path) -> None:
    portfolio = load_portfolio(
        written(tmp_path, "p.csv", "project,family,scale,rate\na,log,9,0.3\nb,log,8,0.4\n")
    )
    rules = written(tmp_path, "rules.yaml", "rules:\n  groups: {both: {members: [a, b], exactly: 1}}\n")
    given = with_rules(portfolio, rules)
    assert given.groups == (Group("both", ("a", "b"), counts=(1,)),)
    again = with_rules(given, {"spend": "all"})
    assert again.spend_all
    assert len(again.groups) == 1


def test_members_may_be_those_of_the_column_group(tmp_path: Path) -> None:
    text = YAML.replace("members: [a, b], ", "").replace("minimum: 8}", "minimum: 8, group: north}")
    given = load_bet(written(tmp_path, "p.yaml", text))
    assert next(group for group in given.groups if group.name == "north").members == ("a",)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("minimum: 8", "minimum: eight", "a: minimum is 'eight', expected a finite number"),
        ("fund: must", "fund: always", "b: fund is 'always', expected may, must, never, keep"),
        ("{a: stage 2, b: 3}", "z", "c: requires names 'z', no project of a, b, c, d"),
        ("excludes: a", "excludes: q", "d: excludes names 'q'"),
        ("least: 3", "leest: 3", "group north has 'leest', .*did you mean least"),
        ("least: 3", "least: -3", "group north: least is -3, expected a number of at least 0"),
        ("at_least: 1", "at_least: one", "group all: at_least is 'one', expected a whole number"),
        ("at_least: 1", "at_least: 4", "at least 4 of 4 and at most 3 are funded"),
        ("members: [north, c, d]", "members: [nort, c]", "group all names 'nort'"),
        ("members: [c, d]", "members: []", "group pair has no members"),
        ("either: [[a, c]]", "either: [a, c]", "rules: either is no list of lists"),
        ("spend: all", "spend: most", "rules: spend is 'most', expected all or any"),
        ("spend: all", "spent: all", "rules has 'spent', expected groups, either, spend, did you mean spend"),
        ("lot: 5", "lot: 0.5", "b: lot is 0.5, expected whole units"),
    ],
)
def test_what_cannot_be_is_one_line_with_the_file(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in YAML
    path = written(tmp_path, "p.yaml", YAML.replace(old, new))
    with pytest.raises(ValueError, match=said) as refused:
        load_bet(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


def test_rows_of_a_project_say_the_same(tmp_path: Path) -> None:
    text = "project,effort,performance,minimum\na,0,0,2\na,5,3,3\n"
    with pytest.raises(ValueError, match="line 3: minimum of a is 3, expected 2 as before"):
        load_bet(written(tmp_path, "p.csv", text))


@pytest.mark.parametrize(("name", "text"), [("p.csv", TABLE), ("p.yaml", YAML)])
def test_who_reads_portfolios_says_who_reads_rules(tmp_path: Path, name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"engine\.load_bet and engine allocate read rules"):
        load_portfolio(written(tmp_path, name, text))


def test_a_need_is_told_by_its_fields() -> None:
    assert Need("a", "b") == Need("a", "b", None)


def test_what_uses_several_resources_may_have_rules(tmp_path: Path) -> None:
    text = """project,family,scale,rate,upper,cost.people,cost.money,excludes,minimum
a,log,9,0.3,5,1,2,b,2
b,log,8,0.4,5,2,1,,
"""
    given = load_bet(written(tmp_path, "p.csv", text))
    assert isinstance(given, Ruled)
    assert given.resources == ("people", "money")
    np.testing.assert_array_equal(given.usage, [[1, 2], [2, 1]])
    assert given.groups[0].one_of
    bare = text.replace(",excludes,minimum", "").replace(",b,2", "").replace(",,", "")
    plain = load_bet(written(tmp_path, "q.csv", bare))
    again = with_rules(plain, {"either": [["a", "b"]]})
    assert again.resources == ("people", "money")


def test_names_that_yaml_takes_for_something_else_are_names(tmp_path: Path) -> None:
    text = """projects:
  on: {family: log, scale: 9, rate: 0.3, excludes: no}
  no: {family: log, scale: 8, rate: 0.4, requires: 1}
  1: {family: log, scale: 7, rate: 0.5, group: yes}
rules:
  groups: {yes: {most: 5}, both: {members: [on, 1], at_most: 1}}
"""
    given = load_bet(written(tmp_path, "p.yaml", text))
    assert isinstance(given, Ruled)
    members = {group.name: group.members for group in given.groups}
    assert members == {"on or no": ("on", "no"), "yes": ("1",), "both": ("on", "1")}
    assert [(need.project, need.needs) for need in given.needs] == [("no", "1")]


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        (5, "rules is 5, expected a YAML file, or groups, either, spend"),
        (["a"], "expected a YAML file"),
        ("none.yaml", "none.yaml: cannot be read"),
        ({"groups": {"x": {"members": ["y"], "most": 1}, "y": {"members": ["x"]}}}, "holds itself"),
        (
            {"groups": {"x": {"members": ["a"], "all_or_none": "maybe"}}},
            "all_or_none is 'maybe', expected true",
        ),
    ],
)
def test_rules_that_are_none_are_one_line(tmp_path: Path, rules: Any, said: str) -> None:
    text = "project,family,scale,rate\na,log,9,0.3\nb,log,8,0.4\n"
    portfolio = load_portfolio(written(tmp_path, "p.csv", text))
    with pytest.raises(ValueError, match=said) as refused:
        with_rules(portfolio, rules)
    assert "\n" not in str(refused.value)
