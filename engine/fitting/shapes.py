"""How each family is searched: its shape parameters, and the linear ones that follow from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from engine.model.curves import FAMILIES
from engine.model.curves.base import Curve

Values = Float[Array, " points"]
LM_STEPS = 80
# A curve that saturates does so within this many times the range of performance measured.
MOST_RANGES = 3.0
# Of the range of the performance: residuals below are rounding.
LEAST_BEND = 1e-6


@dataclass(frozen=True)
class Shape:
    """How a family is searched: its numbers besides scale and baseline, each with the power of effort that it
    is measured in, and its box and starts as decimal logarithms, at efforts in units of the largest.

    `most` is the largest scale, in ranges of the performance measured: what no measurement hints at is not
    promised. `sign` is that of the family's scale where its curves rise.
    """

    parameters: tuple[str, ...]
    effort_power: tuple[int, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    starts: tuple[tuple[float, ...], ...]
    sign: float = 1.0
    most: float = MOST_RANGES


SHAPES: dict[str, Shape] = {
    "log": Shape(("rate",), (-1,), (-3,), (5,), ((-0.5,), (1.0,), (3.0,)), most=math.inf),
    # b + a(1 − (1 + x/s)^−p): the power law that saturates; its scale and exponent are negative.
    "power": Shape(
        ("exponent", "shift"), (0, 1), (-2, -5), (1.5, 2), ((-0.5, -2.0), (0.0, -1.0), (0.7, 0.0)), sign=-1.0
    ),
    "exponential": Shape(("rate",), (-1,), (-2,), (4,), ((0.0,), (0.7,), (2.0,))),
    "hill": Shape(
        *(("half", "exponent"), (1, 0), (-4, -1.3), (2, 1.3)),
        ((-2.0, -0.3), (-1.0, 0.0), (-0.3, 0.5), (-0.3, 0.0)),
    ),
    "weibull": Shape(
        *(("rate", "exponent"), (-1, 0), (-2, -1.3), (4, 1.3)),
        ((2.0, -0.4), (1.0, 0.0), (0.3, 0.5), (0.3, 0.0)),
    ),
    "logistic": Shape(
        *(("rate", "midpoint"), (-1, 1), (-1, -3), (3, 0.5)),
        ((1.0, -0.3), (1.5, -0.7), (0.7, -1.5)),
    ),
}


class Fit(NamedTuple):
    """One family fitted to one project, or arrays of such fits: scale and baseline at dimensionless effort
    and performance, the loss, and `theta`, the searched numbers as decimal logarithms.
    """

    theta: Any
    scale: Any
    baseline: Any
    loss: Any


def shape_curve(family: str, theta: Float[Array, " numbers"]) -> Curve:
    """The family's curve with scale 1 at efforts in units of the largest."""
    shape = SHAPES[family]
    numbers = {}
    for name, value in zip(shape.parameters, theta, strict=True):
        number = 10.0**value
        numbers[name] = (-number if shape.sign < 0 and name == "exponent" else number)[None]
    kind: Any = FAMILIES[family]
    return kind(scale=jnp.full(1, shape.sign), **numbers)


def lift(family: str, theta: Float[Array, " numbers"], effort: Values) -> Values:
    """shape(x; θ) at dimensionless efforts."""
    curve = shape_curve(family, theta)
    return jax.vmap(lambda x: curve.lift(x[None])[0])(effort)


def project_linear(
    shape: Values, performance: Values, weight: Values, most: float = jnp.inf
) -> tuple[Array, Array]:
    """The best a within [0, most] and b of b + a·shape, by weighted least squares."""
    total = jnp.maximum(jnp.sum(weight), float(jnp.finfo(weight.dtype).tiny))

    def mean(values: Array) -> Array:
        return jnp.sum(weight * values) / total

    centre, level = mean(shape), mean(performance)
    spread = mean((shape - centre) ** 2)
    together = mean((shape - centre) * (performance - level))
    scale = jnp.where(spread > 0, together / jnp.where(spread > 0, spread, 1.0), 0.0)
    scale = jnp.clip(scale, 0.0, most)
    return scale, level - scale * centre


def unbox(shape: Shape, free: Array) -> Array:
    """Numbers within the box from ones without bounds."""
    low, high = (jnp.asarray(end, free.dtype) for end in (shape.low, shape.high))
    return low + (high - low) * jax.nn.sigmoid(free)


def box(shape: Shape, theta: np.ndarray) -> np.ndarray:
    """The inverse of `unbox`."""
    low, high = np.asarray(shape.low, float), np.asarray(shape.high, float)
    share = np.clip((theta - low) / (high - low), 1e-6, 1 - 1e-6)
    return np.log(share / (1 - share))


def fit_from(family: str, start: Array, effort: Values, performance: Values, weight: Values) -> Fit:
    """Fit a family to one project from one start, by weighted least squares."""
    import optimistix as optx  # here, since no other command should wait for it

    shape = SHAPES[family]

    def parts(free: Array) -> tuple[Values, Array, Array, Array]:
        theta = unbox(shape, free)
        values = lift(family, theta, effort)
        scale, baseline = project_linear(values, performance, weight, shape.most)
        return jnp.sqrt(weight) * (performance - baseline - scale * values), theta, scale, baseline

    solver: Any = optx.LevenbergMarquardt(rtol=1e-8, atol=1e-10)
    found: Any = optx.least_squares(
        lambda free, _: parts(free)[0], solver, start, max_steps=LM_STEPS, throw=False
    )
    free = jnp.where(jnp.all(jnp.isfinite(found.value)), found.value, start)
    error, theta, scale, baseline = parts(free)
    loss = jnp.sum(error**2)
    return Fit(theta, scale, baseline, jnp.where(jnp.isfinite(loss), loss, jnp.inf))
