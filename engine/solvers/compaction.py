"""Compaction: a batched `while_loop` that does not wait for its slowest member.

`jax.vmap` of a `while_loop` steps every member of the batch until the last one ends. Where a few members
need a hundred times the steps of most, nearly all of that work is thrown away. `loop_unfinished` is a
`while_loop` for one member whose batched form works in rounds: take the members that are not done, a
fixed number of them at a time, step those until half of them are done, put them back, and so on. Each
member takes exactly the steps that it would have taken alone.

Cost: about twice the steps that the members need themselves at most, plus one gather and one scatter of
the state a round; the last group waits for its slowest member.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool, Int

State = TypeVar("State")
Given = TypeVar("Given")

# Members that are stepped together. Small enough that their states stay in a processor's cache, and that
# few of them wait for one another; large enough to fill its vector units.
TOGETHER = 64


def loop_unfinished(
    unfinished: Callable[[State, Given], Bool[Array, ""]],
    step: Callable[[State, Given], State],
    state: State,
    given: Given,
    together: int = TOGETHER,
) -> State:
    """`while unfinished(state, given): state = step(state, given)`, compacted under `jax.vmap`.

    **Arguments:** `given`, what the loop reads and does not change. Whatever is batched has to be there or
    in the state: a function that closes over a batched array cannot be compacted.
    """

    @custom_vmap
    def loop(state: State, given: Given) -> State:
        return jax.lax.while_loop(lambda s: unfinished(s, given), lambda s: step(s, given), state)

    @loop.def_vmap
    def batched(size: int, in_batched: Any, state: State, given: Given) -> tuple[State, Any]:
        spread = lambda leaf, is_batched: leaf if is_batched else jnp.broadcast_to(leaf, (size, *leaf.shape))  # noqa: E731
        state = jax.tree.map(spread, state, in_batched[0])
        given = jax.tree.map(spread, given, in_batched[1])
        done = _in_rounds(unfinished, step, state, given, min(together, size))
        return done, jax.tree.map(lambda _: True, done)

    return loop(state, given)


def _in_rounds(
    unfinished: Callable[[State, Given], Bool[Array, ""]],
    step: Callable[[State, Given], State],
    states: State,
    given: Given,
    together: int,
) -> State:
    """Step the batch group by group, refilling a group once half of it is done."""
    open_ = jax.vmap(unfinished)
    advance = jax.vmap(step)

    def round_(carry: tuple[State, Bool[Array, " members"]]) -> tuple[State, Bool[Array, " members"]]:
        states, waiting = carry
        # The first members that wait; padded by the others, which are done and stay as they are.
        members = jnp.argsort(~waiting, stable=True)[:together]
        group, theirs = _take(states, members), _take(given, members)
        more = jnp.sum(waiting) > together
        enough = jnp.where(more, together // 2, 0)

        def busy(carry: tuple[State, Bool[Array, " group"]]) -> Bool[Array, ""]:
            return jnp.sum(carry[1], dtype=jnp.int32) > enough

        def step_group(carry: tuple[State, Bool[Array, " group"]]) -> tuple[State, Bool[Array, " group"]]:
            group, active = carry
            group = _where(active, advance(group, theirs), group)
            return group, active & open_(group, theirs)

        group, active = jax.lax.while_loop(busy, step_group, (group, waiting[members]))
        states = jax.tree.map(lambda all_, part: all_.at[members].set(part), states, group)
        return states, waiting.at[members].set(active)

    begin = states, open_(states, given)
    return jax.lax.while_loop(lambda carry: jnp.any(carry[1]), round_, begin)[0]


def _take(tree: State, members: Int[Array, " group"]) -> State:
    return jax.tree.map(lambda leaf: leaf[members], tree)


def _where(active: Bool[Array, " group"], new: State, old: State) -> State:
    """The new state of the active members, the old one of the others."""

    def choose(new: Array, old: Array) -> Array:
        return jnp.where(active.reshape(-1, *[1] * (new.ndim - 1)), new, old)

    return jax.tree.map(choose, new, old)
