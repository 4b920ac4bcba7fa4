"""Functions of one portfolio keep their answers however their batches run."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine.solvers import batching
from engine.solvers.batching import for_unfinished, in_chunks, projects_first

COUNTS = [1, 7, 16, 17, 100]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "LEAST_CHUNK", 8)
    monkeypatch.setattr(batching, "CPU_ENTRIES", 8)
    monkeypatch.setattr(batching, "ACCELERATOR_ENTRIES", 8)


def draw(count: int) -> tuple[jax.Array, jax.Array]:
    rng = np.random.default_rng(count)
    return jnp.asarray(rng.normal(size=(count, 5))), jnp.asarray(rng.normal(size=count))


def one(row: jax.Array, scale: jax.Array) -> dict[str, jax.Array]:
    return {"row": row * scale, "sum": jnp.sum(row) + scale}


def across(rows: jax.Array, scale: jax.Array) -> dict[str, jax.Array]:
    return {"row": rows * scale, "sum": (jnp.sum(rows, axis=0, keepdims=True) + scale)[0]}


def same(found: Any, expected: Any) -> None:
    # Sums of five numbers, in whatever order.
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-13, atol=1e-13), found, expected)


@pytest.mark.parametrize("count", COUNTS)
def test_chunks_answer_as_one_batch_does(count: int) -> None:
    rows, scales = draw(count)
    chunked = jax.jit(jax.vmap(in_chunks(one, entries=1)))
    same(chunked(rows, scales), jax.vmap(one)(rows, scales))


@pytest.mark.parametrize("count", COUNTS)
def test_projects_first_answers_as_one_batch_does(count: int) -> None:
    rows, scales = draw(count)
    found = jax.jit(jax.vmap(projects_first(across, entries=1)))(rows, scales)
    same(found, jax.vmap(one)(rows, scales))


def test_projects_first_is_a_function_of_one_portfolio_too() -> None:
    rows, scales = draw(3)
    same(projects_first(across, entries=1)(rows[0], scales[0]), one(rows[0], scales[0]))


def test_an_argument_may_be_shared_by_the_batch() -> None:
    rows, _ = draw(20)
    shared = jnp.asarray(3.0)
    expected = jax.vmap(one, in_axes=(0, None))(rows, shared)
    same(jax.vmap(in_chunks(one, entries=1), in_axes=(0, None))(rows, shared), expected)
    known = jax.tree.map(jnp.zeros_like, expected)
    solve = jax.vmap(for_unfinished(one, entries=1), in_axes=(None, 0, 0, None))
    same(solve(jnp.asarray(False), known, rows, shared), expected)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("alone", [False, True])
def test_only_the_unfinished_are_solved(count: int, share: float, alone: bool) -> None:
    rows, scales = draw(count)
    finished = jnp.asarray(np.random.default_rng(1).random(count) < share)
    known = {"row": jnp.full_like(rows, 7.0), "sum": jnp.full(count, 7.0)}
    expected = jax.vmap(one)(rows, scales)

    def choose(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.where(finished.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    unfinished = for_unfinished(one, entries=1, alone=alone)
    solve = jax.jit(jax.vmap(unfinished))
    same(solve(finished, known, rows, scales), jax.tree.map(choose, known, expected))
    first = jax.tree.map(lambda a: a[0], (finished, known, rows, scales))
    kept = jax.tree.map(lambda a, b: choose(a, b)[0], known, expected)
    same(unfinished(*first), kept)


def test_the_hard_are_solved_in_as_few_chunks_as_hold_them() -> None:
    runs = []

    def hard(x: jax.Array) -> jax.Array:
        jax.debug.callback(lambda: runs.append(1))
        return x + 1.0

    finished = jnp.asarray(np.arange(100) % 10 != 0)
    solve = jax.jit(jax.vmap(for_unfinished(hard, entries=1)))
    found = solve(finished, jnp.zeros(100), jnp.zeros(100))
    jax.effects_barrier()
    np.testing.assert_array_equal(found, np.where(finished, 0.0, 1.0))
    # Ten unfinished make two chunks of eight; all hundred would make thirteen.
    assert len(runs) == 2
