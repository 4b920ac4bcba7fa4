"""Several resources: how fast plans are proved, beside HiGHS on the same tables.

    python -m benchmarks.resources

Random portfolios of `PROJECTS` projects, up to `LEVELS` units each, of concave, S-shaped, staged and mixed
curves; a unit uses 0.2 to 3 of each resource, and budgets are `SHARE` of what all units would use. Of
`correlated` ones, 0/1 projects that return what they use and a little more, budgets are `HARD_SHARE`. HiGHS
takes the multiple-choice model, one binary a (project, level), through SciPy with a relative gap of 0. Both
run on one portfolio after the other, ours in a batch too, on all cores; `wrong` counts where values differ by
more than 1e-6 of them. `short` is what is known after `SHORT` boxes.
"""

from __future__ import annotations

import time
from typing import Any

import jax
import numpy as np
from scipy import optimize, sparse

import engine
from benchmarks.machine import save

PROJECTS, LEVELS, RESOURCES = 20, 60, ("people", "money")
COUNT, PEERS, SHORT = 200, 12, 50
SHARE, HARD_SHARE = 0.075, 0.4
Array = np.ndarray


def concave(rng: np.random.Generator, shape: tuple[int, ...]) -> engine.Curve:
    """Exponential: a·(1 − e^(−b x))."""
    return engine.Exponential(rng.uniform(0.3, 3, shape), rng.uniform(0.02, 0.3, shape))


def s_shaped(rng: np.random.Generator, shape: tuple[int, ...]) -> engine.Curve:
    """Hill, exponents from 1 to 6."""
    scale, half = rng.uniform(0.3, 3, shape), rng.uniform(4, 40, shape)
    return engine.Hill(scale, half, rng.uniform(1, 6, shape))


def staged(rng: np.random.Generator, shape: tuple[int, ...]) -> engine.Curve:
    """Three stages, the later ones after an effort."""
    later = np.sort(rng.uniform(3, 50, (*shape, 2)), -1)
    start = np.concatenate([np.zeros((*shape, 1)), later], -1)
    base = np.concatenate([np.zeros((*shape, 1)), rng.uniform(0, 2, (*shape, 2))], -1)
    three = (*shape, 3)
    return engine.Lifecycle(start, base, rng.uniform(0.1, 1.0, three), rng.uniform(0.02, 0.5, three))


def mixed(rng: np.random.Generator, shape: tuple[int, ...]) -> engine.Curve:
    """All three."""
    families = (concave(rng, shape), s_shaped(rng, shape), staged(rng, shape))
    return engine.Mixture(families, rng.integers(0, 3, shape))  # type: ignore[arg-type]


KINDS = {"concave": concave, "S-shaped": s_shaped, "staged": staged, "mixed": mixed}


def draw(kind: str, seed: int = 0) -> tuple[engine.Resourced, Array]:
    """A batch of portfolios, and the budgets of each."""
    rng = np.random.default_rng(seed)
    shape = (COUNT, PROJECTS)
    uses = rng.uniform(0.2, 3.0, (COUNT, len(RESOURCES), PROJECTS))
    if kind == "correlated":
        rise = uses.mean(1) + rng.uniform(0, 0.5, shape)
        curves: engine.Curve = engine.Tabulated(np.stack([np.zeros(shape), rise], axis=-1))
        upper, share = 1.0, HARD_SHARE
    else:
        curves, upper, share = KINDS[kind](rng, shape), float(LEVELS), SHARE
    portfolio = engine.Portfolio(curves, upper=np.full(shape, upper))
    given: Any = uses
    return engine.Resourced(portfolio, given, RESOURCES), share * upper * uses.sum(-1)


def by_highs(table: Array, usage: Array, budgets: Array) -> float:
    """The best value of one portfolio by HiGHS."""
    project, level = np.nonzero(np.isfinite(table))
    one = sparse.csr_matrix((np.ones(project.size), (project, np.arange(project.size))))
    solved = optimize.milp(
        -table[project, level],
        constraints=[
            optimize.LinearConstraint(one, 1, 1),
            optimize.LinearConstraint(usage[:, project] * level, -np.inf, budgets),
        ],
        integrality=np.ones(project.size),
        bounds=optimize.Bounds(0, 1),
        options={"mip_rel_gap": 0.0},
    )
    return -float(solved.fun)


def tables(portfolio: engine.Portfolio, units: int) -> Array:
    """Returns at every number of units, of the first few portfolios."""
    few = jax.tree.map(lambda leaf: np.asarray(leaf)[:PEERS], portfolio)
    with jax.enable_x64(True):
        return np.asarray(jax.vmap(lambda one: one.table(units))(few))


def one_of(given: engine.Resourced, index: int) -> engine.Resourced:
    """One portfolio of a batch."""
    return jax.tree.map(lambda leaf: np.asarray(leaf)[index], given)  # type: ignore[no-any-return]


def largest(numbers: Array) -> float:
    """The largest of some numbers, 0 of none."""
    return float(np.max(numbers, initial=0.0))


def measure(kind: str) -> dict[str, Any]:
    """The figures of one kind."""
    given, budgets = draw(kind)
    engine.bet(given, budgets)  # compiled
    begin = time.perf_counter()
    found = engine.bet(given, budgets)
    together = time.perf_counter() - begin
    engine.bet(one_of(given, 0), budgets[0])
    begin = time.perf_counter()
    alone = [engine.bet(one_of(given, i), budgets[i]) for i in range(PEERS)]
    ours = time.perf_counter() - begin
    table = tables(given.portfolio, 1 if kind == "correlated" else LEVELS)
    begin = time.perf_counter()
    best = [by_highs(table[i], np.asarray(given.usage)[i], budgets[i]) for i in range(PEERS)]
    theirs = time.perf_counter() - begin
    short = engine.bet(given, budgets, most_boxes=SHORT)
    loss = (found.value - short.value) / found.value
    values = np.array([float(answer.value) for answer in alone])
    return {
        "kind": kind,
        "portfolios": COUNT,
        "proved": float(np.mean(found.proved)),
        "largest_gap_unproved": largest(found.gap[~found.proved]),
        "short": {
            "boxes": SHORT,
            "proved": float(np.mean(short.proved)),
            "largest_gap_unproved": largest(short.gap[~short.proved]),
            "largest_loss": largest(loss),
        },
        "a_second": {
            "batch": COUNT / together,
            "one_by_one": PEERS / ours,
            "HiGHS": PEERS / theirs,
        },
        "compared": PEERS,
        "wrong": int(np.sum(np.abs(values - best) > 1e-6 * np.abs(best))),
    }


def main() -> None:
    """Measure all kinds."""
    rows = []
    for kind in (*KINDS, "correlated"):
        rows.append(measure(kind))
        print(rows[-1], flush=True)
        assert rows[-1]["wrong"] == 0, kind
    print(save("resources", {"projects": PROJECTS, "levels": LEVELS, "resources": 2, "rows": rows}))


if __name__ == "__main__":
    main()
