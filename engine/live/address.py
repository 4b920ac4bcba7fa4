"""Where a page stands, as the query of its address: where its projects come from, and what was moved.

    scenario=staged&seed=3&budget=125&weight.0=2.5          of a scenario's draw
    file=0a1b2c3d4e5f&most_budget=900&aversion=0.5&tail=0.2 of a file, by the digest of what it holds

The page asks for every answer by such a query, and shows the same one as its own address; so what is
reloaded, shared, shown and exported is read here, and checked like any other input. The sliders' ends are
checked by the models.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

MOST_CHARACTERS, MOST_FIELDS = 8_000, 160
SLIDER = re.compile(r"(?:aversion|tail|(?:weight|startup|curvature)\.(?:0|[1-9]\d?))")
DIGEST = re.compile(r"[0-9a-f]{12}")
KEYS = "scenario, seed, file, budget, most_budget, aversion, tail, weight.N, startup.N and curvature.N"


@dataclass(frozen=True)
class Wish:
    """What an address asks for; None is what the page begins with.

    `file` is the digest of what a file holds, `sliders` where sliders stand besides the budget's, by key.
    """

    scenario: str | None = None
    seed: int | None = None
    file: str | None = None
    budget: float | None = None
    most_budget: float | None = None
    sliders: dict[str, float] = field(default_factory=dict)

    def state_on(self, live: Any) -> Any:
        """The state of a model with the sliders moved so.

        **Raises:** `ValueError` naming a slider that the model does not have, or that ends elsewhere.
        """
        state = live.start if self.budget is None else live.moved(live.start, "budget", self.budget)
        for key, value in self.sliders.items():
            name, _, project = key.partition(".")
            state = live.moved(state, name, value, int(project) if project else None)
        return state


def read_address(query: str) -> Wish:
    """What the query of an address asks for.

    **Raises:** `ValueError` naming the key that cannot be.
    """
    if len(query) > MOST_CHARACTERS:
        raise ValueError(f"the address has {len(query):,} characters, expected at most {MOST_CHARACTERS:,}")
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise ValueError(
            f"the address ends in {query[:40]!r}, expected at most {MOST_FIELDS} of KEY=VALUE"
        ) from None
    given = dict(pairs)
    if len(given) < len(pairs):
        raise ValueError("the address names a key twice, expected each once")
    if "file" in given and given.keys() & {"scenario", "seed"}:
        raise ValueError("the address names a file and a scenario, expected one of them")
    parts: dict[str, Any] = {"sliders": {}}
    for key, text in given.items():
        if SLIDER.fullmatch(key):
            parts["sliders"][key] = _number(key, text)
        elif key in READERS:
            parts[key] = READERS[key](key, text)
        else:
            raise ValueError(f"the address has {key[:40]!r}, expected {KEYS}")
    return Wish(**parts)


def _number(key: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{key} is {text[:40]!r}, expected a number") from None


def _whole(key: str, text: str) -> int:
    if not re.fullmatch(r"-?\d{1,20}", text, re.ASCII):
        raise ValueError(f"{key} is {text[:40]!r}, expected a whole number")
    return int(text)


def _digest(key: str, text: str) -> str:
    if not DIGEST.fullmatch(text):
        raise ValueError(f"{key} is {text[:40]!r}, expected the 12 digits that the page wrote")
    return text


READERS: dict[str, Any] = {
    "scenario": lambda _, text: text[:200],
    "seed": _whole,
    "file": _digest,
    "budget": _number,
    "most_budget": _number,
}
