"""Uncertain: a portfolio whose curves are known by draws only.

    V_s(x) = Σ_i w_si π_si R_si(f_si(x_i)),   s = 1, …, S,     every draw as likely as any other

Draws come from a prior, from fits (`engine fit draws=`), from a posterior, or from success probabilities
(`outcomes`). Costs and bounds are the same in all draws, since effort is fixed before one is seen. The mean
of the curves is a curve again: over whole units it is a table, and `mean_portfolio` an ordinary portfolio
that every solver takes. Effort below is [projects]; batches are `jax.vmap`'s business.

Source: Shapiro, Dentcheva & Ruszczyński (2009), Lectures on Stochastic Programming, chapter 5 (sample average
approximation).
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from engine.model.curves.base import Curve, Vector
from engine.model.curves.mixture import Mixture
from engine.model.curves.s_shaped import Hill, Weibull
from engine.model.curves.staged import Tabulated
from engine.model.portfolio import Portfolio, numbered
from engine.model.validation import check, normalise

# What is the same in all draws.
SHARED = ("cost", "lower", "upper")


@register_dataclass
@dataclass(frozen=True)
class Uncertain:
    """Projects whose curves are draws.

    **Arguments:**

    - `draws`: a portfolio of arrays [..., draws, projects]: curves, weights, start-up costs, success and
      utilities, without costs and bounds.
    - `cost`, `lower`, `upper`: [..., projects], as of a `Portfolio`.
    - `names`: the projects' names.
    - `bends`: whether some curve may bend upwards, where its family does not tell; found by
      `normalise_uncertain` from the numbers.
    """

    draws: Portfolio
    cost: Vector | None = None
    lower: Vector | None = None
    upper: Vector | None = None
    names: tuple[str, ...] = dataclasses.field(default=(), metadata={"static": True})
    bends: bool = dataclasses.field(default=True, metadata={"static": True})

    @classmethod
    def of(cls, portfolio: Portfolio, projects: Sequence[str], draws: Sequence[str]) -> Uncertain:
        """From a portfolio of all projects' draws one after the other, arrays [entries], and what project and
        draw each is of; draws of one name belong together.

        **Raises:** `ValueError` where projects have different draws, or draws of one project different costs
        or bounds.
        """
        pairs = list(zip(projects, draws, strict=True))
        names, labels = tuple(dict.fromkeys(projects)), tuple(dict.fromkeys(draws))
        place = {pair: entry for entry, pair in enumerate(pairs)}
        _check_pairs(pairs, names, labels)
        index = np.array([[place[name, label] for name in names] for label in labels])
        drawn = jax.tree.map(lambda a: np.asarray(a)[index], dataclasses.replace(portfolio, names=()))
        shared = {key: _one_for_all(getattr(drawn, key), key, names) for key in SHARED}
        absent: dict[str, Any] = dict.fromkeys(SHARED)
        return normalise_uncertain(cls(dataclasses.replace(drawn, **absent), **shared, names=names))

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., projects)."""
        *batch, _, projects = self.draws.shape
        return (*batch, projects)

    @property
    def count(self) -> int:
        """S, the number of draws."""
        return self.draws.shape[-2]

    @property
    def dtype(self) -> np.dtype:
        """The floating dtype of all arrays."""
        return self.draws.dtype

    @property
    def concave(self) -> bool:
        """Whether every draw's return is known to be concave in real effort."""
        plain = self.draws.startup is None and self.draws.threshold is None
        return plain and (self.draws.curves.concave or not self.bends)

    @property
    def rising(self) -> bool:
        """Whether no draw's curve falls, by its family or, of measured ones on the host, by its numbers."""
        return never_falls(self.draws.curves)

    def returns(self, effort: Vector) -> Float[Array, "draws projects"]:
        """w_si π_si R_si(f_si(x_i))."""
        return self.draws.returns(effort[..., None, :])

    def values(self, effort: Vector) -> Float[Array, " draws"]:
        """V_s(x)."""
        return jnp.sum(self.returns(effort), axis=-1)

    def slopes(self, effort: Vector) -> Float[Array, "draws projects"]:
        """dV_s/dx_i, right derivatives."""
        return self.draws.slope(jnp.broadcast_to(effort[..., None, :], self.draws.shape))

    def terms(self) -> Portfolio:
        """One project set with these costs and bounds, whose curves return nothing: what effort may be."""
        nothing: Any = np.zeros((*self.shape, 1), self.dtype)
        return Portfolio(Tabulated(nothing), cost=self.cost, lower=self.lower, upper=self.upper)

    def each(self) -> Portfolio:
        """The draws as a batch [draws] of ordinary portfolios with these costs and bounds."""
        given = {name: getattr(self, name) for name in SHARED}
        shape = self.draws.shape
        parts: dict[str, Any] = {
            name: jnp.broadcast_to(a[..., None, :], shape) for name, a in given.items() if a is not None
        }
        return dataclasses.replace(self.draws, **parts)

    def weighted_tables(
        self, levels: Float[Array, "projects levels"], weights: Float[Array, "tables draws"]
    ) -> Float[Array, "tables projects levels"]:
        """Σ_s q_s of the returns at levels of effort, for several weights q. One draw is looked at after the
        other: memory is that of one."""
        draws = jax.tree.map(lambda a: jnp.broadcast_to(a, (self.count, *a.shape[1:])), self.draws)

        def add(tables: Array, drawn: tuple[Portfolio, Array]) -> tuple[Array, None]:
            portfolio, shares = drawn
            returns = jax.vmap(portfolio.returns, in_axes=1, out_axes=1)(levels)
            return tables + shares[:, None, None] * returns[None], None

        begin = jnp.zeros((weights.shape[0], *levels.shape), levels.dtype)
        return jax.lax.scan(add, begin, (draws, weights.T))[0]

    def mean_table(self, levels: Float[Array, "projects levels"]) -> Float[Array, "projects levels"]:
        """Mean returns at levels of effort."""
        return self.weighted_tables(levels, jnp.full((1, self.count), 1.0 / self.count, self.dtype))[0]

    def mean_portfolio(self, units: int) -> Portfolio:
        """The ordinary portfolio of mean returns at 0, 1, …, `units` whole units, with these costs and
        bounds."""
        levels = jnp.arange(units + 1, dtype=self.dtype)
        curves = Tabulated(self.mean_table(jnp.broadcast_to(levels, (self.shape[-1], units + 1))))
        return Portfolio(curves, cost=self.cost, lower=self.lower, upper=self.upper)

    def mean_parameters(self) -> Portfolio:
        """The portfolio of the draws' mean numbers: the plan of who ignores uncertainty. Where the family
        differs from draw to draw it is the most frequent one, with the mean numbers of its own draws."""
        parts: dict[str, Any] = {
            name: jnp.mean(value, axis=0)
            for name in self.draws.optional_fields()
            if (value := getattr(self.draws, name)) is not None
        }
        curves = mean_curve(self.draws.curves, None)
        return Portfolio(curves, cost=self.cost, lower=self.lower, upper=self.upper, **parts)


def never_bends_upwards(curve: Curve) -> bool:
    """Whether all curves are concave by the numbers of smooth families; of arrays of the host."""
    if isinstance(curve, Mixture):
        return all(never_bends_upwards(family) for family in curve.families)
    if isinstance(curve, (Hill, Weibull)):
        return bool(np.all(np.asarray(curve.exponent) <= 1.0))
    return curve.concave


def never_falls(curve: Curve) -> bool:
    """Whether no curve falls anywhere; of arrays of the host."""
    if isinstance(curve, Mixture):
        return all(never_falls(family) for family in curve.families)
    if isinstance(curve, Tabulated):
        return bool(np.all(np.diff(np.asarray(curve.values), axis=-1) >= 0))
    return curve.rising


def mean_curve(curve: Curve, own: Array | None) -> Curve:
    """Mean numbers over the first axis; of the draws that are a curve's own."""
    if isinstance(curve, Mixture):
        kinds = jnp.arange(len(curve.families), dtype=jnp.int32)[:, None, None] == curve.choice[None]
        choice = jnp.argmax(jnp.sum(kinds, axis=1), axis=0).astype(jnp.int32)
        pairs = zip(curve.families, kinds, strict=True)
        return Mixture(tuple(mean_curve(family, own) for family, own in pairs), choice)

    def mean(values: Array) -> Array:
        if own is None:
            return jnp.mean(values, axis=0)
        mine = own.reshape(own.shape + (1,) * (values.ndim - 2))
        total = jnp.sum(jnp.where(mine, values, 0.0), axis=0)
        # A family that no draw of a project follows: numbers that nothing reads.
        return jnp.where(
            jnp.any(mine, axis=0),
            total / jnp.maximum(jnp.sum(mine, axis=0, dtype=total.dtype), 1.0),
            values[0],
        )

    return jax.tree.map(mean, curve)


def outcomes(portfolio: Portfolio, draws: int, seed: int = 0) -> Uncertain:
    """The draws of a portfolio whose success is drawn: a project pays in full, or nothing.

    **Arguments:** `draws`, how many; `seed`, of the draws.

    **Raises:** `ValueError` for a number of draws below 1.
    """
    if draws < 1:
        raise ValueError(f"draws is {draws}, expected a number of at least 1")
    given = normalise(portfolio)
    check(given)
    chance = np.ones(given.shape) if given.success is None else np.asarray(given.success)
    *batch, projects = given.shape
    uniform = np.random.default_rng(seed).random((*batch, draws, projects))
    absent: dict[str, Any] = dict.fromkeys(SHARED)
    bare = dataclasses.replace(given, names=(), **absent)
    copies = jax.tree.map(lambda a: np.asarray(a)[(..., *_new_axis(a, len(batch)))], bare)
    success = (uniform < chance[..., None, :]).astype(given.dtype)
    shared = {name: getattr(given, name) for name in SHARED}
    return Uncertain(dataclasses.replace(copies, success=success), names=given.names, **shared)


def _check_pairs(pairs: list[tuple[str, str]], names: tuple[str, ...], labels: tuple[str, ...]) -> None:
    """Raise `ValueError` unless every project has every draw once."""
    counts = Counter(pairs)
    for (name, label), times in counts.items():
        if times > 1:
            raise ValueError(f"draw {label} of {name} occurs {times} times, expected once")
    lengths = Counter(name for name, _ in pairs)
    for name in names:
        for label in labels:
            if (name, label) not in counts:
                raise ValueError(
                    f"{name} has {lengths[name]} draws of {len(labels)}, no draw {label}, expected every "
                    "draw of every project"
                )


def _one_for_all(values: Any, key: str, names: tuple[str, ...]) -> Any:
    """What all draws of a project share, [projects]."""
    if values is None:
        return None
    differs = np.any(values != values[:1], axis=0)
    if np.any(differs):
        name = names[int(np.argmax(differs))]
        raise ValueError(f"{name}: {key} differs between draws, expected one for all of them")
    return values[0]


def _new_axis(array: Any, batch: int) -> tuple[Any, ...]:
    """An axis of one draw behind the batch's axes."""
    return (None, *[slice(None)] * (np.ndim(array) - batch))


def normalise_uncertain(given: Uncertain, dtype: np.dtype | None = None) -> Uncertain:
    """Host arrays of one floating dtype: the draws [..., draws, projects], the rest [..., projects].

    **Raises:** `ValueError` naming the draw, the project and what of them cannot be.
    """
    for name in SHARED:
        if getattr(given.draws, name) is not None:
            raise ValueError(f"the draws have a {name} of their own, expected it beside them, one for all")
    draws = normalise(dataclasses.replace(given.draws, names=()), dtype)
    if len(draws.shape) < 2:
        raise ValueError(f"the draws have shape {draws.shape}, expected (draws, projects)")
    *batch, _, projects = draws.shape
    if given.names and len(given.names) != projects:
        raise ValueError(f"the draws have {projects} projects and {len(given.names)} names")
    parts: dict[str, Any] = {}
    for name in SHARED:
        value = getattr(given, name)
        try:
            parts[name] = None if value is None else np.broadcast_to(np.asarray(value), (*batch, projects))
        except ValueError:
            saw = np.shape(value)
            raise ValueError(f"{name} has shape {saw}, expected one number a project, {projects}") from None
    bends = not never_bends_upwards(draws.curves)
    found = Uncertain(draws, **parts, names=given.names, bends=bends)
    terms = normalise(dataclasses.replace(found.terms(), names=given.names), draws.dtype)
    check(terms)
    check_draws(draws, given.names)
    return dataclasses.replace(found, **{name: getattr(terms, name) for name in SHARED})


def check_draws(draws: Portfolio, names: tuple[str, ...]) -> None:
    """Raise `ValueError` naming the draw, the project and the parameter that cannot be."""
    *batch, count, projects = draws.shape
    axes = len(batch)

    def joined(array: Any) -> np.ndarray:
        host = np.asarray(array)
        return host.reshape(*host.shape[:axes], count * projects, *host.shape[axes + 2 :])

    entries = jax.tree.map(joined, draws)
    try:
        check(entries)
    except ValueError:  # thousands of names are made only where one of them is said
        known = names or numbered(projects)
        labels = tuple(f"draw {draw} of {name}" for draw in range(count) for name in known)
        check(dataclasses.replace(entries, names=labels))
