"""What other curves teach: a collection of whole curves, in units in which any project's may be like them.

A prior is a cloud of curves of each family. Each is a curve that was measured far beyond some effort, taken
as if it had been measured up to there: its numbers are in units of that largest effort, and what is known of
its performance in units of the range measured up to it. So the curves of one collection serve measurements of
any size and unit. Where nothing is known of other curves, the cloud fills a box of orders of magnitude.

`learning_curves`, the prior that is shipped, holds 1,813 learning curves of the Learning Curve Database
(Mohr, Viering, Loog & van Rijn, 2022), made by `python -m benchmarks.prior`.

Sources: Robbins (1956) for empirical Bayes; Roberts (2018), "The unreasonable effectiveness of quasirandom
sequences", for the points of the box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Array, Float

from engine.fitting.shapes import SHAPES
from engine.model.curves import FAMILIES

SHIPPED = {"learning_curves": Path(__file__).parent / "learning_curves.parquet"}
# Nothing known: so many curves a family, their numbers anywhere between these, for a largest effort of 1.
BOX_CURVES, BOX_NOISE = 1000, 0.03
# What the number of points is a multiple of in compiled code.
POINTS = 8
BOX = {
    "log": {"rate": (1e-3, 1e5)},
    "power": {"exponent": (-0.01, -30.0), "shift": (1e-5, 1e2)},
    "exponential": {"rate": (1e-2, 1e4)},
    "hill": {"half": (1e-4, 1e2), "exponent": (0.05, 20.0)},
    "weibull": {"rate": (1e-2, 1e4), "exponent": (0.05, 20.0)},
    "logistic": {"rate": (1e-1, 1e3), "midpoint": (1e-3, 3.0)},
}


class Known(NamedTuple):
    """Curves of one family, each entry one of them.

    `numbers` are the family's besides scale and baseline, at efforts in units of the largest; `noise`, the
    root mean square of the measurements about the curve, in units of its scale; `headroom`, the logarithm of
    `room` at the largest effort, NaN where no ceiling is known; `source`, the name of the curve.
    """

    numbers: dict[str, Float[np.ndarray, " curves"]]
    noise: Float[np.ndarray, " curves"]
    headroom: Float[np.ndarray, " curves"]
    source: np.ndarray

    def take(self, rows: np.ndarray) -> Known:
        """Some of them."""
        numbers = {name: values[rows] for name, values in self.numbers.items()}
        return Known(numbers, self.noise[rows], self.headroom[rows], self.source[rows])

    def lifts(self, family: str, effort: Float[np.ndarray, " points"]) -> Float[np.ndarray, "curves points"]:
        """Each curve's rise from no effort to these, for a scale of 1."""
        kind: Any = FAMILIES[family]
        with jax.enable_x64(True):
            numbers = {name: jnp.asarray(values, float)[:, None] for name, values in self.numbers.items()}
            curve = kind(scale=jnp.full((self.noise.size, 1), SHAPES[family].sign), **numbers)
            # Filled up to a round number, so that code compiled for one number of points serves others.
            filled = np.pad(effort, (0, -effort.size % POINTS), mode="edge")
            lifts = np.asarray(_lift(curve, jnp.asarray(filled, float)[None]))
        return np.nan_to_num(lifts[:, : effort.size])


@jax.jit
def _lift(curve: Any, effort: Array) -> Array:
    return curve.lift(effort)


@dataclass(frozen=True, eq=False)
class Prior:
    """Curves that a project's may be like, by family."""

    families: dict[str, Known]

    def without(self, sources: Sequence[str]) -> Prior:
        """The prior but for these curves, so that they may be foretold."""
        rest = {
            f: k.take(np.flatnonzero(~np.isin(k.source, list(sources)))) for f, k in self.families.items()
        }
        return Prior(rest)

    def of(self, families: Sequence[str]) -> Prior:
        """The curves of these families.

        **Raises:** `ValueError` naming a family that it has no curves of.
        """
        for family in families:
            if family not in self.families:
                raise ValueError(
                    f"the prior has no curves of family {family}, expected {', '.join(self.families)}"
                )
        return Prior({family: self.families[family] for family in families})

    def save(self, path: str | Path) -> None:
        """Write the prior as Parquet, which `prior=PATH` reads: one row a curve and family."""
        names = list(dict.fromkeys(name for known in self.families.values() for name in known.numbers))
        rows = [pa.table(_columns(family, known, names)) for family, known in self.families.items()]
        pq.write_table(pa.concat_tables(rows), Path(path), compression="zstd")


def _columns(family: str, known: Known, names: list[str]) -> dict[str, Any]:
    count = known.noise.size
    absent = np.full(count, np.nan)
    numbers = {name: known.numbers.get(name, absent).astype(np.float32) for name in names}
    return {
        "family": pa.array([family] * count).cast(pa.string()),
        "source": pa.array(known.source.tolist()).cast(pa.string()),
        **numbers,
        "noise": known.noise.astype(np.float32),
        "headroom": known.headroom.astype(np.float32),
    }


def load_prior(prior: Prior | str | Path | None, families: Sequence[str]) -> Prior:
    """A prior for these families: as given, one that is shipped by its name, one from a file, or none.

    **Raises:** `ValueError` in one line naming the prior and what was expected.
    """
    if isinstance(prior, Prior):
        return prior.of(families)
    return fill_box(families) if prior is None else read_prior(prior).of(families)


def read_prior(prior: str | Path) -> Prior:
    """A prior that is shipped, by its name, or that `Prior.save` wrote.

    **Raises:** `ValueError` in one line naming the prior and what was expected.
    """
    path = SHIPPED.get(str(prior), Path(prior))
    try:
        table = pq.ParquetFile(path).read(use_threads=False)
        family = np.array(table["family"].to_pylist())
        found = {}
        for name in dict.fromkeys(family.tolist()):
            part = table.filter(pa.array(family == name))
            numbers = {n: part[n].to_numpy().astype(float) for n in SHAPES[name].parameters}
            noise, headroom = (part[n].to_numpy().astype(float) for n in ("noise", "headroom"))
            found[name] = Known(numbers, noise, headroom, np.array(part["source"].to_pylist()))
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        known = ", ".join(SHIPPED)
        raise ValueError(
            f"prior is {str(prior)!r}, expected {known}, a file of engine.learn_prior, or null ({reason})"
        ) from None
    except (KeyError, ValueError, pa.ArrowInvalid):
        raise ValueError(f"{path}: is no prior of engine.learn_prior") from None
    return Prior(found)


def fill_box(families: Sequence[str]) -> Prior:
    """Curves whose numbers are anywhere within orders of magnitude, spread evenly over their logarithms."""
    found = {}
    for family in families:
        ends = BOX[family]
        # The generalised golden ratio: the root of g^(d+1) = g + 1 for d numbers.
        golden = 1.6180339887498949 if len(ends) == 1 else 1.3247179572447460
        place = np.arange(1, BOX_CURVES + 1)[:, None] * golden ** -np.arange(1, len(ends) + 1) % 1.0
        numbers = {}
        for (name, (low, high)), share in zip(ends.items(), place.T, strict=True):
            numbers[name] = low * (high / low) ** share
        noise, nothing = np.full(BOX_CURVES, BOX_NOISE), np.full(BOX_CURVES, np.nan)
        found[family] = Known(numbers, noise, nothing, np.full(BOX_CURVES, ""))
    return Prior(found)


def room(performance: np.ndarray, measured: np.ndarray, ceiling: float) -> np.ndarray:
    """What is left up to the ceiling, in ranges of the performance measured; a twentieth of one more, so that
    its logarithm exists."""
    return np.maximum(ceiling - performance, 0.0) / measured + 0.05
