"""Portfolio: the projects among which a budget is allocated.

    maximise  V(x) = Σ_i w_i π_i R_i(f_i(max(x_i − s_i, 0)))   subject to  Σ_i c_i x_i ≤ B,  l_i ≤ x_i ≤ u_i

with curves f, weights w, success probabilities π, return utilities R, start-up costs s, unit costs c and
limits l, u. The utility is R(p) = (1 − e^(−r p))/r with curvature r (r = 0: linear), paid only from the
performance threshold on. A part that is None is absent and costs nothing at run time: weight 1, cost 1,
lower 0, no upper limit, no start-up cost, certain success, linear utility.

The methods are those of one portfolio, arrays of shape [projects]; batches are `jax.vmap`'s business.
`check` is the border: everything behind it trusts its input.

Sources: Koopman (1953); Ibaraki & Katoh (1988), Resource Allocation Problems; Patriksson (2008).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Bool, Float, Int

from engine.model.curves.base import Curve, Vector

STAGE_CUTS = (0.5, 0.75, 0.9)


def _optional(
    *,
    neutral: float | None,
    low: float = 0.0,
    high: float = math.inf,
    words: str = "a number of at least 0",
) -> Vector | None:
    """An optional array [projects]: the value that changes nothing, where there is one, and the domain of its
    entries, [low, high] and that value, in numbers and in words."""
    metadata = {"neutral": neutral, "low": low, "high": high, "words": words}
    return dataclasses.field(default=None, metadata=metadata)  # type: ignore[return-value]


@register_dataclass
@dataclass(frozen=True)
class Portfolio:
    """Projects with their curves, weights, costs, bounds, start-up costs and return utilities.

    **Arguments:** (arrays [projects], or [..., projects] for a batch)

    - `curves`: the performance curves.
    - `weight`: return per unit of performance.
    - `cost`: budget per unit of effort; 0 of a project that is free, and so takes what returns most.
    - `lower`, `upper`: bounds on effort; `upper` may be infinite.
    - `startup`: effort spent before the curve begins.
    - `success`: probability that the return is paid at all.
    - `curvature`: of the concave utility; 0 is linear.
    - `threshold`: performance below which nothing is paid; minus infinity where there is none.
    - `reach`: the effort that attains all there is to attain; the curve's own ceiling without it.
    - `names`: the projects' names; `cuts`: shares of the attainable lift at which a new stage begins.
    """

    curves: Curve
    weight: Vector | None = _optional(neutral=1.0)
    cost: Vector | None = _optional(neutral=1.0)
    lower: Vector | None = _optional(neutral=0.0)
    upper: Vector | None = _optional(neutral=math.inf)
    startup: Vector | None = _optional(neutral=0.0)
    success: Vector | None = _optional(neutral=1.0, high=1.0, words="a probability from 0 to 1")
    curvature: Vector | None = _optional(neutral=0.0)
    threshold: Vector | None = _optional(neutral=-math.inf)
    reach: Vector | None = _optional(neutral=None)
    names: tuple[str, ...] = dataclasses.field(default=(), metadata={"static": True})
    cuts: tuple[float, ...] = dataclasses.field(default=STAGE_CUTS, metadata={"static": True})

    def __post_init__(self) -> None:
        for name in self.optional_fields():
            value = getattr(self, name)
            if isinstance(value, (int, float, list, tuple)):
                object.__setattr__(self, name, np.asarray(value, dtype=float))

    @classmethod
    def optional_fields(cls) -> dict[str, dataclasses.Field[object]]:
        """The optional arrays by name."""
        return {f.name: f for f in dataclasses.fields(cls) if "low" in f.metadata}

    @classmethod
    def neutral_values(cls) -> dict[str, float]:
        """What each optional array is where it is absent, by name; those without such a value left out."""
        values = {name: field.metadata["neutral"] for name, field in cls.optional_fields().items()}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., projects)."""
        parts = [np.shape(getattr(self, n)) for n in self.optional_fields() if getattr(self, n) is not None]
        return np.broadcast_shapes(self.curves.shape, *parts)

    @property
    def diminishing(self) -> bool:
        """Whether the families alone guarantee falling marginal returns with a closed inverse slope."""
        return (
            self.curves.concave and self.startup is None and self.threshold is None and self.curvature is None
        )

    # What a solver asks of one portfolio.

    def costs(self) -> Vector:
        """c, ones where absent."""
        return self._given("cost")

    def lowers(self) -> Vector:
        """l, zeros where absent."""
        return self._given("lower")

    def uppers(self) -> Vector:
        """u, infinite where absent."""
        return self._given("upper")

    def stakes(self) -> Vector:
        """w·π: what one unit of utility is worth."""
        stakes = self._given("weight")
        return stakes if self.success is None else stakes * self.success

    def _given(self, name: str) -> Vector:
        """An optional array, its neutral value where absent."""
        value: Vector | None = getattr(self, name)
        return jnp.full(self.shape, self.neutral_values()[name], self.dtype) if value is None else value

    @property
    def dtype(self) -> jnp.dtype:
        """The floating dtype of all arrays."""
        kinds = (leaf.dtype for leaf in jax.tree.leaves(self))
        return np.result_type(*(kind for kind in kinds if jnp.issubdtype(kind, jnp.floating)))

    def effective(self, effort: Vector) -> Vector:
        """The effort past the start-up cost, where the curve begins."""
        return effort if self.startup is None else jnp.maximum(effort - self.startup, 0.0)

    def effort_to(self, effective: Vector) -> Vector:
        """The least effort that leaves this much past the start-up cost."""
        if self.startup is None:
            return effective
        effort = effective + self.startup
        short = self.effective(effort) < effective
        return jnp.where(short, jnp.nextafter(effort, jnp.full_like(effort, jnp.inf)), effort)

    def performance(self, effort: Vector) -> Vector:
        """f_i(x_i), per project."""
        return self.curves.value(self.effective(effort))

    def utility(self, performance: Vector) -> Vector:
        """R_i(p_i), per project."""
        utility = concave_utility(self.curvature, performance)
        if self.threshold is None:
            return utility
        return jnp.where(performance >= self.threshold, utility, 0.0)

    def returns(self, effort: Vector) -> Vector:
        """w_i π_i R_i(f_i(x_i)), per project."""
        return self.stakes() * self.utility(self.performance(effort))

    def returns_of_all(self, levels: Float[Array, "levels projects"]) -> Float[Array, "levels projects"]:
        """The returns at all of the first so many whole units; `levels` says which they are."""
        if self.startup is not None:
            return jax.vmap(self.returns)(levels)
        return self.stakes()[None] * jax.vmap(self.utility)(self.curves.at_levels(levels))

    def value(self, effort: Vector) -> Float[Array, ""]:
        """V(x)."""
        return jnp.sum(self.returns(effort), axis=-1)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        """Return gained by `step` more effort, per project, without cancellation."""
        start, end = self.effective(effort), self.effective(effort + step)
        if self.startup is not None:  # end − start would lose the last digits of a step
            step = jnp.where(effort >= self.startup, step, end - start)
        rise = self.curves.gain(start, step)
        if self.curvature is None and self.threshold is None:
            return self.stakes() * rise
        level = self.curves.value(start)
        gain = concave_utility_gain(self.curvature, level, rise)
        if self.threshold is not None:
            reached = self.curves.value(end)
            paid = (level >= self.threshold) & (reached >= self.threshold)
            gain = jnp.where(paid, gain, self.utility(reached) - self.utility(level))
        return self.stakes() * gain

    def slope(self, effort: Vector) -> Vector:
        """dV/dx_i, the right derivative; blind to the jump at a threshold."""
        slope = self.curves.slope(self.effective(effort))
        if self.startup is not None:
            slope = jnp.where(effort >= self.startup, slope, 0.0)
        if self.curvature is not None or self.threshold is not None:
            level = self.performance(effort)
            if self.curvature is not None:
                slope = slope * jnp.exp(-self.curvature * level)
            if self.threshold is not None:
                slope = jnp.where(level >= self.threshold, slope, 0.0)
        stakes = self.stakes()
        return jnp.where(stakes > 0, stakes * slope, 0.0)  # a slope may be infinite

    def inverse_slope(self, price: Vector) -> Vector:
        """The largest effort at which dV/dx_i is at least the price; 0 if there is none. Of diminishing
        portfolios."""
        return self.curves.inverse_slope(price / self.stakes())

    def endless(self) -> Bool[Array, " projects"]:
        """Whether a project's return per unit of effort grows without end, and no bound ends it."""
        found = self.curves.endless() & jnp.isinf(self.uppers()) & (self.stakes() > 0)
        return found if self.curvature is None else found & (self.curvature == 0)

    def table(self, units: int) -> Float[Array, "projects levels"]:
        """Returns at 0, 1, …, `units` whole units of effort; −∞ outside the bounds."""
        levels = jnp.arange(units + 1, dtype=self.dtype)
        broadcast = jnp.broadcast_to(levels[:, None], (units + 1, *self.shape))
        table = jnp.swapaxes(self.returns_of_all(broadcast), 0, 1)
        allowed = (levels[None] >= self.lowers()[:, None]) & (levels[None] <= self.uppers()[:, None])
        return jnp.where(allowed, table, -jnp.inf)

    def spend(self, effort: Vector) -> Float[Array, ""]:
        """Σ c_i x_i."""
        return jnp.sum(effort if self.cost is None else self.cost * effort, axis=-1)

    def stage(self, effort: Vector) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
        """(stage, whether it is the last one: the frontier), per project."""
        reach = None if self.reach is None else self.effective(self.reach)
        ceiling = self.curves.ceiling() if reach is None else self.curves.lift(reach)
        return self.curves.stage(self.effective(effort), self.cuts, ceiling)

    def project(self, index: Int[Array, ""]) -> Portfolio:
        """The portfolio of this one project."""
        return jax.tree.map(lambda a: jax.lax.dynamic_slice_in_dim(a, index, 1, axis=0), self)


def project_names(portfolio: Portfolio) -> tuple[str, ...]:
    """The projects' names, or their numbers."""
    return portfolio.names or numbered(portfolio.shape[-1])


def numbered(projects: int) -> tuple[str, ...]:
    """What projects without names are called: by their places in the arrays, from 0 as there."""
    return tuple(f"project {place}" for place in range(projects))


def concave_utility(curvature: Vector | None, performance: Vector) -> Vector:
    """(1 − e^(−r p))/r; p at r = 0."""
    if curvature is None:
        return performance
    safe = jnp.where(curvature > 0, curvature, 1.0)
    # At r = 0 the first terms in r, so that the derivative in r is right there too.
    linear = performance * (1.0 - 0.5 * curvature * performance)
    return jnp.where(curvature > 0, -jnp.expm1(-safe * performance) / safe, linear)


def concave_utility_gain(curvature: Vector | None, performance: Vector, rise: Vector) -> Vector:
    """R(p + rise) − R(p) of the concave utility, without cancellation."""
    if curvature is None:
        return rise
    return jnp.exp(-curvature * performance) * concave_utility(curvature, rise)
