"""Least squares for many small curves at once: a grid of starts, then Levenberg–Marquardt on the best.

Every family is linear in two of its numbers, performance = b + a·φ(x; θ), so θ alone is searched, one or two
numbers: at each θ the best a and b are weighted means (variable projection). The squares are taken on a whole
grid of θ first, and polished from the grid's lowest local minima, on neighbouring points merged; then the
best alone on all points. Numbers stop at their limits: one that a
step would carry out is held there while the slope leads out. Rows that have converged leave, so that none
waits for the slowest.

Cost: φ at every point, for each cell of the grid, and with its slopes for each step of each start; memory, a
few arrays of the rows' points.

Sources: Golub & Pereyra (1973) for variable projection; Levenberg (1944), Marquardt (1963); Bertsekas (1982)
for numbers at their limits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from engine.fitting.shapes import Shape

MOST_STEPS = 160
# Converged: what a full Gauss–Newton step would still gain, as a share of the squares that are left.
TOLERANCE = 1e-10
# Of the range of performance, squared: what is left of a curve that fits but for rounding.
LEAST_LOSS = 1e-26
DAMPING, LEAST_DAMPING, MOST_DAMPING = 1e-3, 1e-12, 1e10
EASIER, HARDER = 0.2, 5.0
# How many of the grid's local minima are polished.
POLISHED = 3
# Starts are compared on so many points of each curve at most.
MERGED = 32
TINY = float(np.finfo(float).tiny) ** 0.5


class Curves(NamedTuple):
    """What is fitted, a row a curve, in units of its largest effort and its range of performance: points and
    their weights [rows, points]; the limits of θ [rows, numbers]; the smallest positive effort; the largest
    rise from there to the ceiling; and the baseline where it is known, else NaN.
    """

    effort: Any
    performance: Any
    weight: Any
    low: Any
    high: Any
    first: Any
    most: Any
    baseline: Any

    def take(self, rows: Any) -> Curves:
        """Some of the rows."""
        return Curves(*(values[rows] for values in self))


class Fit(NamedTuple):
    """One family fitted to rows of curves: `theta` [rows, numbers], scale and baseline at dimensionless
    effort and performance, the weighted squares left, and whether the scale is the largest that may be.
    """

    theta: Any
    scale: Any
    baseline: Any
    loss: Any
    capped: Any

    def take(self, rows: Any) -> Fit:
        """Some of the rows."""
        return Fit(*(values[rows] for values in self))

    def put(self, rows: Any, other: Fit) -> None:
        """Write other fits into some of the rows."""
        for mine, values in zip(self, other, strict=True):
            mine[rows] = values


class Local(NamedTuple):
    """Fits, half the slope of their squares in θ [rows, k], and the Gauss–Newton matrix [rows, k, k]."""

    fit: Fit
    slope: Any
    bend: Any


def _sum(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.einsum("ij,ij->i", a, b)


def evaluate(
    shape: Shape, theta: Float[np.ndarray, "rows numbers"], curves: Curves, sloped: bool = True
) -> Local:
    """The fits at these numbers: the best scale within its limit, and baseline, by weighted squares."""
    ends = np.concatenate([curves.effort, curves.first[:, None]], axis=1)
    values, slopes = shape.at(ends, theta)
    phi, weight = values[:, :-1], curves.weight
    total = np.maximum(np.sum(weight, axis=1), TINY)
    free = np.isnan(curves.baseline)
    centre = np.where(free, _sum(weight, phi) / total, 0.0)
    level = np.where(free, _sum(weight, curves.performance) / total, curves.baseline)
    phi, error = phi - centre[:, None], curves.performance - level[:, None]
    heavy = weight * phi
    spread = np.maximum(_sum(heavy, phi), TINY)
    left = np.maximum(1.0 - values[:, -1], TINY)
    most = curves.most / left
    scale = np.clip(_sum(heavy, error) / spread, 0.0, most)
    capped = scale >= most
    error = error - scale[:, None] * phi
    loss = _sum(weight * error, error)
    loss = np.where(np.isfinite(loss), loss, np.inf)
    fit = Fit(theta, scale, level - scale * centre, loss, capped)
    if not sloped:
        return Local(fit, None, None)
    jacobian = []
    for values in slopes():
        slope = values[:, :-1] - np.where(free, _sum(weight, values[:, :-1]) / total, 0.0)[:, None]
        moved = (_sum(weight * slope, error) - scale * _sum(heavy, slope)) / spread
        moved = np.where(capped, scale * values[:, -1] / left, np.where(scale > 0, moved, 0.0))
        jacobian.append(-(scale[:, None] * slope + moved[:, None] * phi))
    heavy = [weight * slope for slope in jacobian]
    slope = np.stack([_sum(one, error) for one in heavy], axis=1)
    bend = np.stack([np.stack([_sum(one, other) for other in jacobian], axis=1) for one in heavy], axis=1)
    return Local(fit, np.nan_to_num(slope), np.nan_to_num(bend))


def _step(local: Local, curves: Curves, damping: np.ndarray | float) -> np.ndarray:
    """The step of Levenberg and Marquardt over the numbers that no limit holds, by Cramer's rule."""
    theta, more = local.fit.theta, 1.0 + np.reshape(damping, (-1, 1))
    held = ((theta <= curves.low) & (local.slope > 0)) | ((theta >= curves.high) & (local.slope < 0))
    slope = np.where(held, 0.0, local.slope)
    diagonal = np.where(held, 1.0, np.einsum("ijj->ij", local.bend) * more + TINY)
    if theta.shape[1] == 1:
        return -slope / diagonal
    across = np.where(np.any(held, axis=1), 0.0, local.bend[:, 0, 1])
    determinant = diagonal[:, 0] * diagonal[:, 1] - across**2
    first = diagonal[:, 1] * slope[:, 0] - across * slope[:, 1]
    second = diagonal[:, 0] * slope[:, 1] - across * slope[:, 0]
    return -np.stack([first, second], axis=1) / np.maximum(determinant, TINY**2)[:, None]


def polish(shape: Shape, curves: Curves, theta: Float[np.ndarray, "rows numbers"]) -> Fit:
    """The fits that Levenberg–Marquardt reaches from these numbers."""
    here = evaluate(shape, np.clip(theta, curves.low, curves.high), curves)
    found, on = Fit(*(values.copy() for values in here.fit)), np.arange(len(theta))
    damping = np.full(len(theta), DAMPING)
    exact = LEAST_LOSS * np.sum(curves.weight, axis=1)
    for _ in range(MOST_STEPS):
        gain = -np.sum(here.slope * _step(here, curves, LEAST_DAMPING), axis=1)
        stay = (gain > TOLERANCE * here.fit.loss) & (here.fit.loss > exact) & (damping < MOST_DAMPING)
        if not np.all(stay):
            found.put(on[~stay], here.fit.take(~stay))
            on, damping, exact, curves = on[stay], damping[stay], exact[stay], curves.take(stay)
            here = Local(here.fit.take(stay), here.slope[stay], here.bend[stay])
        if not on.size:
            return found
        goal = here.fit.theta + _step(here, curves, damping)
        there = evaluate(shape, np.clip(goal, curves.low, curves.high), curves)
        better = there.fit.loss < here.fit.loss
        here.fit.put(better, there.fit.take(better))
        here.slope[better], here.bend[better] = there.slope[better], there.bend[better]
        damping = np.where(better, np.maximum(damping * EASIER, LEAST_DAMPING), damping * HARDER)
    found.put(on, here.fit)
    return found


def merge(curves: Curves, most: int = MERGED) -> Curves:
    """The same curves with neighbouring points merged to their means, so many at most.

    Points are in rising order of effort, with those of weight 0 last. What is lost is a curve's bend within
    each group, of the second order in its width.
    """
    rows, points = curves.effort.shape
    size = -(-points // most)
    if size == 1:
        return curves
    spare = -points % size
    columns = (curves.weight, curves.weight * curves.effort, curves.weight * curves.performance)
    weight, *sums = (np.pad(a, ((0, 0), (0, spare))).reshape(rows, -1, size).sum(axis=2) for a in columns)
    effort, performance = (total / np.maximum(weight, TINY) for total in sums)
    return curves._replace(effort=effort, performance=performance, weight=weight)


def search(shape: Shape, curves: Curves) -> Fit:
    """The best fit of every row, from the lowest local minima of its grid, compared on merged points."""
    few = merge(curves)
    starts = [few.low + share * (few.high - few.low) for share in shape.starts()]
    losses = np.stack([evaluate(shape, theta, few, sloped=False).fit.loss for theta in starts], axis=1)
    row, place = _lowest_minima(losses.reshape(-1, *shape.cells))
    fit = polish(shape, few.take(row), np.stack(starts, axis=1)[row, place])
    order = np.lexsort((fit.loss, row))
    best = order[np.searchsorted(row[order], np.arange(len(losses)))]
    return fit.take(best) if few is curves else polish(shape, curves, fit.theta[best])


def _lowest_minima(losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(row, place in its flat grid) of the lowest few local minima of every row of losses [rows, *cells]."""
    least = np.ones(losses.shape, bool)
    for axis in range(1, losses.ndim):
        ahead, behind = (np.moveaxis(values, axis, 0) for values in (losses, least))
        behind[1:] &= ahead[1:] <= ahead[:-1]
        behind[:-1] &= ahead[:-1] <= ahead[1:]
    flat = np.where(least, losses, np.inf).reshape(len(losses), -1)
    lowest = np.argsort(flat, axis=1, kind="stable")[:, :POLISHED]
    there = np.isfinite(np.take_along_axis(flat, lowest, axis=1))
    there[:, 0] = True
    row, place = np.nonzero(there)
    return row, lowest[row, place]
