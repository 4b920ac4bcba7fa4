"""The border: what a user gives becomes arrays of one shape and dtype, or one clear error."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from engine.model.curves.base import Curve
from engine.model.curves.mixture import Mixture
from engine.model.portfolio import Portfolio


def normalise(portfolio: Portfolio | Curve, dtype: np.dtype | None = None) -> Portfolio:
    """Host arrays of one floating dtype, broadcast to (..., projects); dtype follows the input."""
    if isinstance(portfolio, Curve):
        portfolio = Portfolio(portfolio)
    if not isinstance(portfolio, Portfolio):
        raise ValueError(f"expected a Portfolio or curves, got {type(portfolio).__name__}")
    _check_curves(portfolio.curves)
    kinds = [np.asarray(leaf).dtype for leaf in jax.tree.leaves(portfolio)]
    for kind in kinds:
        if not (jnp.issubdtype(kind, jnp.floating) or jnp.issubdtype(kind, jnp.integer)):
            raise ValueError(f"the portfolio has an array of {kind}, expected real numbers")
    floating = [kind for kind in kinds if jnp.issubdtype(kind, jnp.floating)]
    dtype = np.dtype(dtype or (np.result_type(np.float32, *floating) if floating else np.float64))
    try:
        shape = portfolio.shape
    except ValueError as error:
        raise ValueError(f"the portfolio's arrays do not share one number of projects: {error}") from None
    if not shape or shape[-1] == 0:
        raise ValueError(f"a portfolio needs an axis of at least one project, got shape {shape}")

    if portfolio.names and len(portfolio.names) != shape[-1]:
        raise ValueError(f"the portfolio has {len(portfolio.names)} names, expected {shape[-1]}")

    def spread(value: Any, axes: int, kind: np.dtype) -> np.ndarray:
        host = np.asarray(value, kind)
        return np.broadcast_to(host, shape + host.shape[host.ndim - axes :])

    def spread_curve(curve: Curve) -> Curve:
        _check_lengths(curve)
        changes: dict[str, Any] = {}
        for field in dataclasses.fields(curve):
            value = getattr(curve, field.name)
            if "axes" in field.metadata and value is not None:
                changes[field.name] = spread(value, field.metadata["axes"], dtype)
            elif isinstance(value, Curve):
                changes[field.name] = spread_curve(value)
        if isinstance(curve, Mixture):
            changes["families"] = tuple(spread_curve(f) for f in curve.families)
            changes["choice"] = spread(curve.choice, 0, np.dtype(np.int32))
            if np.any((changes["choice"] < 0) | (changes["choice"] >= len(curve.families))):
                raise ValueError(f"mixture: choice is out of range, expected 0 to {len(curve.families) - 1}")
        return dataclasses.replace(curve, **changes)

    given = {n: getattr(portfolio, n) for n in portfolio.optional_fields()}
    parts: dict[str, Any] = {n: spread(v, 0, dtype) for n, v in given.items() if v is not None}
    return dataclasses.replace(portfolio, curves=spread_curve(portfolio.curves), **parts)


def over_batch(portfolio: Portfolio, batch: tuple[int, ...]) -> Portfolio:
    """A normalised portfolio with all arrays broadcast to these leading axes."""
    own = len(portfolio.shape) - 1

    def spread(array: Any) -> np.ndarray:
        host = np.asarray(array)
        return np.broadcast_to(host, batch + host.shape[own:])

    bare = dataclasses.replace(portfolio, names=())
    return dataclasses.replace(jax.tree.map(spread, bare), names=portfolio.names)


def _check_curves(curves: Any) -> None:
    """Curves are of a family, and those of a mixture are chosen among."""
    if not isinstance(curves, Curve):
        raise ValueError(f"the portfolio's curves are a {type(curves).__name__}, expected curves of a family")
    if isinstance(curves, Mixture):
        if not curves.families or curves.choice is None:
            raise ValueError("mixture: expected families, and a choice of one for each project")
        for family in curves.families:
            _check_curves(family)


def _check_lengths(curve: Curve) -> None:
    """All parameters with a further axis, of stages or levels, have it of the same length."""
    lengths = {
        field.name: np.shape(getattr(curve, field.name))[-1]
        for field in dataclasses.fields(curve)
        if field.metadata.get("axes") and np.ndim(getattr(curve, field.name))
    }
    for name, length in lengths.items():
        first = next(iter(lengths))
        if length != lengths[first]:
            raise ValueError(
                f"{curve.family}: {name} has {length} levels or stages, {first} has {lengths[first]}"
            )


def check(portfolio: Portfolio) -> None:
    """Raise `ValueError` naming the project and the parameter that cannot be; for normalised portfolios."""

    def refuse(bad: np.ndarray, name: str, value: np.ndarray, expected: str) -> None:
        if bad.any():
            where = tuple(int(i) for i in np.argwhere(bad)[0])
            project = where[len(portfolio.shape) - 1]
            label = portfolio.names[project] if portfolio.names else f"project {project}"
            raise ValueError(f"{label}: {name} is {value[where]:g}, expected {expected}")

    for name, field in portfolio.optional_fields().items():
        value = getattr(portfolio, name)
        if value is None:
            continue
        domain = field.metadata
        inside = np.isfinite(value) & (value >= domain["low"]) & (value <= domain["high"])
        refuse(~inside & (value != domain["neutral"]), name, value, domain["words"])
    lower, upper = portfolio.lower, portfolio.upper
    if upper is not None:
        floor = np.zeros_like(upper) if lower is None else np.asarray(lower)
        refuse(floor > upper, "lower", floor, "at most the upper limit")
    portfolio.curves.check(refuse)
