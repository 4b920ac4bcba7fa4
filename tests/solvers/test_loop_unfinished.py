"""The compacted loop against the plain one, member by member."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.solvers.batching import loop_unfinished


class Walk(NamedTuple):
    """A Collatz walk: where it stands, the steps it took, the greatest number it met, and its trace."""

    at: jax.Array
    steps: jax.Array
    greatest: jax.Array
    trace: jax.Array


LENGTH = 16


def begin(number: jax.Array) -> Walk:
    number = jnp.asarray(number, jnp.int64)
    return Walk(number, jnp.int32(0), number, jnp.zeros((LENGTH, 2), jnp.float64))


def unfinished(walk: Walk, goal: jax.Array) -> jax.Array:
    return walk.at != goal


def step(walk: Walk, goal: jax.Array) -> Walk:
    del goal
    at = jnp.where(walk.at % 2 == 0, walk.at // 2, 3 * walk.at + 1)
    trace = walk.trace.at[walk.steps % LENGTH, 0].add(jnp.asarray(at, jnp.float64))
    return Walk(at, walk.steps + 1, jnp.maximum(walk.greatest, at), trace)


def collatz(number: int) -> tuple[int, int]:
    """(steps to 1, the greatest number on the way)."""
    steps, greatest = 0, number
    while number != 1:
        number = number // 2 if number % 2 == 0 else 3 * number + 1
        steps, greatest = steps + 1, max(greatest, number)
    return steps, greatest


def walk_to_one(number: jax.Array, together: int) -> Walk:
    return loop_unfinished(unfinished, step, begin(number), jnp.int64(1), together)


@pytest.mark.parametrize("together", [1, 7, 64, 1000])
def test_every_member_takes_its_own_steps(together: int) -> None:
    # 0 to 350 steps: 27 takes 111, 97 takes 118, powers of two a handful, and 1 none.
    numbers = np.arange(1, 301)
    walks = jax.jit(jax.vmap(lambda n: walk_to_one(n, together)))(numbers)
    expected = np.array([collatz(int(n)) for n in numbers])
    np.testing.assert_array_equal(walks.steps, expected[:, 0])
    np.testing.assert_array_equal(walks.greatest, expected[:, 1])
    np.testing.assert_array_equal(walks.at, 1)


batched = jax.jit(jax.vmap(lambda n: walk_to_one(n, 4)))
single = jax.jit(lambda n: walk_to_one(n, 4))
plain = jax.jit(lambda n: jax.lax.while_loop(lambda w: unfinished(w, 1), lambda w: step(w, 1), begin(n)))


@given(numbers=st.lists(st.integers(1, 10_000), min_size=13, max_size=13))
def test_batch_single_and_plain_loop_agree_in_every_leaf(numbers: list[int]) -> None:
    together = batched(np.array(numbers))
    for i, number in enumerate(numbers):
        for one in (single(number), plain(number)):
            for mine, alone in zip(jax.tree.map(lambda leaf, i=i: leaf[i], together), one, strict=True):
                np.testing.assert_array_equal(mine, alone)


def test_batches_within_batches() -> None:
    numbers = np.arange(1, 41).reshape(8, 5)
    nested = jax.jit(jax.vmap(jax.vmap(lambda n: walk_to_one(n, 3))))(numbers)
    expected = np.vectorize(lambda n: collatz(n)[0])(numbers)
    np.testing.assert_array_equal(nested.steps, expected)


def test_what_is_given_may_differ_from_member_to_member() -> None:
    # From 27 down to each of three numbers on its way; the state itself is not batched.
    goals = np.array([27, 82, 41, 1])

    def walk(goal: jax.Array) -> Walk:
        return loop_unfinished(unfinished, step, begin(jnp.int64(27)), goal, 2)

    steps = jax.jit(jax.vmap(walk))(goals).steps
    np.testing.assert_array_equal(steps, [0, 1, 2, 111])


def test_an_accelerator_steps_more_members_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of 64 on a CPU; all of a hundred members on an accelerator, where thousands make a group."""

    def walk(number: jax.Array) -> Walk:
        return loop_unfinished(unfinished, step, begin(number), jnp.int64(1))

    def run() -> jax.Array:
        return jax.vmap(walk)(jnp.arange(1, 101)).steps

    def traced() -> str:
        return str(jax.make_jaxpr(lambda: run())())  # of a new function, since a trace is kept by function

    assert "i64[64]" in traced()
    steps = run()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert "i64[64]" not in traced()
    np.testing.assert_array_equal(run(), steps)
