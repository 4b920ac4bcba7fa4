"""Portfolios with rules against every plan, against a mixed-integer programme, and by hand."""

from __future__ import annotations

import dataclasses
import itertools

import jax
import numpy as np
import pytest

from benchmarks.rules_reference import Case, Shape, best_of, by_every_plan, by_highs, random_ruled
from engine import Fund, Group, Hill, Log, Need, Portfolio, Ruled, Tabulated, allocate, bet
from engine.allocation.ruled import place_ruled
from engine.rules.ruled import normalise_ruled
from engine.rules.tree import plant

SAME = 1e-9


def held(ruled: Ruled, budgets: np.ndarray) -> list[Case]:
    """The portfolios of a batch as plain numbers."""
    table = np.asarray(ruled.portfolio.curves.values)  # type: ignore[attr-defined]
    return [Case(ruled, budgets, place, table) for place in range(budgets.size)]


@pytest.mark.parametrize("seed", range(14))
def test_small_ones_are_the_best_of_all_plans(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = Shape(int(rng.integers(2, 6)), int(rng.integers(3, 6)), 40)
    ruled, budgets = random_ruled(rng, shape)
    answer = place_ruled(ruled, budgets, prices=False)
    for place, case in enumerate(held(ruled, budgets)):
        best, effort = by_every_plan(case), answer.effort[place].astype(int)
        if np.isinf(best):
            assert answer.solution.status[place] == 1
            continue
        assert answer.value[place] == pytest.approx(best, rel=SAME, abs=SAME)
        assert best_of(case, effort[None]) == pytest.approx(best, rel=SAME, abs=SAME)
        assert all(case.allowed(project, level) for project, level in enumerate(effort))
        assert answer.proved[place]
        assert answer.bound[place] >= best - SAME


@pytest.mark.parametrize("seed", range(100, 103))
def test_middle_ones_are_those_of_a_mixed_integer_programme(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ruled, budgets = random_ruled(rng, Shape(10, 8, 5))
    answer = place_ruled(ruled, budgets, prices=False)
    for place, case in enumerate(held(ruled, budgets)):
        best, _ = by_highs(case)
        if np.isinf(best):
            assert answer.solution.status[place] == 1
        else:
            assert answer.value[place] == pytest.approx(best, rel=1e-7, abs=1e-7)
            assert answer.proved[place]


def test_the_two_references_agree() -> None:
    rng = np.random.default_rng(5)
    for _ in range(4):
        ruled, budgets = random_ruled(rng, Shape(4, 4, 5))
        for case in held(ruled, budgets):
            best, _ = by_highs(case)
            assert best == pytest.approx(by_every_plan(case), rel=1e-7, abs=1e-7)


def items(performance: list[float], cost: list[float], names: str = "abcdef") -> Portfolio:
    """Projects of all or nothing."""
    values = np.stack([np.zeros(len(performance)), performance], axis=1)
    return Portfolio(Tabulated(values), cost=cost, upper=np.ones(len(cost)), names=tuple(names[: len(cost)]))


def test_two_of_four_investments_of_which_some_hang_together() -> None:
    """Winston (2004), Operations Research, section 9.2: Stockco's investments, whose best return is 42; the
    conditions that follow there one after the other."""
    portfolio = items([16, 22, 12, 8], [5, 7, 4, 3])
    two, apart = Group("two", tuple("abcd"), counts=(0, 1, 2)), Group("apart", ("b", "d"), counts=(0, 1))
    needs = (Need("b", "a"),)
    assert float(bet(Ruled(portfolio), 14.0).value) == 42.0
    assert float(bet(Ruled(portfolio, groups=(two,)), 14.0).value) == 38.0
    assert float(bet(Ruled(portfolio, needs=needs), 14.0).value) == 38.0
    assert float(bet(Ruled(portfolio, groups=(apart,)), 14.0).value) == 38.0
    answer = bet(Ruled(portfolio, groups=(two, apart), needs=needs), 14.0)
    assert list(answer.effort) == [1, 1, 0, 0]
    assert bool(answer.proved)


def test_factories_and_the_warehouses_that_need_them() -> None:
    """Hillier & Lieberman (2010), Introduction to Operations Research, section 12.1: California
    Manufacturing builds one warehouse at most, where there is a factory; the best return is 14."""
    portfolio = items([9, 5, 6, 4], [6, 3, 5, 2])
    one = Group("one warehouse", ("c", "d"), counts=(0, 1))
    answer = bet(Ruled(portfolio, groups=(one,), needs=(Need("c", "a"), Need("d", "b"))), 10.0)
    assert (float(answer.value), list(answer.effort)) == (14.0, [1, 1, 0, 0])
    assert bool(answer.proved)


def test_all_five_spots_are_bought() -> None:
    """Hillier & Lieberman (2010), section 12.4: Supersuds buys five spots for three products, of which some
    make a loss; the best profit is 7."""
    profits = [[0, 1, 3, 3], [0, 0, 2, 3], [0, -1, 2, 4]]
    portfolio = Portfolio(Tabulated(profits), upper=[3.0, 3.0, 3.0], names=("1", "2", "3"))
    answer = bet(Ruled(portfolio, spend_all=True), 5.0)
    assert (float(answer.value), list(answer.effort)) == (7.0, [2, 0, 3])
    assert bool(answer.proved)


def test_what_needs_each_other_is_taken_together_or_not_at_all() -> None:
    """Three that need each other make more than the one that is worth most of those left."""
    portfolio = items([100, 10, 5, 50], [1, 1, 1, 1])
    needs = tuple(Need(*pair) for pair in ("ab", "ac", "ba", "bc", "ca", "cb"))
    three = Group("three", tuple("abcd"), counts=(0, 1, 2, 3))
    answer = bet(Ruled(portfolio, groups=(three,), needs=needs), 4.0)
    assert (float(answer.value), list(answer.effort)) == (115.0, [1, 1, 1, 0])
    assert bool(answer.proved)
    assert float(bet(Ruled(portfolio, groups=(three,)), 4.0).value) == 160.0


def test_budgets_within_budgets_bind_where_they_should() -> None:
    curves = Hill([9.0, 8.0, 7.0, 6.0], [5.0, 8.0, 4.0, 6.0], [2.0, 1.5, 2.5, 1.0])
    portfolio = Portfolio(curves, names=tuple("abcd"))
    inner = Group("inner", ("a", "b"), most=9.0)
    outer = Group("outer", ("inner", "c"), most=14.0, least=12.0)
    answer = bet(Ruled(portfolio, groups=(inner, outer)), 30.0)
    spent = answer.effort
    assert spent[0] + spent[1] <= 9.0
    assert 12.0 <= spent[:3].sum() <= 14.0
    assert bool(answer.proved)
    loose = answer.beside["without inner most"]
    assert float(loose.difference) >= 0.0
    more = answer.figures["a unit more of inner most"]
    again = bet(Ruled(portfolio, groups=(dataclasses.replace(inner, most=10.0), outer)), 30.0)
    assert float(more) == pytest.approx(float(again.value - answer.value))


def test_what_a_rule_costs_is_the_optimum_without_it_less_that_with_it() -> None:
    portfolio = Portfolio(Log([5.0, 4.0, 3.0], [0.5, 0.4, 0.6]), names=tuple("abc"))
    ruled = Ruled(portfolio, minimum=[8.0, np.nan, np.nan], groups=(Group("g", ("b", "c"), most=4.0),))
    answer = bet(ruled, 12.0)
    without = bet(dataclasses.replace(ruled, minimum=None), 12.0)
    price = answer.beside["without a minimum"]
    assert float(price.difference) == pytest.approx(float(without.value - answer.value))
    free = allocate(portfolio, 12.0)
    assert float(answer.beside["without rules"].value) == pytest.approx(float(free.value))


def test_the_least_effort_of_funded_projects_needs_no_table_at_any_budget() -> None:
    portfolio = Portfolio(Log([3.0, 2.0], [1.0, 1.0]), names=("a", "b"))
    answer = bet(Ruled(portfolio, minimum=[10.0, 1e8]), 1e9, prices=False)
    assert bool(answer.proved)
    assert answer.effort[1] == 0.0 or answer.effort[1] >= 1e8


@pytest.mark.parametrize("cost", [None, [2.0, 2.0, 3.0, 3.0]])
def test_either_or_is_the_better_of_both(cost: list[float] | None) -> None:
    curves = Hill([9.0, 8.0, 7.0, 6.0], [5.0, 8.0, 4.0, 6.0], [2.0, 1.5, 2.5, 1.0])
    portfolio = Portfolio(curves, cost=cost, names=tuple("abcd"))
    groups = (Group("x", ("a", "b"), counts=(0, 1)), Group("y", ("c", "d"), counts=(0, 1)))
    answer = bet(Ruled(portfolio, groups=groups), 20.0)
    values = []
    for one in (0, 1):
        for other in (2, 3):
            upper = np.array([np.inf if p in (one, other) else 0.0 for p in range(4)])
            values.append(float(allocate(dataclasses.replace(portfolio, upper=upper), 20.0).value))
    assert float(answer.value) == pytest.approx(max(values), rel=SAME)
    assert bool(answer.proved)


def test_a_batch_is_each_of_its_portfolios() -> None:
    rng = np.random.default_rng(3)
    ruled, budgets = random_ruled(rng, Shape(4, 5, 6))
    ruled = normalise_ruled(ruled)
    together = place_ruled(ruled, budgets, prices=False)
    for place in range(budgets.size):
        one = jax.tree.map(lambda a, place=place: a[place], ruled)
        if together.solution.status[place] == 1:
            with pytest.raises(ValueError, match="keep"):
                bet(one, budgets[place], prices=False)
        else:
            alone = bet(one, budgets[place], prices=False)
            assert float(alone.value) == pytest.approx(float(together.value[place]), rel=SAME)


def test_effort_in_lots_of_a_unit() -> None:
    portfolio = Portfolio(Log([5.0, 4.0, 3.0], [0.05, 0.04, 0.06]), names=tuple("abc"))
    ruled = Ruled(portfolio, minimum=[40.0, 35.0, np.nan], groups=(Group("g", ("b", "c"), most=60.0),))
    answer = bet(ruled, 120.0, unit=10)
    assert np.all(answer.effort % 10 == 0)
    assert answer.effort[1] == 0.0 or answer.effort[1] >= 40.0
    assert float(answer.spent) <= 120.0
    fine = bet(ruled, 120.0)
    assert float(answer.value) <= float(fine.value)


def test_what_cannot_be_kept_together_is_named_and_no_more() -> None:
    portfolio = Portfolio(Log([5.0, 4.0, 3.0], [0.5, 0.4, 0.6]), names=tuple("abc"))
    low = Group("low", ("a", "b"), most=5.0)
    ruled = Ruled(portfolio, minimum=[6.0, 2.0, 1.0], fund=[Fund.MUST, Fund.MAY, Fund.MAY], groups=(low,))
    with pytest.raises(ValueError, match="no budget keeps these rules together") as refused:
        bet(ruled, 100.0)
    named = str(refused.value)
    assert all(word in named for word in ("a minimum", "a must be funded", "low most"))
    assert "b minimum" not in named
    with pytest.raises(ValueError, match="expected at least 6"):
        bet(dataclasses.replace(ruled, groups=()), 5.0)


def test_all_is_spent_or_it_is_said_which_budget_could_be() -> None:
    portfolio = Portfolio(Log([5.0, 4.0], [0.5, 0.4]), upper=[10.0, 10.0], names=("a", "b"))
    falling = Portfolio(Tabulated([[0, 3, 1, 0], [0, 2, 1, -4]]), upper=[3.0, 3.0], names=("a", "b"))
    assert float(bet(Ruled(falling, spend_all=True), 5.0).spent) == 5.0
    assert float(bet(Ruled(falling), 5.0).spent) == 2.0
    with pytest.raises(ValueError, match="expected a budget of 20"):
        bet(Ruled(portfolio, spend_all=True), 25.0)


def test_a_budget_of_nothing_is_a_budget() -> None:
    portfolio = Portfolio(Log([5.0, 4.0], [0.5, 0.4]), names=("a", "b"))
    groups = (Group("g", ("a", "b"), most_share=0.5, most=3.0),)
    answer = bet(Ruled(portfolio, minimum=[2.0, 3.0], groups=groups), 0.0)
    assert (float(answer.value), list(answer.effort)) == (0.0, [0, 0])
    assert all(float(plan.difference) == 0.0 for plan in answer.beside.values())
    with pytest.raises(ValueError, match=r"budget 0 does not keep .*g least.*, expected at least 2"):
        bet(Ruled(portfolio, groups=(Group("g", ("a",), least=1.0, most_share=0.5),)), 0.0)


def test_a_need_is_met_from_an_effort_on() -> None:
    portfolio = Portfolio(Tabulated([[0, 0, 0, 0], [0, 5, 6, 7]]), upper=[3.0, 3.0], names=("a", "b"))
    assert list(bet(Ruled(portfolio, needs=(Need("b", "a", 2.0),)), 3.0).effort) == [2.0, 1.0]
    assert list(bet(Ruled(portfolio, needs=(Need("b", "a"),)), 3.0).effort) == [1.0, 2.0]
    assert float(bet(Ruled(portfolio, needs=(Need("b", "a", 3.0),)), 3.0).value) == 0.0


def test_chains_hang_below_each_other() -> None:
    portfolio = items([0, 0, 9, 4], [1, 1, 1, 1])
    chain = (Need("b", "a"), Need("c", "b"))
    assert not plant(normalise_ruled(Ruled(portfolio, needs=chain)))[1]
    assert list(bet(Ruled(portfolio, needs=chain), 3.0).effort) == [1, 1, 1, 0]
    assert list(bet(Ruled(portfolio, needs=chain), 2.0).effort) == [0, 0, 0, 1]


def test_projects_over_three_years_of_which_two_exclude_each_other() -> None:
    """A budget for each year is a resource; without the exclusion all three would not fit the third year."""
    values = [[0.0, 0.2], [0.0, 0.3], [0.0, 0.5]]
    portfolio = Portfolio(Tabulated(values), upper=np.ones(3), names=("p1", "p2", "p3"))
    usage = np.array([[0.5, 0.0, 1.5], [0.3, 0.8, 1.5], [0.2, 0.2, 0.3]])
    years = ("one", "two", "three")
    apart = (Group("p1 or p2", ("p1", "p2"), counts=(0, 1)),)
    ruled = Ruled(portfolio, groups=apart, usage=usage, resources=years)
    answer = bet(ruled, {"one": 3.1, "two": 2.5, "three": 0.5})
    assert float(answer.value) == pytest.approx(0.8)
    assert list(answer.effort) == [0, 1, 1]
    assert bool(answer.proved)
    assert float(bet(ruled, [3.1, 2.5, 1.0]).beside["without p1 or p2"].value) == pytest.approx(0.8)
    with pytest.raises(ValueError, match="a group bounds spending, or all is spent"):
        bet(dataclasses.replace(ruled, spend_all=True), [3.1, 2.5, 0.5])


def test_several_resources_with_rules_are_the_best_of_all_plans() -> None:
    rng = np.random.default_rng(11)
    for _ in range(6):
        ruled, _ = random_ruled(rng, Shape(4, 4, 1))
        groups = tuple(
            Group(g.name, g.members, counts=g.counts) for g in ruled.groups if g.counts is not None
        )
        usage = rng.integers(0, 4, (1, 2, 4)).astype(float)
        budgets = np.floor(rng.uniform(3.0, 15.0, (1, 2)))
        free = dataclasses.replace(ruled.portfolio, cost=None)
        changes = {"portfolio": free, "groups": groups, "spend_all": False}
        plain = dataclasses.replace(ruled, **changes)
        given = dataclasses.replace(plain, usage=usage, resources=("people", "money"))
        case = Case(plain, np.array([1e9]), 0, np.asarray(ruled.portfolio.curves.values))  # type: ignore[attr-defined]
        choices = [[k for k in range(4) if case.allowed(i, k)] for i in range(4)]
        plans = np.array(list(itertools.product(*choices))).reshape(-1, 4)
        within = np.all(plans @ usage[0].T <= budgets[0] + SAME, axis=1)
        best = best_of(case, plans[within]) if within.any() else -np.inf
        answer = bet(given, budgets, prices=False)
        if np.isinf(best):
            assert answer.solution.status[0] == 1
        else:
            assert float(answer.value[0]) == pytest.approx(best, rel=SAME)
            assert bool(answer.proved[0])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"minimum": [-1.0, 2.0]}, "a: minimum is -1, expected a number of at least 0"),
        ({"lot": [2.5, np.nan]}, "a: lot is 2.5, expected whole units"),
        ({"within": [0.1, np.nan]}, "a: has within without now, expected what it has now"),
        ({"fund": [3, 0]}, "a: has fund without now"),
        ({"groups": (Group("g", ("a", "z"), most=1.0),)}, "group g has a member 'z', expected a project"),
        ({"groups": (Group("g", (), most=1.0),)}, "group g has no members"),
        ({"groups": (Group("g", ("a",), most=-1.0),)}, "group g: most is"),
        ({"groups": (Group("a", ("b",), most=1.0),)}, "group a has the name of a project"),
        ({"needs": (Need("a", "a"),)}, "a needs itself"),
        ({"needs": (Need("a", "q"),)}, "'q' is no project"),
    ],
)
def test_what_cannot_be_is_one_line(changes: dict, said: str) -> None:
    portfolio = Portfolio(Log([5.0, 4.0], [0.5, 0.4]), names=("a", "b"))
    with pytest.raises(ValueError, match=said) as refused:
        bet(Ruled(portfolio, **changes), 10.0)
    assert "\n" not in str(refused.value)


def test_groups_that_share_some_projects_are_refused() -> None:
    portfolio = Portfolio(Log([5.0, 4.0, 3.0], [0.5, 0.4, 0.3]), names=tuple("abc"))
    groups = (Group("g", ("a", "b"), most=1.0), Group("h", ("b", "c"), most=1.0))
    with pytest.raises(ValueError, match="groups g and h share some projects only"):
        bet(Ruled(portfolio, groups=groups), 10.0)
