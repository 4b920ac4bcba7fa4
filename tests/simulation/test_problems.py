"""Test problems: what their generators promise, and that step curves are the knapsacks they stand for."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest
from scipy import optimize

import engine
from engine.model.keys import portfolio_key
from engine.model.validation import check, normalise
from engine.simulation.problems import CLASS_ITEMS, PROBLEMS, Problem

PROJECTS, BUDGET, COUNT = 6, 60, 40
LARGEST = 40  # 4·60/6


def draw(name: str, count: int = COUNT, projects: int = PROJECTS, budget: int = BUDGET) -> Any:
    problem = Problem(name, projects, budget)
    keys = jax.vmap(lambda j: portfolio_key(1, j))(np.arange(count, dtype=np.uint32))
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(lambda key: problem.draw(key, np.float64)))(keys))


def items(values: np.ndarray) -> list[list[tuple[int, float]]]:
    """The steps (weight, profit) of each curve [projects, levels]."""
    return [[(int(w), row[w]) for w in range(1, row.size) if row[w] > row[w - 1]] for row in values]


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_draws_valid_portfolios(name: str) -> None:
    portfolios = normalise(draw(name))
    check(portfolios)
    assert portfolios.shape == (COUNT, PROJECTS)
    leaves = jax.tree.leaves(portfolios)
    assert all(np.ptp(leaf, axis=0).max() > 0 for leaf in leaves if leaf.ndim == 2)


@pytest.mark.parametrize("name", ["hill", "staged", "knapsack_uncorrelated"])
def test_a_portfolio_depends_on_seed_and_index_alone(name: str) -> None:
    few, many = draw(name, 5), draw(name, 20)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b[:5]), few, many)


@pytest.mark.parametrize("name", [n for n in PROBLEMS if n.startswith("knapsack")])
def test_a_knapsack_item_is_one_step_with_its_correlation(name: str) -> None:
    values = draw(name, 200).curves.values
    pairs = [item for one in values for project in items(one) for item in project]
    assert len(pairs) == 200 * PROJECTS
    weight, profit = np.array(pairs).T
    assert weight.min() >= 1
    assert weight.max() == LARGEST
    assert abs(weight.mean() - LARGEST / 2) < 1.0  # of 1,200 draws with standard error 0.33
    difference = profit - weight
    if name.endswith("subset_sum"):
        assert np.all(difference == 0)
    elif name.endswith("strongly_correlated"):
        assert np.all(difference == LARGEST // 10)
    elif name.endswith("weakly_correlated"):
        assert np.abs(difference).max() == LARGEST // 10
        assert len(np.unique(difference)) == 2 * (LARGEST // 10) + 1
    else:
        assert profit.max() == LARGEST
        assert abs(np.corrcoef(weight, profit)[0, 1]) < 0.1


@pytest.mark.parametrize("name", [n for n in PROBLEMS if n.startswith("multiple_choice")])
def test_a_class_steps_up_with_each_item_worth_more_than_lighter_ones(name: str) -> None:
    for one in draw(name, 50).curves.values:
        assert np.all(np.diff(one, axis=-1) >= 0)
        counts = [len(project) for project in items(one)]
        assert min(counts) >= 1
        assert max(counts) <= CLASS_ITEMS
    if name.endswith("sinha_zoltners"):
        assert np.mean([len(p) for one in draw(name, 50).curves.values for p in items(one)]) > 6


@pytest.mark.parametrize("name", ["knapsack_strongly_correlated", "multiple_choice_sinha_zoltners"])
def test_the_exact_optimum_is_that_of_the_knapsack_by_highs(name: str) -> None:
    portfolios = draw(name, 6)
    solution = engine.allocate(portfolios, BUDGET)
    assert np.all(solution.proved)
    for value, one in zip(solution.value, portfolios.curves.values, strict=True):
        rows = [(i, w, p) for i, project in enumerate(items(one)) for w, p in project]
        project, weight, profit = np.array(rows).T
        at_most_one = [(project == i).astype(float) for i in range(PROJECTS)]
        found = optimize.milp(
            -profit,
            constraints=[
                optimize.LinearConstraint(np.array(at_most_one), 0, 1),
                optimize.LinearConstraint(weight[None], 0, BUDGET),
            ],
            integrality=np.ones(len(rows)),
            bounds=optimize.Bounds(0, 1),
            options={"mip_rel_gap": 0.0},
        )
        # Profits are whole numbers.
        assert round(-found.fun) == round(float(value))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("parabola", 2, 10), "unknown problem 'parabola'"),
        (("log", 20, 10), "budget 10"),
        (("log", 0, 1), "0"),
    ],
)
def test_a_problem_that_cannot_be_is_refused(arguments: tuple[str, int, int], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Problem(*arguments)
