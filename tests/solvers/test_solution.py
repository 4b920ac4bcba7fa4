"""The words of a status."""

from __future__ import annotations

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import engine
from engine import Status
from engine.allocation.allocate import solve


@pytest.mark.parametrize("status", Status)
def test_every_status_says_what_it_means(status: Status) -> None:
    assert len(status.message) >= len("solved")
    assert Status(int(status)) is status
    assert pickle.loads(pickle.dumps(status)) is status
    # It is its number in arrays too, compiled or not.
    same = jax.jit(lambda numbers: numbers == status)(jnp.arange(len(Status)))
    np.testing.assert_array_equal(same, np.arange(len(Status)) == status)


def test_a_batch_has_the_number_of_each() -> None:
    curves = engine.Log(scale=[[1.0, 1.0], [1.0, 1.0], [1e308, 1e308]], rate=[[1.0, 1.0]] * 3)
    lower = np.array([[0.0, 0.0], [3.0, 3.0], [0.0, 0.0]])
    answers = solve(engine.Portfolio(curves, lower=lower), 4.0, "greedy")
    np.testing.assert_array_equal(answers.status, [Status.SOLVED, Status.INFEASIBLE, Status.NOT_FINITE])
