"""The max-plus dynamic programme of a whole batch as one kernel, for GPUs.

    D_i(b) = max_k D_{i−1}(b − k) + r_i(k),     i = 1, …, N

A thread solves a portfolio from its first project to its last and reads its effort back, so that threads wait
for nothing and nobody else reads what one has written. Arrays are […, portfolios], so that the threads of a
warp read neighbouring numbers. What limits the method is the reading of D and r. So a thread keeps a tile of
states in registers, and the numbers of D that they are reached from; `LEVELS` levels further these have moved
on by as many, so that 2·LEVELS numbers read give tile·LEVELS additions and maxima. Levels above a tile's last
state are not looked at.

The arithmetic is that of `engine.solvers.programme`, one addition and one maximum a pair, so that the optimum
is the same to the bit; where efforts tie up to rounding, it may be another one.

Source: Bellman (1957) for the programme; Volkov (2010), "Better performance at lower occupancy", for tiles in
registers and many independent operations a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from engine.solvers.kernel import compiler_params

# Threads of a program, one portfolio each. States of a tile and levels taken at once, by the bytes of a
# number: as many as registers hold.
THREADS = 32
STATES = {4: 40, 8: 24}
LEVELS = 8

Tables = Float[Array, "projects levels portfolios"]
Index = Int[Array, ""]


class Board(NamedTuple):
    """What one program works on: references to the returns and to D, `before` [projects + 1, rows,
    portfolios], its threads' portfolios, and how many states a tile has. Above the row `zero` D is −∞."""

    tables: Any
    before: Any
    lane: Int[Array, " threads"]
    tile: int

    @property
    def zero(self) -> int:
        """The row of zero budget steps."""
        return self.tile + LEVELS

    def known(self, project: Index | int, row: Index) -> Array:
        """D before this project."""
        return self.before[project, row, self.lane]

    def gain(self, project: Index, level: Index) -> Array:
        """The return of a level."""
        return self.tables[project, level, self.lane]

    def write(self, project: Index | int, row: Index, values: Array) -> None:
        """Set D before this project."""
        self.before[project, row, self.lane] = values


def optima(
    tables: Tables, states: Int[Array, " portfolios"], last: int, interpret: bool = False
) -> tuple[Float[Array, " portfolios"], Float[Array, "projects portfolios"]]:
    """The optimum within so many budget steps of each portfolio, and the least effort that has it.

    **Arguments:** `tables`, the return of each level, −∞ where it is not allowed, for as many levels as
    `padded_levels` says; `states`, budget steps of each portfolio, at most `last`.
    """
    from jax.experimental import pallas  # a twentieth of a second, on CPUs for nothing

    projects, _, portfolios = tables.shape
    tile = STATES[tables.dtype.itemsize]
    rows = tile + LEVELS + -(-(last + 1) // tile) * tile
    whole = pallas.BlockSpec(memory_space=pallas.ANY)
    shape = partial(jax.ShapeDtypeStruct, dtype=tables.dtype)
    optimum, effort, _ = pallas.pallas_call(
        partial(_solve, last=last, tile=tile),
        grid=(-(-portfolios // THREADS),),
        in_specs=[whole, whole],
        out_specs=(whole, whole, whole),
        out_shape=(
            shape((portfolios,)),
            shape((projects, portfolios)),
            shape((projects + 1, rows, portfolios)),
        ),
        interpret=interpret,
        compiler_params=compiler_params(THREADS // 32),
    )(tables, states)
    return optimum, effort


def padded_levels(levels: int) -> int:
    """How many levels a table of so many has to have, those beyond being not allowed."""
    return -(-levels // LEVELS) * LEVELS


def _loop(count: int | Index, step: Callable[[Index, Any], Any], state: Any) -> Any:
    return jax.lax.fori_loop(jnp.int32(0), jnp.asarray(count, jnp.int32), step, state)


def _each(count: int | Index, do: Callable[[Index], None]) -> None:
    _loop(count, lambda index, _: do(index), None)


def _solve(tables: Any, states: Any, optimum: Any, effort: Any, before: Any, *, last: int, tile: int) -> None:
    """The whole programme of one program's portfolios."""
    from jax.experimental import pallas

    projects, _, portfolios = tables.shape
    # Past the last portfolio the last one again: what is written twice is the same.
    lane = pallas.program_id(0) * THREADS + jnp.arange(THREADS, dtype=jnp.int32)
    lane = jnp.minimum(lane, portfolios - 1)
    board, tiles = Board(tables, before, lane, tile), -(-(last + 1) // tile)
    _begin(board, projects, tiles)
    _each(projects, lambda project: _each(tiles, lambda number: _solve_tile(board, project, number * tile)))
    state = states[lane]
    optimum[lane] = board.known(projects, board.zero + state)

    def read_back(step: Index, state: Array) -> Array:
        project = projects - 1 - step
        level = _level_taken(board, project, state)
        effort[project, lane] = level.astype(tables.dtype)
        return state - level

    _loop(projects, read_back, state)


def _begin(board: Board, projects: int, tiles: int) -> None:
    """D_0 = 0, and −∞ where budget steps are negative."""
    dtype = board.tables.dtype
    nothing, zero = jnp.full((THREADS,), -jnp.inf, dtype), jnp.zeros((THREADS,), dtype)
    _each(board.zero, lambda row: _each(projects + 1, lambda project: board.write(project, row, nothing)))
    _each(tiles * board.tile, lambda row: board.write(0, board.zero + row, zero))


def _solve_tile(board: Board, project: Index, first: Index) -> None:
    """D after this project at the states from `first` on."""
    tile, reach = board.tile, board.tile - 1

    def lowest(level: Index | int) -> Index:
        return board.zero + first - level - (LEVELS - 1)

    def take_levels(step: Index, held: tuple[tuple[Array, ...], ...]) -> tuple[tuple[Array, ...], ...]:
        best, known = held
        row = lowest(step * LEVELS)
        known = tuple(board.known(project, row + j) for j in range(LEVELS)) + known
        for k in range(LEVELS):
            gain = board.gain(project, step * LEVELS + k)
            best = tuple(_larger(best[b], known[b - k + LEVELS - 1] + gain) for b in range(tile))
        return best, known[:reach]

    nothing = jnp.full((THREADS,), -jnp.inf, board.tables.dtype)
    known = tuple(board.known(project, lowest(0) + LEVELS + j) for j in range(reach))
    steps = jnp.minimum((first + tile - 1) // LEVELS + 1, board.tables.shape[1] // LEVELS)
    best, _ = _loop(steps, take_levels, ((nothing,) * tile, known))
    for b in range(tile):
        board.write(project + 1, board.zero + first + b, best[b])


def _level_taken(board: Board, project: Index, state: Array) -> Array:
    """The least level of this project that leads to the optimum at these states."""
    best = board.known(project + 1, board.zero + state)
    steps = jnp.minimum(jnp.max(state) // LEVELS + 1, board.tables.shape[1] // LEVELS)

    def look(step: Index, found: Array) -> Array:
        # From the highest level down, so that the least of those that tie comes last.
        for k in reversed(range(LEVELS)):
            level = (steps - 1 - step) * LEVELS + k
            source = jnp.maximum(board.zero + state - level, 0)
            total = board.known(project, source) + board.gain(project, level)
            found = jnp.where((total == best) & (level <= state), level, found)
        return found

    level = _loop(steps, look, jnp.zeros((THREADS,), jnp.int32))
    return jnp.where(best > -jnp.inf, level, 0)


def _larger(one: Array, other: Array) -> Array:
    # No hardware has a maximum of two float64, and that of JAX looks for NaN besides.
    return jnp.maximum(one, other) if one.dtype == jnp.float32 else jnp.where(other > one, other, one)
