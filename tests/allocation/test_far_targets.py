"""Targets beyond the budget curves that fit, against curves that do, and by the definition of the target."""

from __future__ import annotations

import numpy as np
import pytest

import engine
from engine import Hill, Portfolio, budget_for
from engine.allocation import targets as targets_module

CURVES = {
    "S-shaped": Portfolio(Hill([10.0, 20.0, 15.0], [40.0, 60.0, 30.0], [2.5, 1.5, 3.0])),
    "costs": Portfolio(Hill([10.0, 20.0, 15.0], [40.0, 60.0, 30.0], [2.5, 1.5, 3.0]), cost=[2.0, 3.0, 1.0]),
}


@pytest.mark.parametrize(
    ("name", "kind"), [("S-shaped", "value"), ("costs", "return_per_unit"), ("costs", "price")]
)
def test_allocations_find_what_a_budget_curve_shows(
    name: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for target in {"value": (3.0, 20.0, 30.0), "return_per_unit": (0.1, 0.15), "price": (0.02, 0.1)}[kind]:
        near = budget_for(CURVES[name], **{kind: target})
        with monkeypatch.context() as patch:
            patch.setattr(targets_module, "LONG_CURVE", 0.0)
            patch.setattr("engine.solvers.lattice.BRIEF_WORK", 0.0)
            far = budget_for(CURVES[name], **{kind: target})
        assert far.allocation.budget == near.allocation.budget
        assert far.proved
        np.testing.assert_allclose(far.allocation.value, near.allocation.value, rtol=1e-12)


def test_the_largest_spend_of_a_return_is_the_largest() -> None:
    """Five curves at budgets of hundreds of thousands, where a budget curve would take hours."""
    curves = Hill(
        [65531.0, 254480.0, 289294.0, 115675.0, 699419.0],
        [6264.7, 96846.7, 21620.3, 12685.4, 93830.7],
        [1.636, 0.501, 0.889, 2.875, 0.970],
    )
    found = budget_for(curves, return_per_unit=4.0)
    budget = float(found.allocation.budget)
    assert found.proved
    assert found.allocation.value >= 4.0 * budget
    for more in (1.0, 2.0, 10.0, 1000.0):
        assert engine.allocate(curves, budget + more).value < 4.0 * (budget + more)


def test_the_least_budget_of_a_value_is_the_least() -> None:
    curves = Hill([10.0, 20.0, 15.0], [4e6, 6e6, 3e6], [2.5, 1.5, 3.0])
    budget = float(budget_for(curves, value=30.0).allocation.budget)
    assert engine.allocate(curves, budget).value >= 30.0 * (1 - 1e-14)
    assert engine.allocate(curves, budget - 1.0).value < 30.0


def test_a_value_that_takes_trillions_of_units() -> None:
    """log(1 + b) is 30 from b = e³⁰ − 1 on, 1.07e13; a part in 1e13 of the value is two units there."""
    found = budget_for(engine.Log([1.0], 1.0), value=30.0)
    np.testing.assert_allclose(found.allocation.budget, np.expm1(30.0), rtol=1e-12)
