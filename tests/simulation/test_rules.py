"""Scenarios with rules: what is drawn, what is solved, and what each kind of rule costs, in pairs."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from benchmarks.rules_reference import Case, best_of, by_every_plan
from engine import bet, scenario, simulate

SMALL = {
    "projects": 4,
    "budget": 8,
    "upper": {"dist": "fixed", "value": 4.0},
    "rules": {
        "groups": 2,
        "least": 0.1,
        "most": 0.7,
        "either": 2,
        "minimum": {"median": 2.0},
    },
}
ALL = ["exact", "ruled", "without_groups", "without_either", "without_minimum"]


def test_what_is_drawn_are_the_portfolios_without_rules_and_their_groups() -> None:
    made = scenario("rules")
    given, plain = made.draw_ruled(count=3), made.draw(count=3)
    np.testing.assert_array_equal(given.portfolio.weight, plain.weight)
    assert [group.name for group in given.groups[:3]] == ["group 0", "group 1", "group 2"]
    assert [len(given.members(group)) for group in given.groups] == [4, 4, 4, 2, 2, 2, 2, 2, 2]
    assert given.minimum is not None
    assert given.minimum.shape == (3, 12)
    with pytest.raises(ValueError, match="scenario staged has no rules"):
        scenario("staged").draw_ruled()


def test_each_method_is_the_best_of_all_plans_that_keep_its_rules() -> None:
    made = scenario("rules", **SMALL)
    found = simulate(made, solvers=ALL, portfolios=12, budget=8)
    given = made.draw_ruled(count=12)
    with jax.enable_x64(True):
        table = np.asarray(jax.vmap(lambda portfolio: portfolio.table(4))(given.portfolio))
    best = {
        "ruled": given,
        "without_groups": given.__class__(given.portfolio, given.minimum, groups=given.groups[2:]),
        "without_either": given.__class__(given.portfolio, given.minimum, groups=given.groups[:2]),
        "without_minimum": given.__class__(given.portfolio, groups=given.groups),
    }
    for name, ruled in best.items():
        cases = [Case(ruled, np.full(12, 8.0), place, table) for place in range(12)]
        values = [by_every_plan(case) for case in cases]
        assert found.mean(name, "value") == pytest.approx(np.mean(values), rel=1e-9)
        assert found.mean(name, "proved") == 1.0
    assert found.mean("ruled", "keeps") == 1.0
    assert found.mean("exact", "keeps") < 1.0
    assert found.mean("ruled", "difference") <= found.mean("without_groups", "difference") <= 0.0


def test_a_study_solves_what_a_bet_solves() -> None:
    made = scenario("rules", **SMALL)
    given = made.draw_ruled(count=4)
    answer = bet(given, 8.0, prices=False)
    found = simulate(made, solvers=["ruled"], portfolios=4, budget=8)
    assert found.mean("ruled", "value") == pytest.approx(float(np.mean(answer.value)), rel=1e-9)
    table = np.asarray(jax.vmap(lambda p: p.table(4))(given.portfolio))
    for place in range(4):
        case = Case(given, np.full(4, 8.0), place, table)
        assert np.isfinite(best_of(case, answer.effort[place][None].astype(int)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"groups": 0}, "scenario.rules.groups is 0, expected 1 to 4"),
        ({"either": 1}, "scenario.rules.either is 1, expected 0, or 2 and more"),
        ({"most": 1.5}, "scenario.rules.most is 1.5, expected a share of the budget"),
        ({"funded": -1}, "scenario.rules.funded is -1, expected at least 0"),
    ],
)
def test_what_cannot_be_is_one_line(changes: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        scenario("rules", **{**SMALL, "rules": changes})


def test_others_keep_no_rules() -> None:
    with pytest.raises(ValueError, match="solver ruled keeps rules, expected a scenario with rules"):
        simulate(scenario("staged"), solvers=["ruled"], portfolios=2)
