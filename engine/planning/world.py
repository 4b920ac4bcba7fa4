"""The world that is planned for: what projects do with effort, and what of it is seen.

A budget is spent in lots over T periods. Effort x_it goes into project i in period t; it makes progress

    E_i,t = E_i,t−1 + z_it x_it e^(σ n − σ²/2),   n normal,

where z_it is 1 while the project runs and 0 while it stalls: a hidden Markov chain that stalls with one
chance a period and resumes with another, and starts from its stationary law. Effort after a project's
deadline, if it has one, makes no progress. The return is R_i(E_it), of a curve that is hidden as well:
start-up costs, thresholds and success are part of it. Where effort was spent,

    y_it = R_i(E_it) + s_i τ n

is seen, s_i the project's scale; nothing is seen of the others. Effort that is spent is sunk, and progress
stays. What is returned more in period t counts δ^(t−1), where there is a discount. Random numbers depend on
the period and the project alone, so that policies can be compared in pairs.

Sources: hidden Markov models, Cappé, Moulines & Rydén (2005), chapter 2; common random numbers, Law (2015),
Simulation Modeling and Analysis, section 11.2.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.tree_util import register_dataclass
from jaxtyping import Array, Bool, Float

from engine.model.curves.base import Vector
from engine.model.portfolio import Portfolio
from engine.solvers.responses import Scalar


def number(default: float | None, low: float, high: float, words: str) -> Any:
    """A number of the terms, with its domain, ends included."""
    return field(default=default, metadata={"low": low, "high": high, "words": words})


def count(default: int | None, words: str) -> Any:
    """A number of the terms that is part of what is compiled."""
    return field(default=default, metadata={"low": 1, "high": 1_000, "words": words, "static": True})


@register_dataclass
@dataclass(frozen=True)
class Terms:
    """How a plan proceeds, all of which is known.

    - `periods`, T; `lots`, how many parts a period's budget is spent in.
    - `stall`, the chance a period that a project which runs comes to a stop; `resume`, that it goes on.
    - `most`, how many lots a period can spend of what earlier ones left; None: what a period leaves lapses.
    - `progress`, the σ of the logarithm of progress per effort; `noise`, τ, that of what is seen, as a share
      of the project's scale.
    - `discount`, δ, what a return a period later counts for; None: as much.
    """

    periods: int = count(8, "a whole number from 1 to 1,000")
    lots: int = count(4, "a whole number from 1 to 1,000")
    stall: Scalar | float = number(0.1, 0.0, 1.0, "a chance from 0 to 1")
    resume: Scalar | float = number(0.5, 0.0, 1.0, "a chance from 0 to 1")
    progress: Scalar | float = number(0.1, 0.0, 10.0, "a number from 0 to 10")
    noise: Scalar | float = number(0.02, 1e-6, 10.0, "a number from 1e-6 to 10")
    discount: Scalar | float | None = number(None, 1e-6, 1.0, "a number from 1e-6 to 1, or none")
    most: int | None = count(None, "a whole number from 1 to 1,000, or none")

    @property
    def all_lots(self) -> int:
        """How many lots the whole budget is."""
        return self.periods * self.lots

    @property
    def undiscounted(self) -> Terms:
        """The same without a discount."""
        return dataclasses.replace(self, discount=None)

    @property
    def at_most(self) -> int:
        """How many lots a period can spend."""
        return self.lots if self.most is None else max(self.most, self.lots)

    def counts(self, period: Array, dtype: jnp.dtype) -> Scalar:
        """What a return counts for that comes so many periods later, where there is a discount."""
        return jnp.asarray(self.discount, dtype) ** period.astype(dtype)

    def running(self) -> Scalar:
        """The share of time that a project runs: 1 where it never stalls."""
        total = jnp.asarray(self.stall + self.resume)
        return jnp.where(total > 0, self.resume / jnp.where(total > 0, total, 1.0), 1.0)


class World(NamedTuple):
    """One portfolio as it is: its curves, the effort that a lot buys of each project, their scales, the τ of
    what is seen, where beliefs go by another one than the terms': 0 of measurements that are the truth; and
    after how many periods each project's deadline is, where it has one, which is known."""

    truth: Portfolio
    per_lot: Vector
    scale: Vector
    noise: Scalar | float | None = None
    deadline: Vector | None = None

    def ahead(self, terms: Terms, period: Array) -> Vector:
        """How many periods each project has before it, this one included."""
        last = jnp.full_like(self.scale, terms.periods)
        last = last if self.deadline is None else jnp.minimum(last, self.deadline)
        return jnp.maximum(last - period.astype(last.dtype), 0.0)


def scales(draws: Portfolio, effort: Vector) -> Vector:
    """The scales of projects: what their draws [draws, projects] return on average with so much effort."""
    most = jnp.broadcast_to(effort[None], draws.shape)
    return jnp.maximum(jnp.mean(jnp.abs(draws.returns(most)), axis=0), 1e-12)


class State(NamedTuple):
    """Progress so far, and which projects run."""

    progress: Float[Array, "*draws projects"]
    running: Bool[Array, "*draws projects"]


def begin(terms: Terms, like: Float[Array, "*draws projects"], key: Array) -> State:
    """No progress yet; which projects run is drawn by the stationary law."""
    uniform = jax.random.uniform(key, like.shape, like.dtype)
    return State(jnp.zeros_like(like), uniform < terms.running().astype(like.dtype))


def advance(terms: Terms, state: State, effort: Vector, key: Array) -> State:
    """A period later: projects stall or resume, and where they run effort makes progress."""
    shape, dtype = state.progress.shape, state.progress.dtype
    for_stall, for_progress = jax.random.split(key)
    uniform = jax.random.uniform(for_stall, shape, dtype)
    return later(terms, state, effort, uniform, jax.random.normal(for_progress, shape, dtype))


def later(terms: Terms, state: State, effort: Array, uniform: Array, normal: Array) -> State:
    """The same with random numbers that are given."""
    running = uniform < to_run(terms, state.running, uniform.dtype)
    sigma = jnp.asarray(terms.progress, normal.dtype)
    made = jnp.where(running, effort * jnp.exp(sigma * normal - 0.5 * sigma**2), 0.0)
    return State(state.progress + made, running)


def to_run(terms: Terms, running: Bool[Array, "*draws projects"], dtype: jnp.dtype) -> Array:
    """The chance to run in the next period."""
    stall, resume = (jnp.asarray(chance, dtype) for chance in (terms.stall, terms.resume))
    return jnp.where(running, 1.0 - stall, resume)


def look(terms: Terms, world: World, state: State, key: Array) -> Vector:
    """What would be seen of every project."""
    normal = jax.random.normal(key, world.scale.shape, world.scale.dtype)
    noise = jnp.asarray(terms.noise if world.noise is None else world.noise, world.scale.dtype)
    return world.truth.returns(state.progress) + noise * world.scale * normal
