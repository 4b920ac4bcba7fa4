"""The benchmark of units: what is scaled, what a claim loses, and how a page shows it."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from benchmarks import peer_comparison, units
from benchmarks.instances import draw
from benchmarks.peer_comparison import Result

GIVEN = ["--seconds", "0", "--least", "2", "--rounds", "1", "--python", sys.executable]


def answers(effort: list[list[float]], claims: list[bool]) -> Result:
    about = {"versions": {"numpy": "2"}}
    return Result("peer", {"effort": np.array(effort), "claims": np.array(claims), "about": about})


def test_a_factor_changes_values_and_not_what_is_best() -> None:
    instances = draw("hill", 3, 9, 2)
    effort = np.array([[3.0, 3.0, 3.0], [9.0, 0.0, 0.0]])
    scaled = units.in_units(instances, 1e-12)
    np.testing.assert_allclose(scaled.returns(effort), 1e-12 * instances.returns(effort), rtol=1e-14)


def test_rows_tell_what_a_claim_loses() -> None:
    instances = draw("log", 2, 8, 2)
    found = {
        ("good", 1.0): answers([[4, 4], [4, 4]], [True, True]),
        ("bad", 1.0): answers([[4, 4], [0, 0]], [True, True]),
        ("modest", 1.0): answers([[4, 4], [0, 0]], [True, False]),
        ("over", 1.0): answers([[9, 9], [4, 4]], [True, True]),
        ("silent", 1.0): answers([[4, 4], [0, 0]], [False, False]),
        ("absent", 1.0): Result("absent", failure="not here"),
    }
    rows = {row["contender"]: row for row in units.rows_of(instances, "integer", found)}
    assert (rows["good"]["claimed_loss_worst"], rows["good"]["wrong_claims"]) == (0.0, 0.0)
    assert (rows["bad"]["claimed_loss_worst"], rows["bad"]["wrong_claims"]) == (1.0, 0.5)
    assert (rows["modest"]["claimed_loss_worst"], rows["modest"]["claims"]) == (0.0, 0.5)
    assert rows["over"]["claimed_loss_worst"] == 1.0
    assert rows["absent"]["failed"] == "not here"
    lines = units.page(list(rows.values())).splitlines()
    assert lines[:4] == ["log, integer:", "", "| | 1 |", "| --- | ---: |"]
    assert lines[4:10] == [
        "| good | 0 |",
        "| bad | 100 % |",
        "| modest | 0 (50 %) |",
        "| over | 100 % |",
        "| silent | no claim |",
        "| absent | no answer |",
    ]


@pytest.mark.parametrize("factor", [1e-100, 1e12])
def test_ours_is_proved_in_any_unit(factor: float) -> None:
    given: Any = peer_comparison.arguments([*GIVEN, "--peers", "slsqp"])
    given.factors = [1.0, factor]
    instances = draw("hill", 3, 9, 2)
    rows = units.rows_of(instances, "integer", units.solve(instances, "integer", given, {}))
    assert [(row["contender"], row["factor"]) for row in rows] == [
        ("engine exact f64", f) for f in given.factors
    ]
    for row in rows:
        assert row["claims"] == 1.0
        assert row["claimed_loss_worst"] < 1e-12
