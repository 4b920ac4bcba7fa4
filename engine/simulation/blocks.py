"""Monte Carlo: blocks of portfolios, drawn, solved, measured and reduced under jit.

The unit of work is a block: a fixed number of portfolios with consecutive indices. Its result is a pure
function of (source, budget, solvers, seed, block index). Blocks, of one study or of studies that are alike,
run side by side: on one CPU one for each core, since a compiled function keeps about one busy, and a few on
each accelerator, which then computes one while the host sees to the others. Each runs the code of a single
device, so its result has the same bits however many run; sharded over a mesh, code is compiled otherwise for
several devices than for one, and rounds otherwise. Nothing but summaries leaves a device unless records are
asked for, so memory does not grow with the number of portfolios.

Everything is compiled before the first block, and timed apart. On an accelerator, a block that is solved
whole and of which no records are asked is solved, measured and reduced by one function, so that only
summaries reach its memory. What does not fit a device's memory is solved in parts, and reduced as a whole.
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

from engine.allocation.running import ACCELERATOR_ROUND_ENTRIES, ROUND_ENTRIES, compile_all, cores, in_threads
from engine.bets.methods import Drawn
from engine.model.keys import portfolio_key
from engine.model.portfolio import Portfolio
from engine.simulation.methods import finish, measure_besides, method_of
from engine.simulation.metrics import measure
from engine.simulation.point import Point, Source, draw
from engine.simulation.summaries import Summary, summarise
from engine.solvers.solution import Solution, Status


class Unit(NamedTuple):
    """A block of a point, by its index there; `optimum` of its portfolios, where the point finds none."""

    point: Point
    block: int
    optimum: np.ndarray | None = None


Numbers = dict[str, Any]
Columns = dict[str, Array]
# Portfolios of a block where nobody says how many. A block of an accelerator costs the host about a
# millisecond, in which it solves up to half a million.
CPU_BLOCK, ACCELERATOR_BLOCK, LEAST_BLOCK = 1024, 1 << 21, 32
# Blocks that one accelerator has at hand.
AT_HAND = 8


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


class Reduced(NamedTuple):
    """What leaves a device of a block and solver: the summaries of all metrics, with a leading axis; how many
    portfolios were not solved, how many of those are no finite number, and every portfolio's status."""

    summaries: Summary
    failed: Array
    broken: Array
    status: Array


class Given(NamedTuple):
    """What a point's blocks have in common, on a device: `numbers` by solver, and the optima of none."""

    point: Point
    source: Source
    seed: Array
    budget: Array
    numbers: dict[str, tuple[Numbers, Numbers]]
    unknown: Array


class Code(NamedTuple):
    """What is compiled for a device: to draw, solve, measure and reduce; the last three by solver in one,
    `whole`, or apart."""

    draw: Callable[..., Drawn]
    whole: Mapping[str, Callable[..., tuple[Reduced, Array]]]
    solve: Mapping[str, Callable[..., tuple[Solution, Array]]]
    measure: Callable[..., Columns] | None
    reduce: Callable[..., Reduced] | None
    bytes: int


def default_block(portfolios: int, draws: int = 1) -> int:
    """How many of so many portfolios, of so many draws each, a block has where nobody says: as suits this
    process's devices."""
    if jax.default_backend() == "cpu":
        return max(CPU_BLOCK // draws, min(CPU_BLOCK, LEAST_BLOCK))
    most = min(ACCELERATOR_BLOCK // draws, 1 << (portfolios - 1).bit_length())
    return max(CPU_BLOCK // draws, LEAST_BLOCK, most)


def parts_that_fit(point: Point) -> int:
    """Into how many pieces a block is split: of bets, and on CPUs, which run out of memory without a word."""
    on_cpu = jax.default_backend() == "cpu"
    if not on_cpu and point.source.gives == "portfolio":
        return 1
    room = ROUND_ENTRIES if on_cpu else ACCELERATOR_ROUND_ENTRIES
    return max(1, min(point.block, point.block * point.source.projects * point.entries // room))


def lanes() -> list[jax.Device]:
    """Where blocks run side by side: this process's one CPU as often as it has cores, its accelerators as
    often as each has blocks at hand."""
    devices = jax.local_devices()
    if devices[0].platform != "cpu":
        return devices * AT_HAND
    return devices * cores() if len(devices) == 1 else devices


class Simulation:
    """A point compiled for this process's devices; it runs any point of the same kind.

    **Arguments:** `records`, whether blocks keep what is measured of every portfolio; `parts`, into how many
    pieces a block is split at least to fit a device's memory.

    **Raises:** `ValueError` at trace time for an option that a solver refuses.
    """

    def __init__(self, point: Point, records: bool = False, parts: int = 1) -> None:
        self.point = point
        self.records = records
        self.parts = max(parts, parts_that_fit(point))
        self.lanes = lanes()
        self.compile_seconds = 0.0
        self._float64 = jax.config.jax_enable_x64  # type: ignore[attr-defined]
        self._held: dict[jax.Device, Given] = {}
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
        self._held = {}
        devices = list(dict.fromkeys(self.lanes))
        steps = compile_all(step for device in devices for step in self._lower(device))
        each = len(steps) // len(devices)
        self._code = {d: self._arrange(steps[each * i : each * (i + 1)]) for i, d in enumerate(devices)}
        self.compile_seconds += time.perf_counter() - begin

    def _whole(self, device: jax.Device) -> bool:
        """Whether a block is solved and reduced in one: it takes longer to compile."""
        return device.platform != "cpu" and self.parts == 1 and not self.records

    def _lower(self, device: jax.Device) -> Iterator[jax.stages.Lowered]:
        """What is compiled for a device, in the order of `Code`, traced as it is asked for."""
        point, size = self.point, self._size
        here = SingleDeviceSharding(device)

        def drawn_from(source: Source, seed: Array, budget: Array, first: Array) -> Drawn:
            indices = first + jnp.arange(size, dtype=first.dtype)
            key, units = partial(portfolio_key, seed), point.lattice.units
            return jax.vmap(lambda j: draw(source, key(j), units, budget, point.dtype))(indices)

        def place(tree: Any, size: int) -> Any:
            def shape_of(a: Any) -> jax.ShapeDtypeStruct:
                return jax.ShapeDtypeStruct((size, *a.shape[1:]), a.dtype, sharding=here)

            return jax.tree.map(shape_of, tree)

        given, count = self._given(device, point), jax.device_put(np.int32(0), device)
        first = jax.device_put(np.uint32(0), device)
        yield (drawn := jax.jit(drawn_from).lower(given.source, given.seed, given.budget, first))
        portfolios, optimum = place(drawn.out_info, size), place(given.unknown, size)
        inputs = {name: (portfolios, given.budget, *given.numbers[name]) for name in point.solvers}
        if self._whole(device):
            for name in point.solvers:
                step = jax.jit(partial(_solve_measure_reduce, point, name))
                yield step.lower(*inputs[name], optimum, count)
            return
        for name in point.solvers:
            yield (solved := jax.jit(partial(_solve, point, name)).lower(*inputs[name]))
        solution = place(solved.out_info[0], size)
        yield (measured := jax.jit(_measure).lower(portfolios, given.budget, solution, optimum))
        reduce = jax.jit(partial(_reduce, tuple(point.metrics)))
        yield reduce.lower(place(measured.out_info, point.block), count)

    def _arrange(self, steps: list[jax.stages.Compiled]) -> Code:
        """The compiled code of a device, and the memory it takes."""
        sizes = [found for step in steps if (found := step.memory_analysis())]
        most = [f.temp_size_in_bytes + f.argument_size_in_bytes + f.output_size_in_bytes for f in sizes]
        draw, *rest = steps
        solvers, last = dict(zip(self.point.solvers, rest, strict=False)), rest[len(self.point.solvers) :]
        if not last:
            return Code(draw, solvers, {}, None, None, max(most, default=0))
        measured, reduced = last
        return Code(draw, {}, solvers, measured, reduced, max(most, default=0))

    def _given(self, device: jax.Device, point: Point) -> Given:
        """What all blocks of a point take, on the device."""
        held = self._held.get(device)
        if held is None or held.point is not point:
            numbers = {name: _numbers(point, name) for name in point.solvers}
            budget = np.asarray(point.budget, point.dtype)
            unknown = np.full(self._size, np.nan, point.dtype)
            placed = jax.device_put((point.source, np.uint32(point.seed), budget, numbers, unknown), device)
            held = self._held[device] = Given(point, *placed)
        return held

    def draw(self, unit: tuple[Point, int] | Unit, part: int = 0, lane: int = 0) -> Portfolio:
        """The portfolios of one part of a block, with a leading axis; past the last too, for one shape."""
        return self._draw(unit, part, lane).portfolio

    def _draw(self, unit: tuple[Point, int] | Unit, part: int, lane: int) -> Drawn:
        """The same, with the draws around each."""
        device = self.lanes[lane]
        point, index = unit[:2]
        given, first = self._given(device, point), np.uint32(index * point.block + part * self._size)
        return self._code[device].draw(given.source, given.seed, given.budget, jax.device_put(first, device))

    def in_turn(self, units: Sequence[tuple[Point, int] | Unit]) -> Iterator[Block]:
        """Any number of blocks, as many at a time as run side by side."""
        for start in range(0, len(units), len(self.lanes)):
            yield from self.blocks(units[start : start + len(self.lanes)])

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
        found: dict[str, list[Any]] = {name: [] for name in self.point.solvers}
        optima: list[Array] = []
        count = jax.device_put(np.int32(block.count), self.lanes[lane])
        for part in range(self.parts):
            for name, result, seconds in self._solve_part(unit, part, lane, count, optima):
                found[name].append(result)
                block.seconds[name] = block.seconds.get(name, 0.0) + seconds / together
        for name, parts in found.items():
            self._note(block, name, parts, count, lane)
        if self.point.reference in found:
            block.optimum = np.concatenate(list(map(np.asarray, optima)))[: block.count]
        return block

    def _solve_part(
        self, unit: Unit, part: int, lane: int, count: Array, optima: list[Array]
    ) -> Iterator[tuple[str, Any, float]]:
        """What each solver makes of one part of a block, and its seconds; the reference first, whose optima
        are noted."""
        device = self.lanes[lane]
        code, given = self._code[device], self._given(device, unit.point)
        portfolios = jax.block_until_ready(self._draw(unit, part, lane))
        optimum = self._known_optimum(unit, part, device)
        for name in sorted(self.point.solvers, key=lambda name: name != self.point.reference):
            begin = time.perf_counter()
            inputs = portfolios, given.budget, *given.numbers[name]
            if code.whole:
                result, proved = jax.block_until_ready(code.whole[name](*inputs, optimum, count))
            else:
                solution, proved = jax.block_until_ready(code.solve[name](*inputs))
            seconds = time.perf_counter() - begin
            if name == self.point.reference:
                optimum = proved
                optima.append(proved)
            yield name, result if code.whole else self._columns(code, inputs, solution, optimum), seconds

    def _columns(self, code: Code, inputs: Any, solution: Solution, optimum: Array) -> Columns:
        """What is measured of every portfolio, and what is asked for besides."""
        assert code.measure is not None
        columns = dict(code.measure(*inputs[:2], solution, optimum))
        return columns | {"spent": solution.spent, "effort": solution.effort} if self.records else columns

    def _known_optimum(self, unit: Unit, part: int, device: jax.Device) -> Array:
        """The optima of one part of a block that were found elsewhere; NaN where they were not."""
        if unit.optimum is None:
            return self._given(device, unit.point).unknown
        known = np.full(self._size * self.parts, np.nan, self.point.dtype)
        known[: unit.optimum.size] = unit.optimum
        return jax.device_put(known[part * self._size : (part + 1) * self._size], device)

    def _join(self, parts: list[Columns], lane: int) -> Columns:
        """The columns of a whole block."""
        if len(parts) == 1:
            return parts[0]
        whole = jax.tree.map(lambda *a: np.concatenate(list(map(np.asarray, a)))[: self.point.block], *parts)
        return jax.device_put(whole, self.lanes[lane])

    def _note(self, block: Block, name: str, parts: list[Any], count: Array, lane: int) -> None:
        """Note what a solver made of a block's parts."""
        reduce = self._code[self.lanes[lane]].reduce
        if reduce is None:
            (reduced,) = parts
        else:
            columns = self._join(parts, lane)
            reduced = reduce({metric: columns[metric] for metric in (*self.point.metrics, "status")}, count)
            if self.records:
                block.records[name] = {n: np.asarray(column)[: block.count] for n, column in columns.items()}
        summaries, failed, broken = jax.device_get((reduced.summaries, reduced.failed, reduced.broken))
        of_metrics = (Summary(*numbers) for numbers in zip(*summaries, strict=True))
        block.summaries[name] = dict(zip(self.point.metrics, of_metrics, strict=True))
        block.failed[name], block.broken[name] = int(failed), []
        if broken:
            status, first = np.asarray(reduced.status)[: block.count], block.index * self.point.block
            block.broken[name] = [first + int(j) for j in np.flatnonzero(status == Status.NOT_FINITE)]


def _solve(
    point: Point, name: str, drawn: Drawn, budget: Array, numbers: Numbers, traced: Numbers
) -> tuple[Solution, Array]:
    """A solver's answers, and the optima that it proved; where effort spills over, the best that it found."""
    method, lattice = method_of(name), point.lattice._replace(**numbers)
    static = method.static(point.solvers[name])
    given: Any = drawn.solved if method.takes == "portfolio" else drawn
    if method.takes not in ("portfolio", "plan") or method.exactly(drawn.solved.cost):
        given, budget = _cast((given, budget), np.dtype(np.float64))
    solution = jax.vmap(lambda one: method.solve(one, budget, lattice, **static, **traced))(given)
    solution = _cast(jax.vmap(finish, in_axes=(0, None, 0))(drawn, budget, solution), point.dtype)
    known = solution.proved | (method.takes in ("coupled", "plan"))
    return solution, jnp.where(known, solution.value, jnp.nan)


def _measure(drawn: Drawn, budget: Array, solution: Solution, optimum: Array) -> Columns:
    """The metrics and the status of every portfolio."""
    metrics = jax.vmap(measure, in_axes=(0, None, 0, 0))(drawn.portfolio, budget, solution, optimum)
    metrics = jax.vmap(measure_besides)(drawn, solution, metrics)
    return {**metrics, "status": solution.status}


def _reduce(names: tuple[str, ...], columns: Columns, count: Array) -> Reduced:
    """What the columns of a block's first `count` portfolios come to."""
    status = columns["status"]
    inside = jnp.arange(status.size, dtype=count.dtype) < count
    solved = inside & (status == Status.SOLVED)
    values = jnp.stack([columns[name] for name in names])
    summaries = jax.vmap(summarise, in_axes=(0, None))(values, solved)
    broken = jnp.sum(inside & (status == Status.NOT_FINITE), dtype=count.dtype)
    return Reduced(summaries, count - jnp.sum(solved, dtype=count.dtype), broken, status)


def _solve_measure_reduce(
    point: Point,
    name: str,
    drawn: Drawn,
    budget: Array,
    numbers: Numbers,
    traced: Numbers,
    optimum: Array,
    count: Array,
) -> tuple[Reduced, Array]:
    """All that becomes of a block whose portfolios are drawn."""
    solution, proved = _solve(point, name, drawn, budget, numbers, traced)
    known = proved if name == point.reference else optimum
    columns = _measure(drawn, budget, solution, known)
    return _reduce(tuple(point.metrics), columns, count), proved


def _numbers(point: Point, solver: str) -> tuple[Numbers, Numbers]:
    """What a solver takes besides portfolios and budget: its lattice's numbers, its options'."""
    return point.lattice.numbers, point.traced(solver)


def _cast(tree: Any, dtype: np.dtype) -> Any:
    """All real arrays in this dtype."""
    return jax.tree.map(lambda a: a.astype(dtype) if jnp.issubdtype(a.dtype, jnp.floating) else a, tree)
