"""How a batch of portfolios runs: in pieces that fit the cache, and without the easy waiting for the hard.

Solvers are functions of one portfolio and `jax.vmap` batches them. These two wrappers leave a function of
one portfolio what it is, and say how its vmapped form is evaluated: `in_chunks` a few portfolios at a time,
`for_unfinished` only for those portfolios that need it, gathered into full chunks. Both stay inside jit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool

# How many numbers a chunk of portfolios may hold: a CPU's cache, an accelerator's memory.
CPU_ENTRIES, ACCELERATOR_ENTRIES = 1 << 19, 1 << 28
LEAST_CHUNK = 8
# Unfinished portfolios are few: a chunk that they do not fill is work for nothing.
UNFINISHED_SHARE = 4


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
    argument and result of one portfolio is an array [projects] or a number; numbers go as [1, portfolios].
    """
    size = chunk_size(entries)

    def widen(a: Any) -> Any:
        return jnp.reshape(a, (-1, 1))

    def one(*arguments: Any) -> Any:
        return jax.tree.map(lambda a: a[:, 0], function(*jax.tree.map(widen, arguments)))

    wrapped = custom_vmap(one)

    @wrapped.def_vmap
    def rule(axis_size: int, in_batched: Any, *arguments: Any) -> tuple[Any, Any]:
        arguments = _broadcast(axis_size, in_batched, arguments)
        across = lambda a: jnp.reshape(a, (a.shape[0], -1)).T  # noqa: E731
        run = lambda given: jax.tree.map(jnp.transpose, function(*jax.tree.map(across, given)))  # noqa: E731
        out = _chunk_by_chunk(run, list(arguments), axis_size, size)
        return out, jax.tree.map(lambda _: True, out)

    return wrapped


def for_unfinished(function: Callable[..., Any], entries: int) -> Callable[..., Any]:
    """`(finished, answer, *arguments) -> answer`: the answer itself if finished, else `function(*arguments)`.

    Vmapped, the unfinished portfolios are brought together and solved chunk by chunk until none is left.
    """
    size = chunk_size(UNFINISHED_SHARE * entries)

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
        each = min(size, axis_size)

        def solve_chunk(state: tuple[Array, Any]) -> tuple[Array, Any]:
            start, answer = state
            place = start + jnp.arange(each)
            # Past the last one, the last one again: what is written twice is the same.
            rows = order[jnp.minimum(place, count - 1)]
            solved = batched(*_take(given, rows))
            return start + each, jax.tree.map(lambda all_, new: all_.at[rows].set(new), answer, solved)

        _, out = jax.lax.while_loop(
            lambda state: state[0] < count, solve_chunk, (jnp.zeros_like(count), answer)
        )
        return out, jax.tree.map(lambda _: True, out)

    return wrapped


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
    spread = lambda batched, a: a if batched else jnp.broadcast_to(a, (axis_size, *jnp.shape(a)))  # noqa: E731
    return jax.tree.map(spread, in_batched, list(arguments))


def _take(arguments: Any, rows: Any) -> Any:
    return jax.tree.map(lambda a: a[rows], arguments)
