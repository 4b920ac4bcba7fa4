"""Monte Carlo: blocks of portfolios, drawn, solved, measured and reduced under jit.

The unit of work is a block: a fixed number of portfolios with consecutive indices. Its result is a pure
function of (source, budget, solvers, seed, block index). Each device takes whole blocks, so what is
compiled for it has the same shapes however many there are, and its result the same bits. Nothing but
summaries leaves a device unless records are asked for, so memory does not grow with the number of
portfolios.

Everything is compiled before the first block, and timed apart from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array

from engine.allocation import solves_exactly
from engine.lattice import Lattice
from engine.portfolio import Portfolio
from engine.scenarios import portfolio_key
from engine.solvers import SOLVERS, Solution
from engine.solvers.solution import SOLVED
from engine.statistics import METRICS, Summary, measure, merge, summarise

REFERENCE = "exact"


class Source(Protocol):
    """Where portfolios come from: a scenario, or a test problem; a pytree."""

    @property
    def projects(self) -> int:
        """The number of projects."""

    def draw(self, key: Array, dtype: jnp.dtype | type = ...) -> Portfolio:
        """A random portfolio."""


@dataclass(frozen=True)
class Study:
    """What is simulated: the portfolios of a source at a budget, by named solvers with their options."""

    source: Source
    budget: float
    solvers: dict[str, dict[str, Any]]
    lattice: Lattice
    seed: int
    portfolios: int
    block: int
    dtype: np.dtype

    @property
    def blocks(self) -> int:
        """The number of blocks; the last may be partly filled."""
        return -(-self.portfolios // self.block)


@dataclass
class Block:
    """One block's summaries, failures and seconds by solver, and its records where asked for."""

    index: int
    count: int
    summaries: dict[str, dict[str, Summary]] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    records: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)


@dataclass
class Outcome:
    """What a study found: summaries by solver and metric, counts of failures, seconds of each solver."""

    summaries: dict[str, dict[str, Summary]] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    compile_seconds: float = 0.0
    done: int = 0

    def add(self, block: Block, solvers: list[str]) -> None:
        """Merge a block in; blocks are merged in index order."""
        self.done += block.count
        for name in solvers:
            before = self.summaries.get(name, {})
            found = block.summaries[name]
            self.summaries[name] = {m: merge(before.get(m), found[m]) for m in METRICS}
            self.failed[name] = self.failed.get(name, 0) + block.failed[name]
            self.seconds[name] = self.seconds.get(name, 0.0) + block.seconds[name]

    def rate(self, solver: str) -> float:
        """Portfolios per second of this solver, compilation apart."""
        return self.done / self.seconds[solver] if self.seconds.get(solver) else float("nan")


class Simulation:
    """A compiled study.

    **Raises:** `ValueError` at trace time for an option that a solver refuses.
    """

    def __init__(self, study: Study, records: bool = False) -> None:
        self.study = study
        self.records = records
        self.devices = jax.device_count()
        mesh = Mesh(np.array(jax.devices()), ("blocks",))
        self._split = NamedSharding(mesh, PartitionSpec("blocks"))
        self._budget = jnp.asarray(study.budget, study.dtype)
        begin = time.perf_counter()
        self._compile(mesh)
        self.compile_seconds = time.perf_counter() - begin

    def _compile(self, mesh: Mesh) -> None:
        study = self.study

        def on_each_device(function: Callable[..., Any], *split: bool) -> Any:
            """jit(function), each device on its own block of the split arguments."""
            specs = tuple(PartitionSpec("blocks") if s else PartitionSpec() for s in split)
            out = PartitionSpec("blocks")
            return jax.jit(jax.shard_map(function, mesh=mesh, in_specs=specs, out_specs=out, check_vma=False))

        def draw(source: Source, seed: Array, indices: Array) -> Portfolio:
            return jax.vmap(lambda j: source.draw(portfolio_key(seed, j), study.dtype))(indices)

        def solve(name: str, portfolios: Portfolio, budget: Array) -> Solution:
            solver = partial(SOLVERS[name], lattice=study.lattice, **study.solvers[name])
            if solves_exactly(name, portfolios.cost):
                portfolios, budget = _cast((portfolios, budget), np.dtype(np.float64))
            return _cast(jax.vmap(lambda p: solver(p, budget))(portfolios), study.dtype)

        def reduce(
            portfolios: Portfolio, budget: Array, solution: Solution, optimum: Array, count: Array
        ) -> tuple[dict[str, Summary], Array, dict[str, Array]]:
            metrics = jax.vmap(measure, in_axes=(0, None, 0, 0))(portfolios, budget, solution, optimum)
            within = jnp.arange(study.block, dtype=count.dtype) < count
            solved = solution.status == SOLVED
            summaries = {name: summarise(values, within & solved) for name, values in metrics.items()}
            unsolved = jnp.sum(within & ~solved, dtype=jnp.int32)
            one_block = jax.tree.map(lambda a: a[None], (summaries, unsolved))
            return *one_block, metrics

        place = lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=self._split)  # noqa: E731
        indices, counts = self._indices([0])
        lowered = on_each_device(draw, False, False, True).lower(study.source, jnp.uint32(0), indices)
        portfolios = jax.tree.map(place, lowered.out_info)
        self._draw, self._solve = lowered.compile(), {}
        for name in self._order():
            lowered = on_each_device(partial(solve, name), True, False).lower(portfolios, self._budget)
            self._solve[name] = lowered.compile()
        solution = jax.tree.map(place, lowered.out_info)
        measured = on_each_device(reduce, True, False, True, True, True)
        arguments = (portfolios, self._budget, solution, solution.value, counts)
        self._reduce = measured.lower(*arguments).compile()

    def _order(self) -> list[str]:
        """The reference first: the others are measured against it."""
        return sorted(self.study.solvers, key=lambda name: name != REFERENCE)

    def _indices(self, blocks: Sequence[int]) -> tuple[Array, Array]:
        """Portfolio indices of some blocks, one a device, and how many of each count.

        Those past the last portfolio are drawn too, to keep the shape, and not counted.
        """
        size, idle = self.study.block, self.devices - len(blocks)
        starts = np.array([*blocks, *[0] * idle], np.int64) * size
        counts = np.minimum(size, self.study.portfolios - starts)
        counts[len(blocks) :] = 0
        indices = (starts[:, None] + np.arange(size)).reshape(-1).astype(np.uint32)
        return jax.device_put(indices, self._split), jax.device_put(counts.astype(np.int32), self._split)

    def draw(self, blocks: Sequence[int]) -> tuple[Portfolio, Array]:
        """The portfolios of up to one block a device, with a leading axis, and how many of each count."""
        indices, counts = self._indices(blocks)
        return self._draw(self.study.source, jnp.uint32(self.study.seed), indices), counts

    def blocks(self, indices: Sequence[int]) -> list[Block]:
        """Draw, solve, measure and reduce up to one block a device."""
        portfolios, counts = jax.block_until_ready(self.draw(indices))
        unknown = np.full(self.devices * self.study.block, np.nan, self.study.dtype)
        optimum = jax.device_put(unknown, self._split)
        blocks = [Block(i, int(c)) for i, c in zip(indices, np.asarray(counts), strict=False)]
        for name in self._order():
            begin = time.perf_counter()
            solution = jax.block_until_ready(self._solve[name](portfolios, self._budget))
            seconds = time.perf_counter() - begin
            if name == REFERENCE:
                optimum = jnp.where(solution.proved, solution.value, jnp.nan)
            reduced = self._reduce(portfolios, self._budget, solution, optimum, counts)
            summaries, unsolved = jax.tree.map(np.asarray, reduced[:2])
            for place, block in enumerate(blocks):
                block.summaries[name] = jax.tree.map(lambda a, i=place: a[i], summaries)
                block.failed[name] = int(unsolved[place])
                block.seconds[name] = seconds / len(blocks)
                if self.records:
                    rows = slice(place * self.study.block, place * self.study.block + block.count)
                    block.records[name] = _records(reduced[2], solution, rows)
        return blocks

    def run(self) -> Iterator[tuple[Block, Outcome]]:
        """Block after block, each with the outcome so far."""
        outcome = Outcome(compile_seconds=self.compile_seconds)
        for start in range(0, self.study.blocks, self.devices):
            for block in self.blocks(range(start, min(start + self.devices, self.study.blocks))):
                outcome.add(block, list(self.study.solvers))
                yield block, outcome


def _cast(tree: Any, dtype: np.dtype) -> Any:
    """All real arrays in this dtype."""
    return jax.tree.map(lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a, tree)


def _records(metrics: dict[str, Array], solution: Solution, rows: slice) -> dict[str, np.ndarray]:
    columns = {name: np.asarray(values)[rows] for name, values in metrics.items()}
    for name in ("spent", "status", "effort"):
        columns[name] = np.asarray(getattr(solution, name))[rows]
    return columns
