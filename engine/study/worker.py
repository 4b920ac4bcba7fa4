"""Workers: every block of every task of a study, computed once, by however many of them, into one store.

A worker claims blocks, computes as many at a time as it has devices, and commits them.
It begins with its own share and goes on with what others leave, so that workers which die, or come late,
leave nothing undone. Tasks of one kind (`Point.kind`) share their compiled code. Solvers that a study was
grown by take the optima of the portfolios from the blocks that hold them.
"""

from __future__ import annotations

import errno
import math
import time
from collections import deque
from collections.abc import Collection, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import jax
import pyarrow as pa

from engine.simulation.blocks import Block, Simulation, Unit
from engine.study.manifest import StoreError
from engine.study.records import tabulate_records
from engine.study.results import optima, plain, tabulate
from engine.study.store import Store
from engine.study.sweep import Sweep

CALIBRATION_SECONDS = 20.0
# Blocks that are written while the next ones are computed.
MOST_WRITES = 8


@dataclass
class Estimate:
    """What a sweep takes: compilations, bytes a device, seconds in all; those of the kinds tried."""

    kinds: int
    tried: int
    compile_seconds: float
    bytes: int
    seconds: float


@dataclass
class Tally:
    """What a worker has done: the point it is at, numbers of blocks and portfolios, the blocks that failed;
    the seconds that it took, compilation apart."""

    point: int = 0
    blocks: int = 0
    portfolios: int = 0
    failed: list[int] = field(default_factory=list)
    seconds: float = 0.0
    compilations: int = 0
    compile_seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Portfolios per second, compilation apart."""
        return self.portfolios / self.seconds if self.seconds > 0 else math.nan


class Worker:
    """One process at work on a sweep, as number `index` of `count`."""

    def __init__(self, sweep: Sweep, store: Store | None, index: int = 0, count: int = 1) -> None:
        self.sweep = sweep
        self.store = store
        self.index, self.count = index, count
        self.tally = Tally()
        self._device = jax.local_devices()[0].device_kind
        self._parts = store.parts(self._device) if store else 1
        self._compiled: dict[Hashable, Simulation] = {}
        self._writes: list[Future[None]] = []

    # Before the start.

    def estimate(self, seconds: float = CALIBRATION_SECONDS) -> Estimate:
        """Try a block of each kind, as far as so many seconds go, and of one at least; nothing is kept."""
        begin, tried, taken, most, known = time.perf_counter(), 0, 0.0, 0, 0
        kinds = self.sweep.kinds
        for kind, tasks in kinds.items():
            if tried and time.perf_counter() - begin > seconds:
                break
            simulation = self._simulation(kind)
            most = max(most, simulation.bytes)
            together = min(len(simulation.lanes), self._each())
            units = [Unit(self.sweep.tasks[tasks[0]], i) for i in range(together)]
            start = time.perf_counter()
            self._solve(simulation, units)
            taken += (time.perf_counter() - start) * len(tasks) * self._each() / together
            tried, known = tried + 1, known + len(tasks)
        scale = len(self.sweep.tasks) / known
        return Estimate(len(kinds), tried, self.tally.compile_seconds, most, taken * scale)

    def estimate_by_tally(self, done: Collection[int]) -> Estimate:
        """The same by the blocks that it has computed; `done` were there before."""
        left = sum(self.sweep.manifest.size(n) for n in range(self.sweep.blocks) if n not in done)
        most = max(simulation.bytes for simulation in self._compiled.values())
        seconds = left / self.tally.rate if self.tally.portfolios else math.nan
        tried = len(self._compiled)
        return Estimate(len(self.sweep.kinds), tried, self.tally.compile_seconds, most, seconds)

    def _each(self) -> int:
        return self.sweep.manifest.blocks_per_point

    def _numbers(self, task: int) -> range:
        return range(task * self._each(), (task + 1) * self._each())

    # At work.

    def run(self, retry: bool = False) -> Iterator[Tally]:
        """Compute what is to do; after every few blocks, the tally so far. It may be left at any time.

        **Arguments:** `retry`, to try again what has failed before.

        **Raises:** `StoreError` where the store cannot be written any more.
        """
        with ThreadPoolExecutor(1) as pool:
            try:
                settled = -1
                while settled < self._settled_here:  # blocks of a worker that died are free in the next pass
                    settled = self._settled_here
                    for kind, tasks in self.sweep.kinds.items():
                        yield from self._run_kind(kind, tasks, retry, pool)
            finally:
                self._finish_writes(0)

    @property
    def _settled_here(self) -> int:
        return self.tally.blocks + len(self.tally.failed)

    def _run_kind(
        self, kind: Hashable, tasks: list[int], retry: bool, pool: ThreadPoolExecutor
    ) -> Iterator[Tally]:
        assert self.store is not None
        self._finish_writes(0)
        settled = set(self.store.done()) | set(self.tally.failed if retry else self.store.failed())
        numbers = [n for task in tasks for n in self._numbers(task) if n not in settled]
        # Its own share first; within it, and after it, in order.
        waiting = deque(sorted(numbers, key=lambda n: (n - self.index) % self.count != 0))
        while waiting:
            simulation = self._simulation(kind)
            claimed: list[int] = []
            while waiting and len(claimed) < len(simulation.lanes):
                number = waiting.popleft()
                if not self.store.claim(number):
                    continue
                failed = not retry and self.store.gave_up(number)
                there = self.store.holds(number)  # by another worker, since the look at the folder
                if failed or there or not self._can_begin(number):
                    self.store.release(number)
                else:
                    claimed.append(number)
            if claimed:
                self._compute(simulation, claimed, pool)
                yield self.tally

    def _can_begin(self, number: int) -> bool:
        """Whether the optima that a block is measured by are there, or never will be."""
        assert self.store is not None
        reference = self.sweep.manifest.reference(number)
        return reference is None or self.store.gave_up(reference) or self.store.holds(reference)

    def _unit(self, number: int) -> Unit:
        """A block to be computed.

        **Raises:** `StoreError` if the optima that it is measured by are missing or damaged.
        """
        assert self.store is not None
        point, index = self.sweep.unit(number)
        reference = self.sweep.manifest.reference(number)
        if reference is None:
            return Unit(point, index)
        path = self.store.find(reference)
        if path is None:
            raise StoreError(f"block {reference} failed, whose optima this one is measured by")
        return Unit(point, index, optima(self.store.read(path)))

    def _simulation(self, kind: Hashable) -> Simulation:
        if kind not in self._compiled:
            point = self.sweep.tasks[self.sweep.kinds[kind][0]]
            self._compiled[kind] = simulation = Simulation(point, self.sweep.manifest.records, self._parts)
            self.tally.compilations += 1
            self.tally.compile_seconds += simulation.compile_seconds
        return self._compiled[kind]

    def _compute(self, simulation: Simulation, numbers: list[int], pool: ThreadPoolExecutor) -> None:
        """Solve claimed blocks and hand them to the writer."""
        begin = time.perf_counter()
        self.tally.point = self.sweep.manifest.point_of(numbers[-1])
        try:
            solved: list[Block | str] = list(self._solve(simulation, [self._unit(n) for n in numbers]))
        except (jax.errors.JaxRuntimeError, StoreError):
            solved = [self._solve_or_say(simulation, number) for number in numbers]
        for number, block in zip(numbers, solved, strict=True):
            self._writes.append(pool.submit(self._write, number, block))
            broken = isinstance(block, str) or any(block.broken.values())
            if broken:
                self.tally.failed.append(number)
            else:
                self.tally.blocks += 1
                self.tally.portfolios += self.sweep.manifest.size(number)
        self._finish_writes(MOST_WRITES)
        self.tally.seconds += time.perf_counter() - begin

    def _solve(self, simulation: Simulation, units: list[Unit]) -> list[Block]:
        before = simulation.parts
        blocks = simulation.blocks(units)
        if simulation.parts > before:  # what did not fit once is not tried again
            self._parts = simulation.parts
            if self.store:
                self.store.remember_parts(self._device, self._parts)
                self.store.log({"message": f"out of memory: blocks are solved in {self._parts} parts"})
        return blocks

    def _solve_or_say(self, simulation: Simulation, number: int) -> Block | str:
        try:
            return self._solve(simulation, [self._unit(number)])[0]
        except (jax.errors.JaxRuntimeError, StoreError) as error:
            return str(error).splitlines()[0]

    def _write(self, number: int, block: Block | str) -> None:
        assert self.store is not None
        settings = self.sweep.manifest.settings_of(number)
        try:
            if isinstance(block, str) or any(block.broken.values()):
                self.store.fail(number, self._failure(number, settings, block))
                self.store.log({"message": f"block {number} failed"})
            else:
                self.store.commit(number, tabulate(settings, block), self._records(number, settings, block))
                self.store.log_seconds(number, block.seconds)
        finally:
            self.store.release(number)

    def _records(self, number: int, settings: dict[str, Any], block: Block) -> pa.Table | None:
        if not self.sweep.manifest.records:
            return None
        point, index = self.sweep.unit(number)
        shown = {key: plain(value) for key, value in settings.items()}
        return tabulate_records(shown, block, index * point.block)

    def _failure(self, number: int, settings: dict[str, Any], block: Block | str) -> dict[str, Any]:
        point, index = self.sweep.unit(number)
        facts = {
            "block": number,
            "settings": settings,
            "seed": point.seed,
            "first_portfolio": index * point.block,
            "portfolios": self.sweep.manifest.size(number),
        }
        if isinstance(block, str):
            return {**facts, "error": block}
        not_finite = {solver: indices for solver, indices in block.broken.items() if indices}
        return {**facts, "error": "the total return is not a finite number", "not_finite": not_finite}

    def _finish_writes(self, most: int) -> None:
        """Wait until at most so many blocks are still being written."""
        while len(self._writes) > most:
            try:
                self._writes.pop(0).result()
            except OSError as error:
                assert self.store is not None
                full = error.errno in (errno.ENOSPC, errno.EDQUOT)
                advice = "make room" if full else "mend it"
                raise StoreError(
                    f"{self.store.folder}: cannot be written ({error.strerror}); what is there is whole: "
                    f"{advice} and run the same command to go on"
                ) from None
