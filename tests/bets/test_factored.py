"""Positive definite systems against NumPy, and many of them side by side."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine import Log, Portfolio, Uncertain, bet
from engine.bets.factored import factored, solved


@pytest.mark.parametrize("size", [1, 2, 7, 20])
def test_systems_are_solved_as_numpy_solves_them(size: int) -> None:
    rng = np.random.default_rng(size)
    square = rng.normal(size=(5, size, size))
    matrix = square @ np.swapaxes(square, 1, 2) + 0.1 * np.eye(size)
    right = rng.normal(size=(5, size))
    columns = jax.vmap(factored)(jnp.asarray(matrix))
    np.testing.assert_allclose(np.swapaxes(columns, 1, 2), np.linalg.cholesky(matrix), rtol=1e-9, atol=1e-9)
    found = jax.vmap(solved)(columns, jnp.asarray(right))
    np.testing.assert_allclose(found, np.linalg.solve(matrix, right[..., None])[..., 0], rtol=1e-7, atol=1e-9)


def test_what_is_not_positive_definite_is_no_number() -> None:
    assert np.isnan(factored(jnp.asarray([[1.0, 2.0], [2.0, 1.0]]))).any()


def test_large_batches_in_several_threads_end() -> None:
    """They once waited for each other for ever."""
    rng = np.random.default_rng(0)
    curves = Log(rng.uniform(1.0, 5.0, (400, 32, 20)), rng.uniform(0.05, 0.5, (400, 32, 20)))
    given = Uncertain(Portfolio(curves))
    together = bet(given, 20.0, objective="mean_cvar", aversion=0.5, tail=0.25)
    assert np.all(together.proved | (together.gap < 1e-5))
    alone = bet(jax.tree.map(lambda a: a[7], given), 20.0, objective="mean_cvar", aversion=0.5, tail=0.25)
    assert float(alone.value) == pytest.approx(float(together.value[7]), rel=1e-6)
