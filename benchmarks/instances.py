"""Instances that every contender of a benchmark solves: portfolios as plain NumPy arrays, in one .npz file.

    python -m benchmarks.instances hill 20 300 4096 hill.npz        draw and save; --seed 0

A set holds `count` portfolios of N projects with one budget B, unit costs and no bounds:
maximise Σ w_i f_i(x_i) subject to Σ x_i ≤ B, x ≥ 0, in whole units or real effort. Nothing but NumPy is
needed to draw, read or evaluate one, so whoever has the file can repeat a figure with tools of their own.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Array = np.ndarray
Parameters = dict[str, Array]


# Curve families: f(x) with f(0) = 0, and f'(x). Parameters are [..., projects], and x broadcasts with them.


def log_lift(x: Array, scale: Array, rate: Array) -> Array:
    """a·log(1 + b x)."""
    return scale * np.log1p(rate * x)


def log_slope(x: Array, scale: Array, rate: Array) -> Array:
    """a b / (1 + b x)."""
    return scale * rate / (1.0 + rate * x)


def hill_lift(x: Array, scale: Array, half: Array, exponent: Array) -> Array:
    """a·x^h / (k^h + x^h)."""
    odds = (x / half) ** exponent
    return scale * odds / (1.0 + odds)


def hill_slope(x: Array, scale: Array, half: Array, exponent: Array) -> Array:
    """a·(h/k)·(x/k)^(h−1) / (1 + (x/k)^h)², for h ≥ 1."""
    ratio = x / half
    return scale * exponent / half * ratio ** (exponent - 1.0) / (1.0 + ratio**exponent) ** 2


def logistic_lift(x: Array, scale: Array, rate: Array, midpoint: Array) -> Array:
    """a·(σ(b(x − m)) − σ(−b m)) / (1 − σ(−b m)), in the form a·(1 − e^(−b x)) / (1 + e^(−b(x − m)))."""
    return -scale * np.expm1(-rate * x) / (1.0 + np.exp(-rate * (x - midpoint)))


def logistic_slope(x: Array, scale: Array, rate: Array, midpoint: Array) -> Array:
    """a·b·σ(b(x − m))·σ(−b(x − m)) / σ(b m)."""
    fall = np.exp(-rate * (x - midpoint))
    return scale * rate * (1.0 + np.exp(-rate * midpoint)) * fall / (1.0 + fall) ** 2


def lifecycle_lift(x: Array, start: Array, base: Array, scale: Array, rate: Array) -> Array:
    """max over opened stages of base + a·log(1 + b (x − start)); parameters have a last axis of stages."""
    since = np.asarray(x)[..., None] - start
    stages = base + scale * np.log1p(rate * np.maximum(since, 0.0))
    return np.max(np.where(since >= 0, stages, 0.0), axis=-1).clip(0.0)


def tabulated_lift(x: Array, values: Array) -> Array:
    """The table at whole units, linear between them; values[..., levels]."""
    last = values.shape[-1] - 1
    left = np.clip(np.floor(x), 0, last).astype(int)

    def at(level: Array) -> Array:
        rows = np.broadcast_to(values, (*level.shape, last + 1))
        return np.take_along_axis(rows, level[..., None], axis=-1)[..., 0]

    low, high = at(left), at(np.minimum(left + 1, last))
    return low + (high - low) * np.clip(x - left, 0.0, 1.0)


LIFT: dict[str, Callable[..., Array]] = {
    "log": log_lift,
    "hill": hill_lift,
    "logistic": logistic_lift,
    "lifecycle": lifecycle_lift,
    "tabulated": tabulated_lift,
}
SLOPE: dict[str, Callable[..., Array]] = {
    "log": log_slope,
    "hill": hill_slope,
    "logistic": logistic_slope,
}
CONCAVE = ("log",)


@dataclass(frozen=True)
class Instances:
    """`count` portfolios of one family; see the module's first lines.

    - `problem`: the name they were drawn by; `seed`: of the draw, −1 for data from elsewhere.
    - `family`: the curves, a key of `LIFT`; `parameters`: its arrays [count, projects, ...].
    - `weight`: [count, projects]; `budget`: whole units.
    """

    problem: str
    seed: int
    family: str
    budget: int
    weight: Array
    parameters: Parameters

    @property
    def count(self) -> int:
        """How many portfolios."""
        return self.weight.shape[0]

    @property
    def projects(self) -> int:
        """N."""
        return self.weight.shape[1]

    @property
    def concave(self) -> bool:
        """Whether every curve is concave."""
        return self.family in CONCAVE

    def returns(self, effort: Array) -> Array:
        """w_i f_i(x_i); effort [..., count, projects]."""
        return self.weight * LIFT[self.family](effort, **self.parameters)

    def slopes(self, effort: Array) -> Array:
        """w_i f_i'(x_i)."""
        return self.weight * SLOPE[self.family](effort, **self.parameters)

    def table(self) -> Array:
        """Returns at whole units, [count, projects, budget + 1]."""
        levels = np.arange(self.budget + 1.0)[:, None, None]
        return np.moveaxis(self.returns(np.broadcast_to(levels, (levels.size, *self.weight.shape))), 0, -1)

    def head(self, count: int) -> Instances:
        """The first `count` portfolios."""
        return self._taken(slice(0, count))

    def one(self, index: int) -> Instances:
        """The portfolio at `index`, as a set of one."""
        return self._taken(slice(index, index + 1))

    def _taken(self, which: slice) -> Instances:
        parameters = {name: array[which] for name, array in self.parameters.items()}
        return Instances(self.problem, self.seed, self.family, self.budget, self.weight[which], parameters)

    def save(self, path: Path | str) -> None:
        """Write one .npz file."""
        about = {"problem": self.problem, "seed": self.seed, "family": self.family, "budget": self.budget}
        arrays = {f"parameter_{name}": array for name, array in self.parameters.items()}
        np.savez(path, weight=self.weight, **about, **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path | str) -> Instances:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as data:
            parameters = {
                name.removeprefix("parameter_"): data[name] for name in data if name.startswith("parameter_")
            }
            return cls(
                str(data["problem"]),
                int(data["seed"]),
                str(data["family"]),
                int(data["budget"]),
                data["weight"],
                parameters,
            )


# Problems: how the parameters are drawn. `share` is B/N, so that a problem is alike at every size.


def _log_uniform(random: np.random.Generator, low: float, high: float, shape: tuple[int, ...]) -> Array:
    return np.exp(random.uniform(np.log(low), np.log(high), shape))


def _spread(random: np.random.Generator, sigma: float, shape: tuple[int, ...]) -> Array:
    return np.exp(sigma * random.standard_normal(shape))


def draw_log(
    random: np.random.Generator, shape: tuple[int, int], share: float
) -> tuple[str, Array, Parameters]:
    """Concave; as benchmarks/throughput.py draws them, weights 1."""
    del share
    scale = _log_uniform(random, 0.3, 3.0, shape)
    return "log", np.ones(shape), {"scale": scale, "rate": _log_uniform(random, 0.02, 1.0, shape)}


def draw_hill(
    random: np.random.Generator, shape: tuple[int, int], share: float
) -> tuple[str, Array, Parameters]:
    """S-shaped: exponent uniform in [1, 4], half-saturation from half to four times an equal share."""
    parameters = {
        "scale": _spread(random, 0.5, shape),
        "half": share * _log_uniform(random, 0.5, 4.0, shape),
        "exponent": random.uniform(1.0, 4.0, shape),
    }
    return "hill", _spread(random, 0.5, shape), parameters


def draw_logistic(
    random: np.random.Generator, shape: tuple[int, int], share: float
) -> tuple[str, Array, Parameters]:
    """S-shaped: midpoint from half to four times an equal share, b·m from 2 (gentle) to 8 (a switch)."""
    midpoint = share * _log_uniform(random, 0.5, 4.0, shape)
    parameters = {
        "scale": _spread(random, 0.5, shape),
        "rate": _log_uniform(random, 2.0, 8.0, shape) / midpoint,
        "midpoint": midpoint,
    }
    return "logistic", _spread(random, 0.5, shape), parameters


def draw_staged(
    random: np.random.Generator, shape: tuple[int, int], share: float
) -> tuple[str, Array, Parameters]:
    """Four lifecycle stages after a start-up cost, as configs/curves/lifecycle.yaml has them at B/N = 15."""
    stages = (*shape, 4)
    unit = share / 15.0
    startup = unit * random.choice([0.0, 2.0, 5.0], shape)[..., None]
    opening = unit * np.array([0.0, 8.0, 25.0, 60.0]) * _spread(random, 0.3, stages)
    parameters = {
        "start": startup + opening,
        "base": np.array([0.0, 0.9, 1.9, 3.0]) * _spread(random, 0.2, stages),
        "scale": np.array([0.3, 0.4, 0.5, 0.6]) * _spread(random, 0.3, stages),
        "rate": np.array([1.0, 0.5, 0.3, 0.2]) * _spread(random, 0.3, stages) / unit,
    }
    return "lifecycle", _spread(random, 0.5, shape), parameters


def draw_knapsack(
    random: np.random.Generator, shape: tuple[int, int], share: float
) -> tuple[str, Array, Parameters]:
    """Step curves: each project one item of a weakly correlated 0/1 knapsack (Pisinger 2005), as a table."""
    budget = round(share * shape[1])
    most = max(1, round(4.0 * share))
    size = random.integers(1, most + 1, shape)
    profit = np.maximum(size + random.integers(-most // 10, most // 10 + 1, shape), 1)
    values = np.where(np.arange(budget + 1) >= size[..., None], profit[..., None], 0).astype(float)
    return "tabulated", np.ones(shape), {"values": values}


PROBLEMS = {
    "log": draw_log,
    "hill": draw_hill,
    "logistic": draw_logistic,
    "staged": draw_staged,
    "knapsack": draw_knapsack,
}


@functools.lru_cache(maxsize=8)
def draw(problem: str, projects: int, budget: int, count: int, seed: int = 0) -> Instances:
    """A set by name; the same numbers for the same arguments on every machine."""
    if problem not in PROBLEMS:
        raise ValueError(f"unknown problem {problem!r}, expected one of {', '.join(PROBLEMS)}")
    random = np.random.default_rng(seed)
    family, weight, parameters = PROBLEMS[problem](random, (count, projects), budget / projects)
    return Instances(problem, seed, family, budget, weight, parameters)


def main() -> None:
    """Draw one set and save it."""
    parser = argparse.ArgumentParser(description="Draw instances and save them as .npz.")
    parser.add_argument("problem", choices=PROBLEMS)
    parser.add_argument("projects", type=int)
    parser.add_argument("budget", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("path", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    draw(given.problem, given.projects, given.budget, given.count, given.seed).save(given.path)
    print(f"saved {given.path}")


if __name__ == "__main__":
    main()
