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
import math
from dataclasses import dataclass
from typing import Any, ClassVar, dataclass_transform

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

Vector = Float[Array, " projects"]

# Where a curve has no ceiling, its attainable performance is taken where the slope has fallen to this
# share of its first value.
SPENT_SLOPE = 0.01
HALLEY_STEPS = 9
LARGE_STEP = 40.0
LARGEST_LOGARITHM = 60.0


def parameter(
    *,
    positive: bool = True,
    any_sign: bool = False,
    neutral: float = 1.0,
    axes: int = 0,
    default: Any = dataclasses.MISSING,
) -> Any:
    """A curve's parameter: its domain, a harmless value for projects of other families, extra axes; `None` is
    the default of those that may be absent."""
    metadata = {
        "positive": positive,
        "any_sign": any_sign,
        "neutral": neutral,
        "axes": axes,
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
    member of the family is concave, or never falls, on effort ≥ 0, whatever its parameters.
    """

    family: ClassVar[str]
    concave: ClassVar[bool] = False
    rising: ClassVar[bool] = True

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

    def lift(self, effort: Vector) -> Vector:
        """Performance above the baseline."""
        raise NotImplementedError

    def slope(self, effort: Vector) -> Vector:
        """f'(x), the right derivative where the curve has a kink; infinite where the family's is."""
        raise NotImplementedError

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        """f(x + step) − f(x) for step ≥ 0, without cancellation."""
        raise NotImplementedError

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        """Every interior effort that can maximise value(x) − price·x, for price > 0."""
        raise NotImplementedError

    def ceiling(self) -> Vector:
        """The attainable lift: the limit, or where the slope is spent for curves without one."""
        raise NotImplementedError

    def value(self, effort: Vector) -> Vector:
        """f(x), the performance at this effort."""
        lift = self.lift(effort)
        baseline = getattr(self, "baseline", None)
        return lift if baseline is None else lift + baseline

    def stage(
        self, effort: Vector, cuts: tuple[float, ...], ceiling: Vector
    ) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
        """(stage, whether it is the last one: the frontier), by shares `cuts` of the attainable lift."""
        share = self.lift(effort) / jnp.where(ceiling > 0, ceiling, 1.0)
        stage = sum(((share >= cut).astype(jnp.int32) for cut in cuts), jnp.zeros(share.shape, jnp.int32))
        stage = jnp.where(ceiling > 0, stage, 0)
        return stage, stage == len(cuts)


class Smooth(Curve):
    """A concave or S-shaped curve: its slope has one peak, and one inverse right of it."""

    def inverse_slope(self, price: Vector) -> Vector:
        """The largest x with slope(x) ≥ price; 0 if there is none, infinite if it never falls below."""
        raise NotImplementedError

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        return self.inverse_slope(price)[None]


def _halley_step(excess: Vector, slope: Vector, bend: Vector) -> Vector:
    """Halley's step for a function of this value, falling slope and bend; none where it does not fall."""
    newton = excess / jnp.where(slope < 0, slope, -jnp.inf)
    return newton / jnp.maximum(1.0 - 0.5 * newton * bend / jnp.where(slope < 0, slope, -1.0), 0.25)


@curve_family
class Log(Smooth):
    """a·log(1 + b x): concave, unbounded."""

    family: ClassVar[str] = "log"
    concave: ClassVar[bool] = True
    scale: Vector = parameter(positive=False)
    rate: Vector = parameter()
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def lift(self, effort: Vector) -> Vector:
        return self.scale * jnp.log1p(self.rate * effort)

    def slope(self, effort: Vector) -> Vector:
        return self.scale * self.rate / (1.0 + self.rate * effort)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        return self.scale * jnp.log1p(self.rate * step / (1.0 + self.rate * effort))

    def inverse_slope(self, price: Vector) -> Vector:
        return jnp.maximum(self.scale / price - 1.0 / self.rate, 0.0)

    def ceiling(self) -> Vector:
        return -self.scale * math.log(SPENT_SLOPE)


@curve_family
class PureLog(Smooth):
    """a·log(b x) from x = 1/b on, nothing before: the classic form, whose slope is a/x.

    The slope is the classic one everywhere, infinite at 0, so the first unit of every project looks
    priceless to whoever follows slopes; performance itself stays at the baseline up to x = 1/b. Where
    every project is funded, the optimal effort is in proportion to a, whatever b is.
    """

    family: ClassVar[str] = "purelog"
    scale: Vector = parameter(positive=False)
    rate: Vector = parameter()
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def lift(self, effort: Vector) -> Vector:
        return self.scale * jnp.log(jnp.maximum(self.rate * effort, 1.0))

    def slope(self, effort: Vector) -> Vector:
        return jnp.where(self.scale > 0, self.scale / effort, 0.0)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        start = jnp.maximum(self.rate * effort, 1.0)
        crossing = jnp.maximum(self.rate * (effort + step) - 1.0, 0.0)
        rise = jnp.where(self.rate * effort >= 1.0, self.rate * step, crossing)
        return self.scale * jnp.log1p(rise / start)

    def inverse_slope(self, price: Vector) -> Vector:
        return self.scale / price

    def ceiling(self) -> Vector:
        return -self.scale * math.log(SPENT_SLOPE)


@curve_family
class Power(Smooth):
    """a·((1 + x/s)^p − 1): concave for 0 < p < 1 and a ≥ 0, or for p < 0 and a ≤ 0 (saturating at −a)."""

    family: ClassVar[str] = "power"
    concave: ClassVar[bool] = True
    scale: Vector = parameter(any_sign=True)
    exponent: Vector = parameter(any_sign=True, neutral=0.5)
    shift: Vector = parameter()
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def lift(self, effort: Vector) -> Vector:
        return self.scale * jnp.expm1(self.exponent * jnp.log1p(effort / self.shift))

    def _first_slope(self) -> Vector:
        return self.scale * self.exponent / self.shift

    def slope(self, effort: Vector) -> Vector:
        return self._first_slope() * jnp.exp((self.exponent - 1.0) * jnp.log1p(effort / self.shift))

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        level = jnp.exp(self.exponent * jnp.log1p(effort / self.shift))
        return self.scale * level * jnp.expm1(self.exponent * jnp.log1p(step / (self.shift + effort)))

    def inverse_slope(self, price: Vector) -> Vector:
        first = self._first_slope()
        fall = jnp.where(first > price, price / jnp.where(first > price, first, 1.0), 1.0)
        return self.shift * jnp.expm1(jnp.log(fall) / (self.exponent - 1.0))

    def ceiling(self) -> Vector:
        growth = jnp.expm1(self.exponent * math.log(SPENT_SLOPE) / (self.exponent - 1.0))
        return self.scale * jnp.where(self.exponent < 0, -1.0, growth)


@curve_family
class Exponential(Smooth):
    """a·(1 − e^(−b x)): concave, saturates at a."""

    family: ClassVar[str] = "exponential"
    concave: ClassVar[bool] = True
    scale: Vector = parameter(positive=False)
    rate: Vector = parameter()
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def lift(self, effort: Vector) -> Vector:
        return -self.scale * jnp.expm1(-self.rate * effort)

    def slope(self, effort: Vector) -> Vector:
        return self.scale * self.rate * jnp.exp(-self.rate * effort)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        return -self.scale * jnp.exp(-self.rate * effort) * jnp.expm1(-self.rate * step)

    def inverse_slope(self, price: Vector) -> Vector:
        first = self.scale * self.rate
        return jnp.log(jnp.where(first > price, first / price, 1.0)) / self.rate

    def ceiling(self) -> Vector:
        return self.scale


@curve_family
class Hill(Smooth):
    """a·x^h / (k^h + x^h): concave for h ≤ 1 (Michaelis–Menten at 1), S-shaped for h > 1.

    With a baseline it is the Morgan–Mercer–Flodin family.
    """

    family: ClassVar[str] = "hill"
    scale: Vector = parameter(positive=False)
    half: Vector = parameter()
    exponent: Vector = parameter()
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def _log_odds(self, effort: Vector) -> Vector:
        """log((x/k)^h), so that the lift is a·sigmoid of it; −∞ at 0 with finite derivatives."""
        safe = jnp.where(effort > 0, effort, self.half)
        return jnp.where(effort > 0, self.exponent * jnp.log(safe / self.half), -jnp.inf)

    def lift(self, effort: Vector) -> Vector:
        safe = jnp.where(effort > 0, effort, self.half)
        inside = self.scale * jax.nn.sigmoid(self.exponent * jnp.log(safe / self.half))
        first_slope = jnp.where(self.exponent == 1, self.scale / self.half, 0.0)
        return jnp.where(effort > 0, inside, effort * first_slope)  # differentiable at 0 too

    def slope(self, effort: Vector) -> Vector:
        odds = self._log_odds(jnp.where(effort > 0, effort, self.half))
        inner = self.scale * self.exponent / jnp.where(effort > 0, effort, 1.0)
        at_zero = jnp.where(self.exponent < 1, jnp.inf, jnp.where(self.exponent == 1, 1.0 / self.half, 0.0))
        at_zero = jnp.where(self.scale > 0, self.scale * at_zero, 0.0)
        return jnp.where(effort > 0, inner * jax.nn.sigmoid(odds) * jax.nn.sigmoid(-odds), at_zero)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        safe = jnp.where(effort > 0, effort, 1.0)
        rise = jnp.where(effort > 0, self.exponent * jnp.log1p(step / safe), jnp.inf)
        low, high = self._log_odds(effort), self._log_odds(effort + step)
        return self.scale * _sigmoid_difference(low, high, rise)

    def inverse_slope(self, price: Vector) -> Vector:
        # In t = log(x/k) the log of the slope is (h−1)t − 2·softplus(h t) + log(a h/k): concave, so
        # Halley's steps from the right of the larger root converge to it.
        h = self.exponent
        target = jnp.log(price) + jnp.log(self.half) - jnp.log(self.scale) - jnp.log(h)

        def halley(_: int, t: Vector) -> Vector:
            faint = jnp.exp(-jnp.abs(h * t))
            near, far = 1.0 / (1.0 + faint), faint / (1.0 + faint)
            softplus = jnp.maximum(h * t, 0.0) + jnp.log1p(faint)
            excess = (h - 1.0) * t - 2.0 * softplus - target
            descent = h - 1.0 - 2.0 * h * jnp.where(t > 0, near, far)
            return t - _halley_step(excess, descent, -2.0 * h * h * near * far)

        peak = jnp.where(h > 1, jnp.log(jnp.maximum(h - 1.0, 1e-6) / (h + 1.0)) / h, -jnp.inf)
        start = -target / (h + 1.0)
        at_peak = (h - 1.0) * peak - 2.0 * jax.nn.softplus(h * peak)
        exists = jnp.where(h > 1, target < at_peak, (h < 1) | (target < 0)) & jnp.isfinite(target)
        t = jax.lax.fori_loop(0, HALLEY_STEPS, halley, jnp.where(exists, jnp.maximum(start, peak), 0.0))
        return jnp.where(exists, self.half * jnp.exp(t), 0.0)

    def ceiling(self) -> Vector:
        return self.scale


@curve_family
class Weibull(Smooth):
    """a·(1 − e^(−(b x)^h)): concave for h ≤ 1, S-shaped for h > 1."""

    family: ClassVar[str] = "weibull"
    scale: Vector = parameter(positive=False)
    rate: Vector = parameter()
    exponent: Vector = parameter()
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def _hazard(self, effort: Vector) -> Vector:
        """(b x)^h, capped where e^−(b x)^h is 0 long since; differentiable at 0 too."""
        safe = jnp.where(effort > 0, self.rate * effort, 1.0)
        inside = jnp.exp(jnp.minimum(self.exponent * jnp.log(safe), LARGEST_LOGARITHM))
        first_slope = jnp.where(self.exponent == 1, self.rate, 0.0)
        return jnp.where(effort > 0, inside, effort * first_slope)

    def lift(self, effort: Vector) -> Vector:
        return -self.scale * jnp.expm1(-self._hazard(effort))

    def slope(self, effort: Vector) -> Vector:
        hazard = self._hazard(jnp.where(effort > 0, effort, 1.0 / self.rate))
        inner = self.scale * self.exponent / jnp.where(effort > 0, effort, 1.0) * hazard * jnp.exp(-hazard)
        at_zero = jnp.where(self.exponent < 1, jnp.inf, jnp.where(self.exponent == 1, self.rate, 0.0))
        return jnp.where(effort > 0, inner, jnp.where(self.scale > 0, self.scale * at_zero, 0.0))

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        hazard = self._hazard(effort)
        safe = jnp.where(effort > 0, effort, 1.0)
        growth = self.exponent * jnp.log1p(step / safe)
        near = (effort > 0) & (growth < 1.0)
        close = hazard * jnp.expm1(jnp.minimum(growth, 1.0))
        rise = jnp.where(near, close, self._hazard(effort + step) - hazard)
        return -self.scale * jnp.exp(-hazard) * jnp.expm1(-rise)

    def inverse_slope(self, price: Vector) -> Vector:
        # With y = (b x)^h and t = log y, the log of the slope is κ t − e^t + log(a b h), κ = (h−1)/h:
        # concave in t, so Halley's steps from the right of the larger root converge to it.
        h = self.exponent
        bend = (h - 1.0) / h
        target = jnp.log(price) - jnp.log(self.scale) - jnp.log(self.rate) - jnp.log(h)

        def halley(_: int, t: Vector) -> Vector:
            hazard = jnp.exp(t)
            return t - _halley_step(bend * t - hazard - target, bend - hazard, -hazard)

        peak = jnp.log(jnp.where(h > 1, bend, 1.0))
        positive = jnp.where(h > 1, bend, 1.0)
        s_start = 2.0 * (positive * (jnp.log(2.0 * positive) - 1.0) - target)
        start = jnp.log(jnp.maximum(jnp.where(h > 1, s_start, -target), 1.0))
        at_peak = bend * peak - jnp.exp(peak)
        exists = jnp.where(h > 1, target < at_peak, (h < 1) | (target < 0)) & jnp.isfinite(target)
        t = jax.lax.fori_loop(0, HALLEY_STEPS, halley, jnp.where(exists, start, 0.0))
        return jnp.where(exists, jnp.exp(t / h) / self.rate, 0.0)

    def ceiling(self) -> Vector:
        return self.scale


@curve_family
class Logistic(Smooth):
    """a·(σ(b(x − m)) − σ(−b m)) / (1 − σ(−b m)): S-shaped, saturates at a."""

    family: ClassVar[str] = "logistic"
    scale: Vector = parameter(positive=False)
    rate: Vector = parameter()
    midpoint: Vector = parameter(any_sign=True)
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def _span(self) -> Vector:
        return self.scale / jax.nn.sigmoid(self.rate * self.midpoint)

    def lift(self, effort: Vector) -> Vector:
        return self.gain(jnp.zeros_like(effort), effort)

    def slope(self, effort: Vector) -> Vector:
        odds = self.rate * (effort - self.midpoint)
        return self._span() * self.rate * jax.nn.sigmoid(odds) * jax.nn.sigmoid(-odds)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        low = self.rate * (effort - self.midpoint)
        rise = self.rate * step
        return self._span() * _sigmoid_difference(low, low + rise, rise * jnp.ones_like(low))

    def inverse_slope(self, price: Vector) -> Vector:
        share = price / (self._span() * self.rate)
        root = jnp.sqrt(jnp.maximum(1.0 - 4.0 * share, 0.0))
        complement = 2.0 * share / (1.0 + root)
        odds = jnp.log((1.0 - complement) / jnp.where(share > 0, complement, 1.0))
        exists = (4.0 * share <= 1.0) & (self.scale > 0)
        return jnp.where(exists, jnp.maximum(self.midpoint + odds / self.rate, 0.0), 0.0)

    def ceiling(self) -> Vector:
        return self.scale


def _sigmoid_difference(low: Vector, high: Vector, rise: Vector) -> Vector:
    """σ(high) − σ(low) for high = low + rise, rise ≥ 0, in product form: σ(low)·σ(−high)·(e^rise − 1)."""
    near = rise < LARGE_STEP
    product = jax.nn.sigmoid(low) * jax.nn.sigmoid(-high) * jnp.expm1(jnp.where(near, rise, 0.0))
    far = jnp.where(
        low < 0,
        jax.nn.sigmoid(high) - jax.nn.sigmoid(low),
        jax.nn.sigmoid(-low) - jax.nn.sigmoid(-high),
    )
    return jnp.where(near, product, far)


@curve_family
class Lifecycle(Curve):
    """Upper envelope of stages: stage s opens after effort `start`, at level `base`, then gains as a log.

    Feature engineering → classical ML → deep learning → research frontier: each stage is
    base + scale·log(1 + rate·(x − start)), and a project is at the frontier when its last stage is the
    one that carries the performance. Parameters have a trailing axis of stages.
    """

    family: ClassVar[str] = "lifecycle"
    start: Float[Array, "projects stages"] = parameter(positive=False, neutral=0.0, axes=1)
    base: Float[Array, "projects stages"] = parameter(any_sign=True, neutral=0.0, axes=1)
    scale: Float[Array, "projects stages"] = parameter(positive=False, axes=1)
    rate: Float[Array, "projects stages"] = parameter(axes=1)
    baseline: Vector | None = parameter(any_sign=True, default=None)

    def _stages(self, effort: Vector) -> Float[Array, "projects stages"]:
        since = effort[..., None] - self.start
        lift = self.base + self.scale * jnp.log1p(self.rate * jnp.maximum(since, 0.0))
        return jnp.where(since >= 0, lift, -jnp.inf)

    def _active(self, effort: Vector) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
        """The stage that carries the performance, the latest of several, and whether it has begun."""
        stages = self._stages(effort)
        latest = stages.shape[-1] - 1 - jnp.argmax(stages[..., ::-1], axis=-1)
        return latest, jnp.max(stages, axis=-1) >= 0

    def lift(self, effort: Vector) -> Vector:
        return jnp.maximum(jnp.max(self._stages(effort), axis=-1), 0.0)

    def _picked(self, values: Float[Array, "projects stages"], stage: Int[Array, " projects"]) -> Vector:
        return jnp.take_along_axis(values, stage[..., None], axis=-1)[..., 0]

    def slope(self, effort: Vector) -> Vector:
        stage, opened = self._active(effort)
        since = jnp.maximum(effort[..., None] - self.start, 0.0)
        slopes = self.scale * self.rate / (1.0 + self.rate * since)
        return jnp.where(opened, self._picked(slopes, stage), 0.0)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        before, opened = self._active(effort)
        after, _ = self._active(effort + step)
        since = effort - self._picked(self.start, before)
        rate = self._picked(self.rate, before)
        within = self._picked(self.scale, before) * jnp.log1p(
            rate * step / (1.0 + rate * jnp.maximum(since, 0.0))
        )
        across = self.lift(effort + step) - self.lift(effort)
        return jnp.where(opened & (before == after), within, across)

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        since = jnp.maximum(self.scale / price[..., None] - 1.0 / self.rate, 0.0)
        return jnp.moveaxis(self.start + since, -1, 0)

    def ceiling(self) -> Vector:
        return self.base[..., -1] - self.scale[..., -1] * math.log(SPENT_SLOPE)

    def stage(
        self, effort: Vector, cuts: tuple[float, ...], ceiling: Vector
    ) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
        stage, opened = self._active(effort)
        stage = jnp.where(opened, stage, 0).astype(jnp.int32)
        return stage, opened & (stage == self.start.shape[-1] - 1)


@curve_family
class Tabulated(Curve):
    """Piecewise linear through measured performances, flat beyond the last one; any shape.

    **Arguments:** `values[..., projects, levels]`, the performance at each level; `points`, of the same
    shape and strictly increasing along levels, the effort at each level (whole units 0, 1, 2, … without
    it). Before the first point the curve is flat at its performance. The baseline is `value(0)`.
    """

    family: ClassVar[str] = "tabulated"
    rising: ClassVar[bool] = False
    values: Float[Array, "projects levels"] = parameter(any_sign=True, neutral=0.0, axes=1)
    points: Float[Array, "projects levels"] | None = parameter(
        any_sign=True, default=None, neutral=0.0, axes=1
    )

    def _position(self, effort: Vector) -> tuple[Int[Array, " projects"], Vector, Vector]:
        """(segment, share of it that lies behind, its width)."""
        last = max(self.values.shape[-1] - 2, 0)
        if self.points is None:
            segment = jnp.clip(jnp.floor(effort), 0, last).astype(jnp.int32)
            return segment, jnp.clip(effort - segment.astype(effort.dtype), 0.0, 1.0), jnp.ones_like(effort)
        passed = jnp.sum(self.points <= effort[..., None], axis=-1).astype(jnp.int32)
        segment = jnp.clip(passed - 1, 0, last)
        left = self._at(self.points, segment)
        width = self._at(self.points, segment + 1) - left
        share = (effort - left) / jnp.where(width > 0, width, 1.0)
        return segment, jnp.clip(share, 0.0, 1.0), jnp.where(width > 0, width, 1.0)

    def _at(self, table: Float[Array, "projects levels"], level: Int[Array, " projects"]) -> Vector:
        level = jnp.minimum(level, table.shape[-1] - 1)
        return jnp.take_along_axis(table, level[..., None], axis=-1)[..., 0]

    def value(self, effort: Vector) -> Vector:
        segment, share, _ = self._position(effort)
        left, right = self._at(self.values, segment), self._at(self.values, segment + 1)
        return jnp.where(share < 1.0, left + (right - left) * share, right)

    def lift(self, effort: Vector) -> Vector:
        return self.value(effort) - self.value(jnp.zeros_like(effort))

    def slope(self, effort: Vector) -> Vector:
        segment, share, width = self._position(effort)
        rise = self._at(self.values, segment + 1) - self._at(self.values, segment)
        inside = share < 1.0
        if self.points is not None:
            inside = inside & (effort >= self.points[..., 0])
        return jnp.where(inside, rise / width, 0.0)

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        segment, share, _ = self._position(effort)
        after, later, _ = self._position(effort + step)
        rise = self._at(self.values, segment + 1) - self._at(self.values, segment)
        across = self.value(effort + step) - self.value(effort)
        return jnp.where(segment == after, rise * (later - share), across)

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        if self.points is None:
            levels = jnp.arange(self.values.shape[-1], dtype=price.dtype)
            return jnp.broadcast_to(levels[:, None], (levels.size, *price.shape))
        return jnp.moveaxis(self.points, -1, 0)

    def ceiling(self) -> Vector:
        return jnp.max(self.values, axis=-1) - self.value(jnp.zeros_like(self.values[..., 0]))


@curve_family
class Mixture(Curve):
    """A portfolio of several families: project i follows `families[choice[i]]`.

    Each family holds a parameter for every project; the ones of projects that follow another family are
    neutral numbers that nothing reads. Only families that occur are listed, so absent ones cost nothing.
    """

    family: ClassVar[str] = "mixture"
    families: tuple[Curve, ...] = ()
    choice: Int[Array, " projects"] = dataclasses.field(default=None)  # type: ignore[assignment]

    @property
    def shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(np.shape(self.choice), *(f.shape for f in self.families))

    @property
    def concave(self) -> bool:  # type: ignore[override]
        return all(f.concave for f in self.families)

    @property
    def rising(self) -> bool:  # type: ignore[override]
        return all(f.rising for f in self.families)

    def _select(self, values: list[Array]) -> Array:
        return jax.lax.select_n(self.choice, *values) if len(values) > 1 else values[0]

    def value(self, effort: Vector) -> Vector:
        return self._select([f.value(effort) for f in self.families])

    def lift(self, effort: Vector) -> Vector:
        return self._select([f.lift(effort) for f in self.families])

    def slope(self, effort: Vector) -> Vector:
        return self._select([f.slope(effort) for f in self.families])

    def gain(self, effort: Vector, step: Vector | float = 1.0) -> Vector:
        return self._select([f.gain(effort, step) for f in self.families])

    def inverse_slope(self, price: Vector) -> Vector:
        """See `Smooth.inverse_slope`; only where every family of the mixture has one."""
        return self._select([f.inverse_slope(price) for f in self.families if isinstance(f, Smooth)])

    def maximisers(self, price: Vector) -> Float[Array, "candidates projects"]:
        lists = [f.maximisers(price) for f in self.families]
        most = max(candidates.shape[0] for candidates in lists)
        # Families with fewer candidates name their last one again.
        padded = [jnp.pad(c, ((0, most - c.shape[0]), (0, 0)), mode="edge") for c in lists]
        return jax.vmap(lambda *row: self._select(list(row)))(*padded)

    def ceiling(self) -> Vector:
        return self._select([f.ceiling() for f in self.families])

    def stage(
        self, effort: Vector, cuts: tuple[float, ...], ceiling: Vector
    ) -> tuple[Int[Array, " projects"], Bool[Array, " projects"]]:
        stages = [f.stage(effort, cuts, ceiling) for f in self.families]
        return self._select([s for s, _ in stages]), self._select([last for _, last in stages])


FAMILIES: dict[str, type[Curve]] = {
    c.family: c for c in (Log, PureLog, Power, Exponential, Hill, Weibull, Logistic, Lifecycle, Tabulated)
}
