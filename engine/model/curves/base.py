"""Curves of diminishing and staged return: how performance rises with effort.

A curve is a frozen dataclass of parameter arrays, one entry a project, so one object holds the curves
of a whole portfolio. Every method takes one effort per project and works elementwise; a leading batch
axis is `jax.vmap`'s business. Performance is `baseline + lift(effort)`, with `lift(0) = 0`.

`gain` is the exact increment f(x + step) − f(x) computed without subtracting two nearly equal values:
through log1p, expm1 or a product form of the difference of two sigmoids. In float32 the plain
difference of two logarithms mis-orders units once effort is in the hundreds.

`maximisers(price)` lists every interior point at which value(x) − price·x can be largest. It is what the
Lagrangian bounds stand on: one candidate for a concave or S-shaped curve (the root of slope = price
right of the inflection), one a stage for a staged curve, the knots for a tabulated one.

Sources: Koopman (1953) for exponential and logarithmic effort curves; Hill (1910); Morgan, Mercer &
Flodin (1975) for Hill with a baseline; Weibull (1951).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, dataclass_transform

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

Vector = Float[Array, " projects"]
# (where it is so, the parameter's name, its values, what was expected): raises if it is so anywhere.
Refuse = Callable[[np.ndarray, str, Any, str], None]
# Where a curve has no ceiling, its attainable performance is taken where the slope has fallen to this
# share of its first value.
SPENT_SLOPE = 0.01


def parameter(
    *,
    positive: bool = True,
    any_sign: bool = False,
    neutral: float = 1.0,
    axes: int = 0,
    ordered: bool = False,
    default: Any = dataclasses.MISSING,
) -> Any:
    """A curve's parameter: its domain, a harmless value for projects of other families, extra axes, whether
    it rises along them; `None` is the default of those that may be absent."""
    metadata = {
        "positive": positive,
        "any_sign": any_sign,
        "neutral": neutral,
        "axes": axes,
        "ordered": ordered,
        "optional": default is None,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclass_transform(frozen_default=True, field_specifiers=(parameter, dataclasses.field))
def curve_family(cls: type[Any]) -> type[Any]:
    """Make a class of curves a frozen dataclass and a pytree of its fields.

    The class itself is part of the tree's structure. `jax.tree_util.register_dataclass` leaves it out, so
    two families with as many parameters compare equal, and jit may run one with code compiled for the
    other.
    """
    cls = dataclass(frozen=True)(cls)
    names = tuple(f.name for f in dataclasses.fields(cls))
    keys = tuple(jax.tree_util.GetAttrKey(name) for name in names)

    def flatten_with_keys(curve: Any) -> tuple[list[tuple[Any, Any]], Any]:
        return [(k, getattr(curve, n)) for k, n in zip(keys, names, strict=True)], cls

    def flatten(curve: Any) -> tuple[list[Any], Any]:
        return [getattr(curve, name) for name in names], cls

    def unflatten(_: Any, children: Any) -> Any:
        curve = object.__new__(cls)
        for name, child in zip(names, children, strict=True):
            object.__setattr__(curve, name, child)
        return curve

    jax.tree_util.register_pytree_with_keys(cls, flatten_with_keys, unflatten, flatten)
    return cls


@dataclass(frozen=True)
class Curve:
    """The interface of every family; see the module's first lines.

    **Class attributes:** `family`, the name in files and configs; `concave` and `rising`, whether every
    member of the family is concave, or never falls, on effort ≥ 0, whatever its parameters; `straight`,
    whether any has a long run of units that gain the same; `listed`, whether it names too few maximisers, so
    that all whole units are to be compared, and real effort is not; `drawable`, whether it has few enough
    parameters for each to have a prior.
    """

    family: ClassVar[str]
    concave: ClassVar[bool] = False
    rising: ClassVar[bool] = True
    straight: ClassVar[bool] = False
    listed: ClassVar[bool] = False
    drawable: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if "axes" in field.metadata and isinstance(value, (int, float, list, tuple)):
                object.__setattr__(self, field.name, np.asarray(value, dtype=float))

    @classmethod
    def parameters(cls) -> dict[str, dataclasses.Field[Any]]:
        """The family's parameters by name, the baseline left out."""
        return {f.name: f for f in dataclasses.fields(cls) if "axes" in f.metadata and f.name != "baseline"}

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., projects): leading batch axes, then one entry a project."""
        shapes = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not None and "axes" in field.metadata:
                axes = np.ndim(value) - field.metadata["axes"]
                shapes.append(np.shape(value)[: max(axes, 0)])
        return np.broadcast_shapes(*shapes)

    def check(self, refuse: Refuse) -> None:
        """Refuse what no curve of the family can have: parameters out of their domains. A family with further
        conditions adds them."""
        for name, field in self.parameters().items():
            domain, value = field.metadata, getattr(self, name)
            if value is None:
                continue
            bad, expected = ~np.isfinite(value), "a finite number"
            if not domain["any_sign"]:
                bad |= (value <= 0) if domain["positive"] else (value < 0)
                expected = f"a number {'above' if domain['positive'] else 'of at least'} 0"
            refuse(bad, name, value, expected)
        if (baseline := getattr(self, "baseline", None)) is not None:
            refuse(~np.isfinite(baseline), "baseline", baseline, "a finite number")

    def lift(self, effort: Vector) -> Vector:
        """Performance above the baseline."""
        raise NotImplementedError

    def slope(self, effort: Vector) -> Vector:
        """f'(x), the right derivative where the curve has a kink; infinite where the family's is."""
        raise NotImplementedError

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        """f(x + step) − f(x) for step ≥ 0, without cancellation."""
        raise NotImplementedError

    def inverse_slope(self, price: Vector) -> Vector:
        """The largest x with slope(x) ≥ price; 0 if there is none, infinite if it never falls below. Only of
        families whose slope has one peak: `Smooth`, and mixtures of those."""
        raise NotImplementedError

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        """Every interior effort that can maximise value(x) − price·x, for price > 0."""
        raise NotImplementedError

    def ceiling(self) -> Vector:
        """The attainable lift: the limit, or where the slope is spent for curves without one."""
        raise NotImplementedError

    def endless(self) -> Bool[Array, " projects"]:
        """Whether what a unit gains on average grows without end, so that no price per unit is too high."""
        return jnp.zeros(self.shape, bool)

    def cancelled(self, effort: Vector) -> Vector:
        """How much larger the numbers are that a value is the difference of, whose rounding it has."""
        return jnp.zeros_like(effort)

    def value(self, effort: Vector) -> Vector:
        """f(x), the performance at this effort."""
        lift = self.lift(effort)
        baseline = getattr(self, "baseline", None)
        return lift if baseline is None else lift + baseline

    def at_levels(self, levels: Float[Array, "levels projects"]) -> Float[Array, "levels projects"]:
        """f(0), f(1), f(2), …, at all of the first so many whole units; `levels` says which they are."""
        return jax.vmap(self.value)(levels)

    def stage(
        self, effort: Vector, cuts: tuple[float, ...], ceiling: Vector
    ) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
        """(stage, whether it is the last one: the frontier), by shares `cuts` of the attainable lift. Neither
        ever falls as effort rises."""
        return stage_of(self.lift(effort), cuts, ceiling)


def stage_of(
    lift: Vector, cuts: tuple[float, ...], ceiling: Vector
) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
    """(how many of the shares `cuts` of the attainable lift are reached, whether all are)."""
    share = lift / jnp.where(ceiling > 0, ceiling, 1.0)
    stage = sum(((share >= cut).astype(jnp.int32) for cut in cuts), jnp.zeros(share.shape, jnp.int32))
    stage = jnp.where(ceiling > 0, stage, 0)
    return stage, stage == len(cuts)


class Smooth(Curve):
    """A concave or S-shaped curve: its slope has one peak, and one inverse right of it."""

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        return self.inverse_slope(price)[None]


def raised(effort: Vector, exponent: Vector) -> Vector:
    """x^p for p of any sign, 0 at 0, with finite derivatives there."""
    safe = jnp.where(effort > 0, effort, 1.0)
    return jnp.where(effort > 0, jnp.exp(exponent * jnp.log(safe)), 0.0)


def rise(effort: Vector, step: Vector | float, exponent: Vector) -> Vector:
    """(x + step)^p − x^p for p > 0 and step ≥ 0, without cancellation."""
    safe = jnp.where(effort > 0, effort, 1.0)
    growth = exponent * jnp.log1p(step / safe)
    near = (effort > 0) & (growth < 1.0)
    close = raised(effort, exponent) * jnp.expm1(jnp.minimum(growth, 1.0))
    return jnp.where(near, close, raised(effort + step, exponent) - raised(effort, exponent))
