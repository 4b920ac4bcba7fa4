"""Statistics: what is measured of each solution, and summaries that merge.

`measure` turns one solution into `METRICS`, plain numbers. `summarise` reduces a block of them under jit to
count, mean, sum of squared deviations, least, largest, and a histogram for quantiles; `merge` joins two
summaries in float64 on the host. Merged in block order, a summary does not depend on who computed which
block, and its size does not depend on how many portfolios it stands for.

Source: Chan, Golub & LeVeque (1983) for merging means and squared deviations.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

# Copies of a histogram on an accelerator: its threads count side by side, and those that count in the same
# bin wait for one another, of a flag or a gap of 0 all of them.
ACCELERATOR_COPIES = 64
# Bins of the histogram: one for everything up to LEAST, which is what summing in another order makes, then
# BINS logarithmic ones up to MOST, so that a quantile is known to within 2.1 % of itself.
LEAST, MOST, BINS = 1e-12, 1e6, 2000
# The bin of 1.
ONE = math.ceil(BINS * math.log(1 / LEAST) / math.log(MOST / LEAST))


class Summary(NamedTuple):
    """Of one metric over many portfolios; `counts` is the histogram."""

    count: Float[Array, ""]  # type: ignore[assignment]
    mean: Float[Array, ""]
    squares: Float[Array, ""]
    least: Float[Array, ""]
    largest: Float[Array, ""]
    counts: Float[Array, " bins"]


def summarise(values: Float[Array, " portfolios"], counted: Bool[Array, " portfolios"]) -> Summary:
    """The summary of those values that are counted and are numbers, of one block."""
    counted = counted & jnp.isfinite(values)
    clean = jnp.where(counted, values, 0.0)
    count = jnp.sum(counted, dtype=values.dtype)
    mean = jnp.sum(clean) / jnp.maximum(count, 1.0)
    squares = jnp.sum(jnp.where(counted, (clean - mean) ** 2, 0.0))
    place = jnp.log(jnp.maximum(clean, LEAST) / LEAST) * (BINS / float(np.log(MOST / LEAST)))
    bins = jnp.clip(jnp.ceil(place), 0, BINS).astype(jnp.int32)
    return Summary(
        count=count,
        mean=mean,
        squares=squares,
        least=jnp.min(jnp.where(counted, values, jnp.inf)),
        largest=jnp.max(jnp.where(counted, values, -jnp.inf)),
        counts=histogram(bins, counted).astype(values.dtype),
    )


def histogram(bins: Int[Array, " portfolios"], counted: Bool[Array, " portfolios"]) -> Int[Array, " bins"]:
    """How many of those counted are in each bin; whole numbers, so that their order does not matter."""
    if jax.default_backend() == "cpu":
        return jnp.zeros(BINS + 1, jnp.int32).at[bins].add(counted.astype(jnp.int32))
    copy = jnp.arange(bins.size, dtype=jnp.int32) % ACCELERATOR_COPIES
    # Zeros and ones, all that flags are, are summed; what is not counted has no place.
    often = (0, ONE)
    place = jnp.where(counted & (bins != 0) & (bins != ONE), bins, BINS + 1)
    counts = jnp.zeros((ACCELERATOR_COPIES, BINS + 1), jnp.int32).at[copy, place].add(1, mode="drop")
    sums = [jnp.sum(counted & (bins == common), dtype=jnp.int32) for common in often]
    return jnp.sum(counts, axis=0, dtype=jnp.int32).at[jnp.array(often)].set(jnp.stack(sums))


def merge(one: Summary | None, other: Summary) -> Summary:
    """The summary of both, in float64."""
    other = Summary(*(np.asarray(part, np.float64) for part in other))  # type: ignore[arg-type]
    if one is None:
        return other
    count = one.count + other.count
    weight = other.count / max(float(count), 1.0)
    shift = other.mean - one.mean
    return Summary(
        count=count,
        mean=one.mean + shift * weight,
        squares=one.squares + other.squares + shift * shift * one.count * weight,
        least=np.minimum(one.least, other.least),  # type: ignore[arg-type]
        largest=np.maximum(one.largest, other.largest),  # type: ignore[arg-type]
        counts=one.counts + other.counts,
    )


def standard_error(summary: Summary) -> float:
    """Of the mean: sample standard deviation over √count; NaN below two portfolios."""
    count = float(summary.count)
    return float(np.sqrt(summary.squares / (count - 1) / count)) if count > 1 else float("nan")


def quantile(summary: Summary, probability: float) -> float:
    """From the histogram, the upper edge of its bin: at most 2.1 % too high; values ≤ 1e-12 count as 0.

    NaN where it is negative (by more than 1e-12) or above 1e6, outside the histogram.
    """
    if not float(summary.count):
        return float("nan")
    reached = np.cumsum(summary.counts) >= probability * float(summary.count)
    index = int(np.argmax(reached))
    if (index == 0 and float(summary.least) < -LEAST) or (index == BINS and float(summary.largest) > MOST):
        return float("nan")
    edge = LEAST * (MOST / LEAST) ** (index / BINS) if index else 0.0
    return min(edge, float(summary.largest))


def means(summary: Summary) -> dict[str, float]:
    """Mean, standard error, 95 % quantile and largest value as plain numbers."""
    empty = not float(summary.count)
    return {
        "mean": float("nan") if empty else float(summary.mean),
        "standard_error": standard_error(summary),
        "q95": quantile(summary, 0.95),
        "largest": float("nan") if empty else float(summary.largest),
    }
