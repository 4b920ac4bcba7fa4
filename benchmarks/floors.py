"""The least that each solver has to do for one portfolio, counted by hand, and how long that takes.

    floor = max(bytes / bandwidth, arithmetic / rate)

No version of a solver runs much faster than its floor on a machine of these rates; what it takes beyond is
the gap. Counted are the operations that the method needs, not those that a program happens to do, and the
bytes that have to cross the memory: inputs read once, outputs written once, nothing between.

- Flops: an addition, multiplication or comparison is one. A division, logarithm or exponential is as many as
  a short polynomial for it in float32 takes; float64 needs about twice those, so that its floors are low.
- Pairs: one addition and one maximum, the step of a max-plus dynamic programme.
- Mixes: one addition, rotation and exclusive or, the round of the generator of random numbers.

Source: Williams, Waterman & Patterson (2009), "Roofline"; Salmon et al. (2011) for Threefry and its rounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from engine.model.curves.s_shaped import FIRST_STEPS, LAST_STEPS
from engine.solvers.exact import FEW_CHORDS, NEAR

DIVISION, LOGARITHM, EXPONENTIAL = 8.0, 16.0, 12.0
# Threefry-2x32 as JAX has it: rounds a number, and a number for every one drawn, of 32 bits or of 64.
ROUNDS = 20.0
# erf⁻¹ is a logarithm, a square root and a polynomial of degree eight.
NORMAL = LOGARITHM + DIVISION + 2 * 8
# Steps that hardly any portfolio of logarithmic curves does with less of.
NEWTON_PASSES = 3
ASCENT_STEPS, MULTIPLIER_STEPS = 2, 5
HALLEY_STEPS = FIRST_STEPS + LAST_STEPS
# value, bound, price and spent of a solution; its flag and status.
NUMBERS, FLAGS = 4, 5


@dataclass(frozen=True)
class Work:
    """What one portfolio takes; `bytes` cross the memory."""

    flops: float = 0.0
    pairs: float = 0.0
    mixes: float = 0.0
    bytes: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.flops + other.flops,
            self.pairs + other.pairs,
            self.mixes + other.mixes,
            self.bytes + other.bytes,
        )


class Rates(NamedTuple):
    """What a machine does a second, in one precision."""

    bandwidth: float
    flops: float
    pairs: float
    mixes: float


class Family(NamedTuple):
    """Flops of one value, gain, slope and inverse slope of a curve; its parameters, weights included, and how
    many of them are exponentials of a uniform number, and how many of a normal one."""

    value: float
    gain: float
    slope: float
    inverse: float
    parameters: int
    loguniform: int
    lognormal: int


LOG = Family(
    value=2 + LOGARITHM,
    gain=4 + DIVISION + LOGARITHM,
    slope=3 + DIVISION,
    inverse=2 + 2 * DIVISION,
    parameters=2,
    loguniform=2,
    lognormal=0,
)
HILL = Family(
    value=4 + DIVISION + LOGARITHM + EXPONENTIAL,
    gain=8 + 3 * LOGARITHM + 3 * EXPONENTIAL + 2 * DIVISION,
    slope=6 + 2 * DIVISION + LOGARITHM + EXPONENTIAL,
    inverse=HALLEY_STEPS * (18 + LOGARITHM + EXPONENTIAL + 5 * DIVISION) + 2 * LOGARITHM + EXPONENTIAL,
    parameters=4,
    loguniform=1,
    lognormal=2,
)
FAMILIES = {"log": LOG, "hill": HILL}


def arithmetic_seconds(work: Work, rates: Rates) -> float:
    """The least seconds of all operations, one kind after another."""
    return work.flops / rates.flops + work.pairs / rates.pairs + work.mixes / rates.mixes


def floor_seconds(work: Work, rates: Rates) -> float:
    """The least seconds of this work: moving its bytes and computing may overlap."""
    return max(work.bytes / rates.bandwidth, arithmetic_seconds(work, rates))


def limit(work: Work, rates: Rates) -> str:
    """Which of the two it is."""
    return "bytes" if work.bytes / rates.bandwidth > arithmetic_seconds(work, rates) else "arithmetic"


def inputs(family: Family, projects: int, itemsize: int) -> Work:
    """Read every parameter once: N · parameters · itemsize bytes."""
    return Work(bytes=projects * family.parameters * itemsize)


def outputs(projects: int, itemsize: int) -> Work:
    """Write one solution: N efforts and four numbers, a flag and a status."""
    return Work(bytes=(projects + NUMBERS) * itemsize + FLAGS)


def random_numbers(family: Family, projects: int) -> Work:
    """N · parameters random numbers, and a key for the portfolio, the family and each parameter.

    Each is one call of the generator; each number then costs two flops to scale, and what its distribution
    takes.
    """
    numbers = projects * family.parameters
    keys = 2 + family.parameters
    shaped = family.loguniform * EXPONENTIAL + family.lognormal * (NORMAL + EXPONENTIAL)
    return Work(flops=2 * numbers + projects * shaped, mixes=ROUNDS * (numbers + keys))


def draw(family: Family, projects: int, itemsize: int) -> Work:
    """The random numbers, and writing them as parameters."""
    return random_numbers(family, projects) + inputs(family, projects, itemsize)


def cutoff_search(family: Family, projects: int) -> Work:
    """P passes of Newton's method, one count and the last units.

    A pass inverts N slopes and differentiates them (as dear again as a division), clips and sums:
    N · (inverse + division + 4). The count inverts once more and compares one gain. The last units and the
    certificate need every next gain once more, and the value every return: N · (gain + value + 2).
    """
    newton = NEWTON_PASSES * (family.inverse + DIVISION + 4)
    count = family.inverse + family.gain + 4
    last = family.gain + family.value + 2
    return Work(flops=projects * (newton + count + last))


def greedy_search(family: Family, projects: int, budget: int) -> Work:
    """N gains; for each of B units the largest of N and one new gain; N gains and returns at the end."""
    begin, unit = projects * family.gain, projects + family.gain
    return Work(flops=begin + budget * unit + projects * (family.gain + family.value + 2))


def waterfilling_search(family: Family, projects: int, itemsize: int) -> Work:
    """One bisection a bit: at each of 8·itemsize − 1 prices N inverse slopes, clipped and summed.

    Four ways to spend what is left are then compared: 4 N returns.
    """
    price = family.inverse + 3
    return Work(flops=projects * ((8 * itemsize - 1) * price + 4 * (family.value + 1)))


def relaxation_search(family: Family, projects: int) -> Work:
    """At each of S steps a slope, a bend (as much again) and a return, and M Newton steps for the multiplier.

    On logarithmic curves one step is exact and one more sees it. A multiplier's step is a line's clipped
    value and its slope, ten flops a project. Rounding takes a gain and the value.
    """
    step = 2 * family.slope + family.value + 10 * MULTIPLIER_STEPS + 2 * DIVISION
    return Work(flops=projects * (ASCENT_STEPS * step + family.gain + family.value + 4))


def core_pairs(projects: int, budget: int) -> float:
    """Of the first core: each of N − 1 projects tries 2·width levels at 2·reach + 1 states."""
    return float((projects - 1) * 2 * NEAR.width * (2 * min(NEAR.reach, budget) + 1))


def exact_search(family: Family, projects: int, budget: int) -> Work:
    """The prices of the dual, the scores of the core's levels, and the programme over the core.

    A price is an inverse slope and two returns a project. The core scores 2·width levels of each project but
    one, and what is left to that one at each state.
    """
    prices = (FEW_CHORDS + 2) * projects * (family.inverse + 2 * (family.value + 3))
    levels = (projects - 1) * 2 * NEAR.width + 2 * min(NEAR.reach, budget) + 1
    return Work(flops=prices + levels * (family.value + 3), pairs=core_pairs(projects, budget))


def programme_pairs(projects: int, budget: int) -> float:
    """Of the full programme: at state b the levels 1, …, b of each of N projects, N·B·(B + 1)/2."""
    return projects * budget * (budget + 1) / 2


def programme_search(family: Family, projects: int, budget: int) -> Work:
    """The table of returns, N · (B + 1) of them, and all pairs of the full programme."""
    table = projects * (budget + 1) * (family.value + 1)
    return Work(flops=table, pairs=programme_pairs(projects, budget))


def work_of(solver: str, family: str, projects: int, budget: int, itemsize: int) -> Work:
    """What one portfolio takes of a solver, or of `draw`, `draw + cutoff` or `monte carlo`, by name.

    What is drawn and solved in one go reads nothing. A Monte Carlo run leaves nothing but summaries, so that
    it writes nothing either.
    """
    kind = FAMILIES[family]
    search = {
        "cutoff": cutoff_search(kind, projects),
        "greedy": greedy_search(kind, projects, budget),
        "waterfilling": waterfilling_search(kind, projects, itemsize),
        "relaxation": relaxation_search(kind, projects),
        "exact": exact_search(kind, projects, budget),
        "programme": programme_search(kind, projects, budget),
    }
    if solver == "draw":
        return draw(kind, projects, itemsize)
    if solver in ("draw + cutoff", "monte carlo"):
        fused = random_numbers(kind, projects) + search["cutoff"]
        return fused if solver == "monte carlo" else fused + outputs(projects, itemsize)
    return inputs(kind, projects, itemsize) + search[solver] + outputs(projects, itemsize)
