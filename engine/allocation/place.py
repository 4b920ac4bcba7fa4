"""`bet`: the border between users' bets and what solves them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.allocation.approaches import place_approaches
from engine.allocation.bet import Bet
from engine.allocation.here_and_now import place_uncertain
from engine.allocation.periods import place_spread
from engine.allocation.resourced import place_resourced
from engine.allocation.ruled import place_ruled
from engine.allocation.spillover import place_coupled
from engine.bets.approaches import Approaches
from engine.bets.spillover import Coupled
from engine.bets.uncertain import Uncertain
from engine.periods.spread import Spread
from engine.resources.resources import Resourced
from engine.rules.ruled import Ruled

# A type of bet, and the function that places it: (bet, budget, options…) -> Bet.
PLACES: dict[type, Callable[..., Bet]] = {
    Uncertain: place_uncertain,
    Approaches: place_approaches,
    Coupled: place_coupled,
    Ruled: place_ruled,
    Resourced: place_resourced,
    Spread: place_spread,
}


def bet(given: Any, budget: Any, **options: Any) -> Bet:
    """Place a budget on what is more than a portfolio: a bet before it is known what it brings, or projects
    with rules; on one, or on each of a batch.

    **Arguments:** `given`, an `engine.Uncertain`, `engine.Approaches`, `engine.Coupled`, `engine.Resourced`,
    `engine.Ruled` or `engine.Spread`; `budget` in units of cost, one number or an array of the leading axes'
    shape, or a number for each resource by name, or for each period; `options` of that type, by name.

    **Returns:** a `Bet`, of NumPy numbers; of several resources an `engine.ResourceBet`.

    **Raises:** `ValueError` naming what cannot be.
    """
    place = next((place for kind, place in PLACES.items() if isinstance(given, kind)), None)
    if place is None:
        expected = " or ".join(f"engine.{kind.__name__}" for kind in PLACES)
        raise ValueError(f"a bet is {type(given).__name__}, expected {expected}")
    found = place(given, budget, **options)
    return found if found.batch else found.require_solved()
