"""Random bets on draws, and their returns in NumPy."""

from __future__ import annotations

import dataclasses

import numpy as np

from engine.bets.uncertain import Uncertain
from tests import reference

Array = np.ndarray


def draw_bet(
    name: str, parts: tuple[str, ...], seed: int, draws: int = 16, projects: int = 3, reach: float = 8.0
) -> Uncertain:
    """Draws of one family with these parts of a portfolio; costs and bounds are the first draw's."""
    portfolio = reference.draw(name, seed, (draws, projects), parts, reach=reach)
    shared = {n: getattr(portfolio, n) for n in ("cost", "lower", "upper")}
    mine = {n: None if a is None else a[0] for n, a in shared.items()}
    return Uncertain(dataclasses.replace(portfolio, **dict.fromkeys(shared)), **mine)


def values(bet: Uncertain, effort: Array) -> Array:
    """V_s(x) for x [..., projects], [..., draws]."""
    each = np.broadcast_to(effort[..., None, :], (*effort.shape[:-1], *bet.draws.shape))
    return np.sum(reference.returns(bet.draws, each), axis=-1)
