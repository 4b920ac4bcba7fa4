"""How a batch of portfolios runs: in pieces that fit the cache, and without the easy waiting for the hard.

Solvers are functions of one portfolio and `jax.vmap` batches them. These wrappers leave a function of one
portfolio what it is, and say how its vmapped form is evaluated:

- `in_chunks`: a few portfolios at a time;
- `projects_first`: a few at a time, written by its author for many, as arrays [projects, portfolios];
- `for_unfinished`: only for those portfolios that need it, gathered into full chunks;
- `one_by_one`: item after item, each of all portfolios;
- `loop_unfinished`: a `while_loop` that steps only those members that are not done yet;
- `on_gpu`: on a GPU, as one kernel that its author wrote for many.

All stay inside jit.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool

from engine.solvers.kernel import available, by_device

State = TypeVar("State")
Given = TypeVar("Given")
# How many numbers a chunk of portfolios may hold: a CPU's cache, an accelerator's memory.
CPU_ENTRIES, ACCELERATOR_ENTRIES = 1 << 19, 1 << 30
LEAST_CHUNK = 8
# Unfinished portfolios are few: a chunk that they do not fill is work for nothing. On a CPU it is a share of
# other chunks; on an accelerator as many as keep it busy, or few, where no more are left.
CPU_UNFINISHED_SHARE, ACCELERATOR_UNFINISHED, ACCELERATOR_FEW = 4, 1 << 14, 1 << 9
# Members of a loop that are stepped together. On a CPU small enough that their states stay in its cache, and
# that few of them wait for one another, and large enough for its vector units. An accelerator has a hundred
# thousand threads to fill, and a member's step is a few dozen numbers wide.
CPU_TOGETHER, ACCELERATOR_TOGETHER = 64, 1 << 13


def choose(condition: Bool[Array, "*batch"], one: State, other: State) -> State:
    """`one` where the condition holds, else `other`, in every leaf; the condition's axes lead theirs."""

    def choose_leaf(a: Array, b: Array) -> Array:
        return jnp.where(condition.reshape(*condition.shape, *[1] * (a.ndim - condition.ndim)), a, b)

    return jax.tree.map(choose_leaf, one, other)


def chunk_size(entries: int) -> int:
    """How many portfolios of so many numbers in memory make a chunk."""
    room = CPU_ENTRIES if jax.default_backend() == "cpu" else ACCELERATOR_ENTRIES
    return max(LEAST_CHUNK, room // max(entries, 1))


def in_chunks(function: Callable[..., Any], entries: int) -> Callable[..., Any]:
    """`function` of one portfolio, whose vmapped form runs chunk by chunk; `entries` is how many numbers one
    portfolio keeps in memory."""
    size = chunk_size(entries)
    wrapped = custom_vmap(function)

    @wrapped.def_vmap
    def rule(axis_size: int, in_batched: Any, *arguments: Any) -> tuple[Any, Any]:
        arguments = _broadcast(axis_size, in_batched, arguments)
        out = _chunk_by_chunk(lambda given: jax.vmap(function)(*given), arguments, axis_size, size)
        return out, jax.tree.map(lambda _: True, out)

    return wrapped


def projects_first(function: Callable[..., Any], entries: int) -> Callable[..., Any]:
    """`function` of many portfolios, arrays [projects, portfolios], as a function of one portfolio.

    Sums over projects then run along whole vectors of portfolios, which is what a CPU does best. Every
    argument and result of one portfolio is an array [projects, ...] or a number; numbers go in as
    [1, portfolios] and come out as [portfolios].
    """
    size = chunk_size(entries)

    def widen(a: Any) -> Any:
        return jnp.expand_dims(jnp.atleast_1d(a), 1)

    def one(*arguments: Any) -> Any:
        found = function(*jax.tree.map(widen, arguments))
        return jax.tree.map(lambda a: a[0] if a.ndim == 1 else a[:, 0], found)

    wrapped = custom_vmap(one)

    @wrapped.def_vmap
    def rule(axis_size: int, in_batched: Any, *arguments: Any) -> tuple[Any, Any]:
        arguments = _broadcast(axis_size, in_batched, arguments)

        def run(given: Any) -> Any:
            across = jax.tree.map(lambda a: a[None] if a.ndim == 1 else jnp.swapaxes(a, 0, 1), given)
            return jax.tree.map(lambda a: a if a.ndim == 1 else jnp.swapaxes(a, 0, 1), function(*across))

        out = _chunk_by_chunk(run, list(arguments), axis_size, size)
        return out, jax.tree.map(lambda _: True, out)

    return wrapped


def one_by_one(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """`function` of one item, over a leading axis of items in turn. Its vmapped form takes an item of all
    members together, so that the wrappers within it see a batch, as they would a loop's own body not."""

    def in_turn(items: Any) -> Any:
        return jax.lax.map(function, items)

    wrapped = custom_vmap(in_turn)

    @wrapped.def_vmap
    def rule(axis_size: int, in_batched: Any, items: Any) -> tuple[Any, Any]:
        (items,) = _broadcast(axis_size, in_batched, (items,))
        across = jax.tree.map(lambda a: jnp.swapaxes(a, 0, 1), items)
        out = jax.lax.map(jax.vmap(function), across)
        return jax.tree.map(lambda a: jnp.swapaxes(a, 0, 1), out), jax.tree.map(lambda _: True, out)

    return wrapped


def on_gpu(function: Callable[..., Any], kernel: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of one portfolio, whose vmapped form on an NVIDIA GPU is `kernel`, of many: the same
    arguments and results with a leading axis."""
    if not available():
        return function
    wrapped, many = custom_vmap(function), custom_vmap(kernel)

    @wrapped.def_vmap
    def rule(axis_size: int, in_batched: Any, *arguments: Any) -> tuple[Any, Any]:
        arguments = _broadcast(axis_size, in_batched, arguments)
        out = by_device(many, jax.vmap(function))(*arguments)
        return out, jax.tree.map(lambda _: True, out)

    @many.def_vmap
    def fold(axis_size: int, in_batched: Any, *arguments: Any) -> tuple[Any, Any]:
        arguments = _broadcast(axis_size, in_batched, arguments)
        out = many(*jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), arguments))
        return jax.tree.map(lambda a: a.reshape(axis_size, -1, *a.shape[1:]), out), jax.tree.map(
            lambda _: True, out
        )

    return wrapped


def for_unfinished(function: Callable[..., Any], entries: int, *, alone: bool = False) -> Callable[..., Any]:
    """`(finished, answer, *arguments) -> answer`: the answer itself if finished, else `function(*arguments)`.

    Vmapped, the unfinished portfolios are brought together and solved chunk by chunk until none is left.
    `alone`: on a CPU one after the other, for functions whose loops differ in length.
    """
    sizes = _unfinished_sizes(entries, alone)

    def one(finished: Bool[Array, ""], answer: Any, *arguments: Any) -> Any:
        return jax.lax.cond(finished, lambda: answer, lambda: function(*arguments))

    wrapped = custom_vmap(one)

    @wrapped.def_vmap
    def rule(
        axis_size: int, in_batched: Any, finished: Bool[Array, " n"], answer: Any, *arguments: Any
    ) -> tuple[Any, Any]:
        finished, answer, *given = _broadcast(axis_size, in_batched, (finished, answer, *arguments))
        order = jnp.argsort(finished, stable=True)
        count = jnp.sum(~finished)
        batched = jax.vmap(function)

        def solve_chunk(each: int, start: Array, answer: Any) -> tuple[Array, Any]:
            place = start + jnp.arange(each)
            # Past the last one, the last one again: what is written twice is the same.
            rows = order[jnp.minimum(place, count - 1)]
            rows, solve = (rows[0], function) if each == 1 else (rows, batched)
            solved = solve(*_take(given, rows))
            return start + each, jax.tree.map(lambda all_, new: all_.at[rows].set(new), answer, solved)

        def solve_next(state: tuple[Array, Any]) -> tuple[Array, Any]:
            each, *fewer = dict.fromkeys(min(size, axis_size) for size in sizes)
            if not fewer:
                return solve_chunk(each, *state)
            few = count - state[0] <= fewer[0]
            return jax.lax.cond(few, partial(solve_chunk, fewer[0]), partial(solve_chunk, each), *state)

        begin = jnp.zeros_like(count), answer
        _, out = jax.lax.while_loop(lambda state: state[0] < count, solve_next, begin)
        return out, jax.tree.map(lambda _: True, out)

    return wrapped


def _unfinished_sizes(entries: int, alone: bool) -> list[int]:
    """How many unfinished portfolios make a chunk: as a rule, and where few are left."""
    if jax.default_backend() == "cpu":
        return [1 if alone else chunk_size(CPU_UNFINISHED_SHARE * entries)]
    most = min(chunk_size(entries), ACCELERATOR_UNFINISHED)
    return [most, min(most, ACCELERATOR_FEW)]


def loop_unfinished(
    unfinished: Callable[[State, Given], Bool[Array, ""]],
    step: Callable[[State, Given], State],
    state: State,
    given: Given,
    together: int | None = None,
) -> State:
    """`while unfinished(state, given): state = step(state, given)`, not waiting for the slowest under `vmap`.

    `jax.vmap` of a `while_loop` steps every member of the batch until the last one ends. This one works in
    rounds: take the members that are not done, `together` of them, step those until half of them are done,
    put them back, and so on. Each member takes exactly the steps that it would have taken alone. Cost: at
    most about twice those steps, plus one gather and one scatter of the state a round.

    **Arguments:** `given`, what the loop reads and does not change. Whatever is batched has to be there or
    in the state: a function that closes over a batched array cannot be compacted. `together`, as many as suit
    the device unless given.
    """
    if together is None:
        together = CPU_TOGETHER if jax.default_backend() == "cpu" else ACCELERATOR_TOGETHER

    @custom_vmap
    def loop(state: State, given: Given) -> State:
        return jax.lax.while_loop(lambda s: unfinished(s, given), lambda s: step(s, given), state)

    @loop.def_vmap
    def rule(axis_size: int, in_batched: Any, *arguments: Any) -> tuple[State, Any]:
        state, given = _broadcast(axis_size, in_batched, arguments)
        done = _in_rounds(unfinished, step, state, given, min(together, axis_size))
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
            group = choose(active, advance(group, theirs), group)
            return group, active & open_(group, theirs)

        group, active = jax.lax.while_loop(busy, step_group, (group, waiting[members]))
        states = jax.tree.map(lambda all_, part: all_.at[members].set(part), states, group)
        return states, waiting.at[members].set(active)

    begin = states, open_(states, given)
    return jax.lax.while_loop(lambda carry: jnp.any(carry[1]), round_, begin)[0]


def _chunk_by_chunk(run: Callable[[Any], Any], arguments: Any, count: int, size: int) -> Any:
    """`run` on `size` rows of the arguments at a time, the last ones filled up with the last row."""
    if count <= size:
        return run(arguments)
    chunks = -(-count // size)
    each = -(-count // chunks)
    rows = jnp.minimum(jnp.arange(chunks * each), count - 1).reshape(chunks, each)
    parts = jax.lax.map(lambda index: run(_take(arguments, index)), rows)
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[:count], parts)


def _broadcast(axis_size: int, in_batched: Any, arguments: Any) -> Any:
    """All arguments with a leading batch axis."""

    def spread(batched: bool, a: Any) -> Any:
        return a if batched else jnp.broadcast_to(a, (axis_size, *jnp.shape(a)))

    return jax.tree.map(spread, in_batched, list(arguments))


def _take(arguments: Any, rows: Any) -> Any:
    return jax.tree.map(lambda a: a[rows], arguments)
