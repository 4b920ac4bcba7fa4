"""Resourced: projects that use several resources, people and money, say, each with a budget of its own.

    maximise  V(x) = Σ_i w_i π_i R_i(f_i(x_i))   subject to  Σ_i c_ri x_i ≤ B_r for every resource r,
                                                             l_i ≤ x_i ≤ u_i, x_i whole units

With all-or-nothing projects this is the multidimensional knapsack problem, with curves its multiple-choice
form (Kellerer, Pferschy & Pisinger 2004, Knapsack Problems, chapters 9 and 11).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Array, Float

from engine.model.portfolio import Portfolio, project_names
from engine.model.validation import check, normalise, over_batch

# More resources make for more boxes than are looked at in a minute.
MOST_RESOURCES = 4


@register_dataclass
@dataclass(frozen=True)
class Resourced:
    """A portfolio whose projects use several resources.

    **Arguments:**

    - `portfolio`: the projects, without `cost`; bounds are of effort.
    - `usage`: [..., resources, projects], numbers of at least 0: how much of each resource a unit of effort
      on each project uses. A project that uses none of any needs an upper limit.
    - `resources`: the resources' names, one to four.
    """

    portfolio: Portfolio
    usage: Float[Array, "resources projects"]
    resources: tuple[str, ...] = dataclasses.field(metadata={"static": True})

    @property
    def shape(self) -> tuple[int, ...]:
        """(..., projects)."""
        leading = np.broadcast_shapes(self.portfolio.shape[:-1], np.shape(self.usage)[:-2])
        return (*leading, self.portfolio.shape[-1])

    @property
    def names(self) -> tuple[str, ...]:
        """The projects' names."""
        return self.portfolio.names

    @property
    def dtype(self) -> np.dtype:
        """The floating dtype of all arrays."""
        return self.portfolio.dtype


def normalise_resourced(given: Resourced, dtype: np.dtype | None = None) -> Resourced:
    """Host arrays of one floating dtype, broadcast to (..., projects) and (..., resources, projects).

    **Raises:** `ValueError` naming what cannot be.
    """
    portfolio = normalise(given.portfolio, dtype)
    check(portfolio)
    if portfolio.cost is not None:
        raise ValueError("the portfolio has a cost, expected none beside the usage of resources")
    resources = check_names(given.resources)
    usage, projects = np.asarray(given.usage), portfolio.shape[-1]
    if usage.dtype.kind not in "fiu" or usage.shape[-2:] != (len(resources), projects):
        raise ValueError(
            f"usage is {usage.dtype} of shape {usage.shape}, "
            f"expected numbers of shape (..., {len(resources)}, {projects})"
        )
    check_usage(usage, resources, project_names(portfolio))
    try:
        batch = np.broadcast_shapes(portfolio.shape[:-1], usage.shape[:-2])
    except ValueError:
        raise ValueError(
            f"usage has shape {usage.shape}, expected leading axes that fit {portfolio.shape[:-1]}"
        ) from None

    spread_out = over_batch(portfolio, batch)
    whole: Any = np.broadcast_to(usage.astype(portfolio.dtype), (*batch, *usage.shape[-2:]))
    check_bounded(spread_out, whole)
    return Resourced(spread_out, whole, resources)


def check_names(resources: Any) -> tuple[str, ...]:
    """One to four names that differ, or a `ValueError`."""
    if isinstance(resources, str) or not all(isinstance(name, str) and name for name in resources):
        raise ValueError(f"resources are {resources!r}, expected a name for each")
    names = tuple(resources)
    if not 1 <= len(names) <= MOST_RESOURCES:
        raise ValueError(f"there are {len(names)} resources, expected 1 to {MOST_RESOURCES}")
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"resource {twice[0]} occurs twice, expected names that differ")
    return names


def check_usage(usage: np.ndarray, resources: tuple[str, ...], names: tuple[str, ...]) -> None:
    """Raise `ValueError` naming the project and the resource whose usage cannot be."""
    bad = ~(np.isfinite(usage) & (usage >= 0))
    if np.any(bad):
        where = tuple(np.argwhere(bad)[0])
        what = f"{names[where[-1]]}: usage of {resources[where[-2]]}"
        raise ValueError(f"{what} is {usage[where]:g}, expected a finite number of at least 0")


def check_bounded(portfolio: Portfolio, usage: np.ndarray) -> None:
    """Raise `ValueError` naming a project that no budget and no upper limit holds."""
    uppers = np.inf if portfolio.upper is None else np.asarray(portfolio.upper)
    free = np.all(usage == 0, axis=-2) & np.isinf(uppers)
    if np.any(free):
        name = project_names(portfolio)[np.argwhere(free)[0][-1]]
        raise ValueError(f"{name}: uses no resource and has no upper limit, expected one of them")
