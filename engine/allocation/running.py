"""One way to run compiled code: rounds of a batch that fit in memory, a thread a core, x64 by dtype.

What runs in threads runs in the caller's setting of x64, which each thread has of its own. XLA leaves
Python's lock alone while it compiles and while it computes, so threads do either side by side.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import jax
import numpy as np

from engine.model.portfolio import Portfolio

# How many numbers the portfolios that go to a device at once may hold there. It takes millions of them to
# fill an accelerator, and every round waits for its way there and back.
ROUND_ENTRIES, ACCELERATOR_ROUND_ENTRIES = 30_000_000, 1 << 28
# Fewer portfolios than these are not worth a thread of their own.
LEAST_ROUND = 64
# The share of the memory mappings that Linux allows a process above which compiled code is dropped, to be
# compiled again: an answer for a new size takes 200 of 65,530, and a process out of them ends without a word.
MOST_MAPPINGS = 0.75
# Counting them takes some milliseconds where there are many, so it is done once in so many calls.
CALLS_BETWEEN = 64
T = TypeVar("T")
Item = TypeVar("Item")


_calls = itertools.count(1)


def mappings() -> tuple[int, int]:
    """How many memory mappings this process has, and how many it may have; 0 where nobody counts."""
    try:
        with Path("/proc/self/maps").open("rb") as file:
            return sum(1 for _ in file), int(Path("/proc/sys/vm/max_map_count").read_text())
    except OSError:
        return 0, 0


def make_room() -> None:
    """Drop compiled code, now and then, where it takes most of the memory mappings that there may be."""
    if next(_calls) % CALLS_BETWEEN:
        return
    used, most = mappings()
    if used > MOST_MAPPINGS * most:
        _executable.cache_clear()
        jax.clear_caches()


def cores() -> int:
    """How many threads of this process can run at once."""
    return len(os.sched_getaffinity(0))


def in_threads(function: Callable[[Item], T], items: Iterable[Item], threads: int) -> list[T]:
    """The function of each item, so many at a time; items are drawn from an iterator in this thread."""
    if threads == 1:
        return [function(item) for item in items]
    double = jax.config.jax_enable_x64  # type: ignore[attr-defined]

    def run(item: Item) -> T:
        with jax.enable_x64(double):
            return function(item)

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, items))


def compile_all(lowered: Iterable[jax.stages.Lowered]) -> list[jax.stages.Compiled]:
    """Compile programs side by side, the first ones while the next are still being traced."""
    return in_threads(lambda step: step.compile(), lowered, cores())


def on_host(function: Callable[..., T], *arguments: Any) -> T:
    """A function of a few host arrays, as host arrays: in float64 if any of them is.

    It is compiled, once for each function and shape: give one that has a name of its own, such as
    `Portfolio.returns`, rather than a new one each time.
    """
    make_room()
    bare = [
        dataclasses.replace(given, names=()) if isinstance(given, Portfolio) else given for given in arguments
    ]
    kinds = [np.asarray(leaf).dtype for leaf in jax.tree.leaves(bare)]
    with jax.enable_x64(np.dtype(np.float64) in kinds):
        return jax.tree.map(np.asarray, jax.jit(function)(*bare))


class Program(NamedTuple, Generic[T]):
    """A function of one portfolio, compiled for one and for a batch of them. One alone is traced and compiled
    in half the time."""

    alone: Callable[..., T]
    together: Callable[..., T]


def program(run: Callable[..., T], shared: int = 0) -> Program[T]:
    """The program of a function of (portfolio, one number, so many arguments that a batch shares)."""
    return Program(jax.jit(run), jax.jit(jax.vmap(run, in_axes=(0, 0, *[None] * shared))))


def batched(
    run: Program[T],
    portfolio: Any,
    numbers: np.ndarray,
    size: int,
    shared: Sequence[Any] = (),
    least: int = LEAST_ROUND,
) -> T:
    """Run a program of (portfolio, one number, what a batch shares) over one portfolio, or a batch of any
    leading axes, `size` portfolios at once, and no fewer than `least` a thread. A bet, which has `shape` and
    `names` too, is one as well."""
    make_room()
    batch = portfolio.shape[:-1]
    bare = dataclasses.replace(portfolio, names=()) if portfolio.names else portfolio
    if not batch:
        with jax.enable_x64(numbers.dtype == np.float64):
            return jax.tree.map(np.asarray, run.alone(bare, numbers, *shared))
    flat = jax.tree.map(lambda a: np.reshape(a, (-1, *a.shape[len(batch) :])), bare)
    rounds = _in_rounds(run.together, flat, numbers.reshape(-1), size, shared, least)
    return jax.tree.map(lambda *parts: np.concatenate(parts).reshape(batch + parts[0].shape[1:]), *rounds)


def one_after_another(solve: Callable[[Any, np.ndarray], T], given: Any, numbers: np.ndarray, axes: int) -> T:
    """A function of one of a batch and its numbers, for each in turn; `axes`, how many lead. For searches
    that branch on the host."""
    batch = numbers.shape[:axes]
    flat = jax.tree.map(lambda a: a.reshape(-1, *a.shape[axes:]), given)
    each = numbers.reshape(-1, *numbers.shape[axes:])
    found = [solve(jax.tree.map(lambda a, i=i: a[i], flat), each[i]) for i in range(each.shape[0])]
    return jax.tree.map(lambda *parts: np.stack(parts).reshape(batch + np.shape(parts[0])), *found)


def round_size(portfolio: Any, entries: int) -> int:
    """How many portfolios run at once, at so many numbers a project: bounded memory, whatever the batch."""
    room = ROUND_ENTRIES if jax.default_backend() == "cpu" else ACCELERATOR_ROUND_ENTRIES
    return max(1, room // (portfolio.shape[-1] * entries))


def _in_rounds(
    run: Callable[..., T], flat: Any, numbers: np.ndarray, size: int, shared: Sequence[Any], least: int
) -> list[T]:
    """Run round by round; the last one is filled up with its own last portfolio to keep one shape.

    On CPUs a round for each core runs at the same time: within one, XLA leaves cores idle where loops are
    short.
    """
    count = numbers.shape[0]
    threads = cores() if jax.default_backend() == "cpu" else 1
    threads = min(threads, max(1, count // least))
    size = max(1, min(size // threads, -(-count // threads)))

    def rows(start: int) -> tuple[Any, np.ndarray]:
        if start + size <= count:
            return jax.tree.map(lambda a: a[start : start + size], (flat, numbers))
        filled = np.minimum(np.arange(start, start + size), count - 1)
        return jax.tree.map(lambda a: a[filled], (flat, numbers))

    def answer(start: int) -> T:
        kept = min(size, count - start)
        return jax.tree.map(lambda a: np.asarray(a)[:kept], ready(*rows(start), *shared))

    ready, starts = run, range(0, count, size)
    with jax.enable_x64(numbers.dtype == np.float64):
        if threads > 1 and len(starts) > 1:  # compiled before the threads begin, so that it is compiled once
            ready = _executable(run, *_signature((*rows(0), *shared)))
        return in_threads(answer, starts, min(threads, len(starts)))


def _signature(arguments: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """What code is compiled for: the structure, and a shape for each array; numbers have the same of all."""
    leaves, structure = jax.tree.flatten(arguments)
    shapes = (
        jax.ShapeDtypeStruct(a.shape, a.dtype) if isinstance(a, np.ndarray) else type(a)(1) for a in leaves
    )
    return structure, tuple(shapes)


@functools.lru_cache(maxsize=256)
def _executable(run: Any, structure: Any, leaves: tuple[Any, ...]) -> Callable[..., Any]:
    return run.lower(*jax.tree.unflatten(structure, leaves)).compile()
