"""Monte Carlo: blocks of portfolios, drawn, solved, measured and reduced under jit.

The unit of work is a block: a fixed number of portfolios with consecutive indices. Its result is a pure
function of (source, budget, solvers, seed, block index). Blocks, of one study or of studies that are alike,
run side by side: one on each device, or on one CPU one for each core, since a compiled function keeps about
one busy. Each runs the code of a single device, so its result has the same bits however many run; sharded
over a mesh, code is compiled otherwise for several devices than for one, and rounds otherwise. Nothing but
summaries leaves a device unless records are asked for, so memory does not grow with the number of portfolios.

Everything is compiled before the first block, and timed apart from it. A block that does not fit a device's
memory is solved in halves, quarters and so on, and reduced as a whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import SingleDeviceSharding
from jaxtyping import Array

from engine.allocation.running import compile_all, cores, in_threads
from engine.model.portfolio import Portfolio
from engine.simulation.metrics import METRICS, measure
from engine.simulation.point import REFERENCE, Point, Source
from engine.simulation.scenarios import portfolio_key
from engine.simulation.summaries import Summary, summarise
from engine.solvers.registry import SOLVERS
from engine.solvers.solution import Solution, Status


class Unit(NamedTuple):
    """A block of a point, by its index there; `optimum` of its portfolios, where the point finds none."""

    point: Point
    block: int
    optimum: np.ndarray | None = None


Numbers = dict[str, Any]


@dataclass
class Block:
    """One block's summaries and seconds by solver, and its records where asked for.

    `failed` counts the portfolios that were not solved; `broken` lists those of them, by index, whose total
    return is not a finite number. `optimum` is what the reference proved of each, where it is a solver.
    """

    index: int
    count: int
    summaries: dict[str, dict[str, Summary]] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)
    broken: dict[str, list[int]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    records: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    optimum: np.ndarray | None = None


class Code(NamedTuple):
    """What is compiled for a device; see `Simulation._lower`."""

    draw: Callable[..., Portfolio]
    solve: Mapping[str, Callable[..., tuple[Solution, Array]]]
    measure: Callable[..., dict[str, Array]]
    reduce: Callable[..., dict[str, Summary]]
    bytes: int


def lanes() -> list[jax.Device]:
    """Where blocks run side by side: this process's devices, or its one CPU as often as it has cores."""
    devices = jax.local_devices()
    alone = len(devices) == 1 and devices[0].platform == "cpu"
    return devices * cores() if alone else devices


class Simulation:
    """A point compiled for this process's devices; it runs any point of the same kind.

    **Arguments:** `records`, whether blocks keep what is measured of every portfolio; `parts`, into how many
    pieces a block is split to fit a device's memory.

    **Raises:** `ValueError` at trace time for an option that a solver refuses.
    """

    def __init__(self, point: Point, records: bool = False, parts: int = 1) -> None:
        self.point = point
        self.records = records
        self.parts = parts
        self.lanes = lanes()
        self.compile_seconds = 0.0
        self._float64 = jax.config.jax_enable_x64  # type: ignore[attr-defined]
        self._compile_all()

    @property
    def bytes(self) -> int:
        """How much memory a block takes on its device."""
        return max(code.bytes for code in self._code.values())

    @property
    def _size(self) -> int:
        """How many portfolios are solved at once."""
        return -(-self.point.block // self.parts)

    def _compile_all(self) -> None:
        begin = time.perf_counter()
        devices = list(dict.fromkeys(self.lanes))
        steps = compile_all(step for device in devices for step in self._lower(device))
        each = len(steps) // len(devices)
        self._code = {d: self._arrange(steps[each * i : each * (i + 1)]) for i, d in enumerate(devices)}
        self.compile_seconds += time.perf_counter() - begin

    def _lower(self, device: jax.Device) -> Iterator[jax.stages.Lowered]:
        """What is compiled for a device, in the order of `Code`, traced as it is asked for."""
        point = self.point
        here = SingleDeviceSharding(device)

        def draw(source: Source, seed: Array, indices: Array) -> Portfolio:
            return jax.vmap(lambda j: source.draw(portfolio_key(seed, j), point.dtype))(indices)

        def solve(
            name: str, portfolios: Portfolio, budget: Array, numbers: Numbers, traced: Numbers
        ) -> tuple[Solution, Array]:
            method, lattice = SOLVERS[name], point.lattice._replace(**numbers)
            static = method.static(point.solvers[name])
            if method.exactly(portfolios.cost):
                portfolios, budget = _cast((portfolios, budget), np.dtype(np.float64))

            def solve_one(portfolio: Portfolio) -> Solution:
                return method.solve(portfolio, budget, lattice, **static, **traced)

            solution = _cast(jax.vmap(solve_one)(portfolios), point.dtype)
            return solution, jnp.where(solution.proved, solution.value, jnp.nan)

        def measure_all(
            portfolios: Portfolio, budget: Array, solution: Solution, optimum: Array
        ) -> dict[str, Array]:
            return jax.vmap(measure, in_axes=(0, None, 0, 0))(portfolios, budget, solution, optimum)

        def reduce(metrics: dict[str, Array], status: Array, count: Array) -> dict[str, Summary]:
            counted = (jnp.arange(point.block, dtype=count.dtype) < count) & (status == Status.SOLVED)
            return {name: summarise(values, counted) for name, values in metrics.items()}

        def place(tree: Any, size: int = self._size) -> Any:
            def shape_of(a: Any) -> jax.ShapeDtypeStruct:
                return jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype, sharding=here)

            return jax.tree.map(shape_of, tree)

        yield (drawn := jax.jit(draw).lower(*self._inputs(device, point, 0, 0)))
        portfolios, budget = place(drawn.out_info), self._budget(device, point)
        for name in point.solvers:
            numbers = _numbers(point, name)
            yield (solved := jax.jit(partial(solve, name)).lower(portfolios, budget, *numbers))
        solution, optimum = place(solved.out_info)
        yield (measured := jax.jit(measure_all).lower(portfolios, budget, solution, optimum))
        whole = place((measured.out_info, solution.status), point.block)
        yield jax.jit(reduce).lower(*whole, jax.device_put(np.int32(0), device))

    def _arrange(self, steps: list[jax.stages.Compiled]) -> Code:
        """The compiled code of a device, and the memory it takes."""
        sizes = [found for step in steps if (found := step.memory_analysis())]
        most = [f.temp_size_in_bytes + f.argument_size_in_bytes + f.output_size_in_bytes for f in sizes]
        solvers = dict(zip(self.point.solvers, steps[1:-2], strict=True))
        return Code(steps[0], solvers, steps[-2], steps[-1], max(most, default=0))

    def _inputs(self, device: jax.Device, point: Point, index: int, part: int) -> Any:
        """What one part of a block is drawn from; portfolios past the last too, which keeps the shape."""
        first = index * point.block + part * self._size
        indices = (first + np.arange(self._size)).astype(np.uint32)
        return jax.device_put((point.source, np.uint32(point.seed), indices), device)

    def _budget(self, device: jax.Device, point: Point) -> Array:
        return jax.device_put(np.asarray(point.budget, point.dtype), device)

    def draw(self, unit: tuple[Point, int] | Unit, part: int = 0, lane: int = 0) -> Portfolio:
        """The portfolios of one part of a block, with a leading axis."""
        device = self.lanes[lane]
        return self._code[device].draw(*self._inputs(device, *unit[:2], part))

    def blocks(self, units: Sequence[tuple[Point, int] | Unit]) -> list[Block]:
        """Draw, solve, measure and reduce up to one block a lane; in smaller parts if memory runs out."""
        while True:
            try:
                return self._blocks([Unit(*unit) for unit in units])
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error) or self.parts >= self.point.block:
                    raise
                self.parts *= 2
            self._compile_all()

    def _blocks(self, units: Sequence[Unit]) -> list[Block]:
        together = len(units)
        with jax.enable_x64(self._float64):
            return in_threads(lambda i: self._block(units[i], i, together), range(together), together)

    def _block(self, unit: Unit, lane: int, together: int) -> Block:
        """One block, of so many that run together and share the time."""
        block = Block(unit.block, unit.point.size(unit.block))
        found: dict[str, list[dict[str, Array]]] = {name: [] for name in self.point.solvers}
        optima: list[Array] = []
        for part in range(self.parts):
            for name, columns, seconds in self._solve_part(unit, part, lane, optima):
                found[name].append(columns)
                block.seconds[name] = block.seconds.get(name, 0.0) + seconds / together
        count = jax.device_put(np.int32(block.count), self.lanes[lane])
        for name, parts in found.items():
            self._reduce(block, name, self._join(parts, lane), count, lane)
        if REFERENCE in found:
            block.optimum = np.concatenate(list(map(np.asarray, optima)))[: block.count]
        return block

    def _solve_part(
        self, unit: Unit, part: int, lane: int, optima: list[Array]
    ) -> Iterator[tuple[str, dict[str, Array], float]]:
        """Each solver's columns for one part of a block, and its seconds; the reference first, whose optima
        are noted."""
        device = self.lanes[lane]
        code, budget = self._code[device], self._budget(device, unit[0])
        portfolios = jax.block_until_ready(self.draw(unit, part, lane))
        optimum = jax.device_put(self._known_optimum(unit, part), device)
        for name in sorted(self.point.solvers, key=lambda name: name != REFERENCE):
            begin = time.perf_counter()
            numbers = _numbers(unit[0], name)
            solution, proved = jax.block_until_ready(code.solve[name](portfolios, budget, *numbers))
            seconds = time.perf_counter() - begin
            if name == REFERENCE:
                optimum = proved
                optima.append(proved)
            columns = dict(code.measure(portfolios, budget, solution, optimum))
            columns["status"] = solution.status
            if self.records:
                columns |= {"spent": solution.spent, "effort": solution.effort}
            yield name, columns, seconds

    def _known_optimum(self, unit: Unit, part: int) -> np.ndarray:
        """The optima of one part of a block that were found elsewhere; NaN where they were not."""
        known = np.full(self._size * self.parts, np.nan, self.point.dtype)
        if unit.optimum is not None:
            known[: unit.optimum.size] = unit.optimum
        return known[part * self._size : (part + 1) * self._size]

    def _join(self, parts: list[dict[str, Array]], lane: int) -> dict[str, Array]:
        """The columns of a whole block."""
        if len(parts) == 1:
            return parts[0]
        whole = jax.tree.map(lambda *a: np.concatenate(list(map(np.asarray, a)))[: self.point.block], *parts)
        return jax.device_put(whole, self.lanes[lane])

    def _reduce(self, block: Block, name: str, columns: dict[str, Array], count: Array, lane: int) -> None:
        """Note what a block's columns come to."""
        reduce = self._code[self.lanes[lane]].reduce
        summaries = reduce({metric: columns[metric] for metric in METRICS}, columns["status"], count)
        block.summaries[name] = jax.tree.map(np.asarray, summaries)
        status = np.asarray(columns["status"])[: block.count]
        block.failed[name] = int(np.sum(status != Status.SOLVED))
        first = block.index * self.point.block
        block.broken[name] = [first + int(j) for j in np.flatnonzero(status == Status.NOT_FINITE)]
        if self.records:
            block.records[name] = {n: np.asarray(column)[: block.count] for n, column in columns.items()}


def _numbers(point: Point, solver: str) -> tuple[Numbers, Numbers]:
    """What a solver takes besides portfolios and budget: its lattice's numbers, its options'."""
    return point.lattice.numbers, SOLVERS[solver].traced(point.solvers[solver])


def _cast(tree: Any, dtype: np.dtype) -> Any:
    """All real arrays in this dtype."""
    return jax.tree.map(lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a, tree)
