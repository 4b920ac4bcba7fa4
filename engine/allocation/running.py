"""One way to run compiled code over a batch: chunks that fit in memory, a thread a core, x64 by dtype."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar, cast

import jax
import numpy as np

from engine.model.portfolio import Portfolio

# How many numbers the portfolios that go to a device at once may hold there. It takes millions of them to
# fill an accelerator, and every chunk waits for its way there and back.
CHUNK_ENTRIES, ACCELERATOR_CHUNK_ENTRIES = 30_000_000, 1 << 28


LEAST_CHUNK = 64


T = TypeVar("T")


def batched(
    run: Callable[[Portfolio, np.ndarray], T], portfolio: Portfolio, numbers: np.ndarray, size: int
) -> T:
    """Run a function of (portfolios, one number each) over a batch of any leading axes, `size` at once."""
    batch = portfolio.shape[:-1]
    bare = dataclasses.replace(portfolio, names=())
    flat = jax.tree.map(lambda a: np.reshape(a, (-1, *a.shape[len(batch) :])), bare)
    chunks = _in_chunks(run, flat, numbers.reshape(-1), size)
    return jax.tree.map(lambda *parts: np.concatenate(parts).reshape(batch + parts[0].shape[1:])[()], *chunks)


def chunk_size(portfolio: Portfolio, entries: int) -> int:
    """How many portfolios run at once, at so many numbers a project: bounded memory, whatever the batch."""
    room = CHUNK_ENTRIES if jax.default_backend() == "cpu" else ACCELERATOR_CHUNK_ENTRIES
    return max(1, room // (portfolio.shape[-1] * entries))


def _in_chunks(
    run: Callable[[Portfolio, np.ndarray], T], flat: Portfolio, numbers: np.ndarray, size: int
) -> list[T]:
    """Run chunk by chunk; the last one is filled up with its own last portfolio to keep one shape.

    On CPUs a chunk for each core runs at the same time: within one, XLA leaves cores idle where loops are
    short.
    """
    count = numbers.shape[0]
    workers = min(_workers(), max(1, count // LEAST_CHUNK))
    size = max(1, min(size // workers, -(-count // workers)))

    def rows(start: int) -> tuple[Portfolio, np.ndarray]:
        part = slice(start, start + size)
        if start + size > count:
            return jax.tree.map(
                lambda a: a[np.minimum(np.arange(start, start + size), count - 1)], (flat, numbers)
            )
        return jax.tree.map(lambda a: a[part], (flat, numbers))

    def answer(start: int) -> T:
        with jax.enable_x64(numbers.dtype == np.float64):
            kept = min(size, count - start)
            return jax.tree.map(lambda a: np.asarray(a)[:kept], ready(*rows(start)))

    ready, starts = run, range(0, count, size)
    if workers == 1 or len(starts) == 1:
        return [answer(start) for start in starts]
    if isinstance(run, jax.stages.Wrapped):  # compiled before the threads begin, so that it is compiled once
        with jax.enable_x64(numbers.dtype == np.float64):
            ready = _executable(cast(Any, run), *_signature(rows(0)))
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(answer, starts))


def _workers() -> int:
    return len(os.sched_getaffinity(0)) if jax.default_backend() == "cpu" else 1


def _signature(arguments: Any) -> tuple[Any, tuple[jax.ShapeDtypeStruct, ...]]:
    leaves, structure = jax.tree.flatten(arguments)
    return structure, tuple(jax.ShapeDtypeStruct(a.shape, a.dtype) for a in leaves)


@functools.lru_cache(maxsize=256)
def _executable(run: Any, structure: Any, leaves: tuple[jax.ShapeDtypeStruct, ...]) -> Callable[..., Any]:
    return run.lower(*jax.tree.unflatten(structure, leaves)).compile()
