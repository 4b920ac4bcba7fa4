"""The ceilings of a machine: how fast JAX moves bytes and computes there, and what a launch takes.

Each is measured by code that does nothing else, on arrays larger than the cache, as the median of `REPEATS`
after a warm-up. benchmarks/floors.py says what the operations are.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from benchmarks.floors import Rates

REPEATS, LEAST_SECONDS, MOST_CALLS = 7, 0.02, 200
# Bytes of the arrays that are copied, and of those that are computed with.
COPIED = {"gpu": 1 << 30, "cpu": 64 << 20}
COMPUTED = {"gpu": 1 << 28, "cpu": 1 << 22}
# Independent operations at every element, and how many of each follow one another: far more than it takes to
# hide the bytes and the latency.
CHAINS, LINKS = 4, 64


def median_seconds(run: Callable[[int], Any], repeats: int = REPEATS) -> tuple[float, float, int]:
    """(seconds of a call, spread of the repeats, calls in a repeat), after a warm-up of two.

    `run(turn)` starts the call of this number; a repeat is as many calls as last `LEAST_SECONDS` together,
    waited for once.
    """
    jax.block_until_ready(run(0))
    begin = time.perf_counter()
    jax.block_until_ready(run(1))
    calls = max(1, min(MOST_CALLS, round(LEAST_SECONDS / (time.perf_counter() - begin))))
    seconds, turn = [], 2
    for _ in range(repeats):
        begin = time.perf_counter()
        for _ in range(calls):
            last, turn = run(turn), turn + 1
        jax.block_until_ready(last)
        seconds.append((time.perf_counter() - begin) / calls)
    middle = statistics.median(seconds)
    return middle, (max(seconds) - min(seconds)) / middle, calls


def chained(
    link: Callable[[Array, int], Array], join: Callable[[Array, Array], Array]
) -> Callable[..., Array]:
    """A function of one array: `LINKS` links of each of `CHAINS` independent chains at every element."""

    def run(start: Array) -> Array:
        chains = [link(start, number) for number in range(CHAINS)]
        for _ in range(LINKS - 1):
            chains = [link(chain, number) for number, chain in enumerate(chains)]
        found = chains[0]
        for chain in chains[1:]:
            found = join(found, chain)
        return found

    return run


def links_per_second(
    link: Callable[[Array, int], Array], join: Callable[[Array, Array], Array], dtype: str
) -> float:
    """How many links of such chains the machine does a second."""
    size = COMPUTED[jax.default_backend()] // np.dtype(dtype).itemsize
    start = jnp.asarray(np.random.default_rng(0).uniform(1, 2, size), dtype)
    run = jax.jit(chained(link, join))
    return size * CHAINS * LINKS / median_seconds(lambda _: run(start))[0]


def mixes_per_second() -> float:
    """Rounds per second of the generator of random numbers."""
    size = COMPUTED[jax.default_backend()] // 4
    words = [jnp.asarray(np.random.default_rng(n).integers(0, 1 << 32, size, np.uint32)) for n in (0, 1)]

    def rounds(one: Array, two: Array) -> Array:
        for link in range(LINKS):
            turn = 13 + link % 8
            one = one + two
            two = one ^ ((two << turn) | (two >> (32 - turn)))
        return one ^ two

    run = jax.jit(rounds)
    return size * LINKS / median_seconds(lambda _: run(*words))[0]


def bytes_per_second() -> float:
    """Read and written, of a large array plus one."""
    start = jnp.ones(COPIED[jax.default_backend()] // 4, jnp.float32)
    run = jax.jit(lambda a: a + 1)
    return 2 * start.nbytes / median_seconds(lambda _: run(start))[0]


def loop_seconds() -> dict[str, float]:
    """What a call of next to nothing takes, waited for, and a step of a loop that ends by its data."""
    small = jax.jit(lambda a: a + 1)
    steps = jax.jit(
        lambda end: jax.lax.while_loop(lambda a: jnp.any(a < end), lambda a: a + 1, jnp.zeros(64))
    )
    calls = median_seconds(lambda turn: jax.block_until_ready(small(jnp.float32(turn))))[0]
    few, many = (median_seconds(lambda _, end=end: steps(end))[0] for end in (10.0, 1010.0))
    return {"call": calls, "loop_step": (many - few) / 1000}


def measure_machine() -> dict[str, Any]:
    """The ceilings that the floors stand on."""

    def fused(a: jax.Array, n: int) -> jax.Array:
        return a * (0.9 + 0.01 * n) + 0.1

    def paired(a: jax.Array, n: int) -> jax.Array:
        return jnp.maximum(a + (0.01 * n - 0.025), 1.5 + 0.01 * n)

    found: dict[str, Any] = {"bandwidth": bytes_per_second(), "mixes": mixes_per_second()}
    for dtype in ("float32", "float64"):
        with jax.enable_x64(dtype == "float64"):
            found[dtype] = {
                "flops": 2 * links_per_second(fused, jnp.add, dtype),
                "pairs": links_per_second(paired, jnp.maximum, dtype),
            }
    return found | {"seconds": loop_seconds()}


def rates_of(ceilings: dict[str, Any], dtype: str) -> Rates:
    """Those of one precision."""
    own = ceilings[dtype]
    return Rates(ceilings["bandwidth"], own["flops"], own["pairs"], ceilings["mixes"])
