"""What a solver and a project look like, wherever they are drawn: figures, reports and the live page.

A solver has one colour, one mark and one dash, so that it is told apart in black and white too; the best that
a study knows, which the others are held against, is a filled blue disc. A project has the colour, hatch and
dash of its place in its portfolio.
"""

from __future__ import annotations

import itertools
import zlib
from typing import Any, NamedTuple

from engine.figures.palette import BLACK, BLUE, GREEN, ORANGE, PALETTE, PURPLE, SKY, VERMILLION

DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (7, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "+++", "ooo", "**", "||")
# Marks as characters, for text.
SIGNS = {"o": ("○", "●"), "s": ("□", "■"), "^": ("△", "▲"), "D": ("◇", "◆"), "v": ("▽", "▼")}


class Look(NamedTuple):
    """A colour of the palette, a marker and a dash of Matplotlib, and whether the marker is filled."""

    colour: str
    marker: str
    dash: Any = "-"
    filled: bool = False

    @property
    def sign(self) -> str:
        """The mark as a character."""
        return SIGNS.get(self.marker, ("☆", "★"))[self.filled]


BEST = Look(BLUE, "o", DASHES[0], filled=True)
GREEDY, SECOND, THIRD = (
    Look(VERMILLION, "s", DASHES[1]),
    Look(GREEN, "^", DASHES[2]),
    Look(PURPLE, "D", DASHES[3]),
)
FOURTH, FIFTH, SIXTH = (
    Look(ORANGE, "v", DASHES[4]),
    Look(SKY, "P", DASHES[5]),
    Look(BLACK, "X", DASHES[6]),
)

SOLVERS = {
    "exact": BEST,
    "greedy": GREEDY,
    "density": SECOND,
    "relaxation": THIRD,
    "cutoff": FOURTH,
    "waterfilling": FIFTH,
    "bound": SIXTH,
    "continuous": Look(ORANGE, "*", DASHES[5]),
    # Of draws of curves.
    "mean_parameters": GREEDY,
    "mean_cvar": BEST,
    "mean_deviation": SECOND,
    "chance": THIRD,
    "wait_and_see": SIXTH,
    # Of approaches and of effort that spills over.
    "single_best": GREEDY,
    "enumeration": SECOND,
    "coupled": BEST,
    "coupled_greedy": GREEDY,
    # Of rules.
    "ruled": BEST,
    "without_groups": SECOND,
    "without_either": THIRD,
    "without_minimum": FOURTH,
    # Of plans over periods.
    "clairvoyant": SIXTH,
    "static": GREEDY,
    "equal_split": FIFTH,
    "myopic": SECOND,
    "rolling": BEST,
    "thompson": THIRD,
    "knowledge_gradient": FOURTH,
    "knowledge_gradient_lots": Look(SKY, "*", DASHES[2]),
    "index_kill": Look(PURPLE, "h", DASHES[4]),
}

# For solvers of one's own: every combination, the shipped ones among them.
_OTHERS = [
    Look(colour, marker, dash)
    for marker, dash, colour in itertools.product(("d", "p", "<", ">", "h"), DASHES, PALETTE[1:6])
]


def solver_look(name: str) -> Look:
    """The look of a solver; of one that is not shipped, one that its name alone decides."""
    return SOLVERS.get(name) or _OTHERS[zlib.crc32(name.encode()) % len(_OTHERS)]


def project_colour(place: int) -> str:
    """The colour of the project at this place of its portfolio."""
    return PALETTE[place % len(PALETTE)]


def project_hatch(place: int) -> str:
    """The hatch of its areas."""
    return HATCHES[place % len(HATCHES)]


def project_dash(place: int) -> Any:
    """The dash of its lines: another one once the colours are used up."""
    return DASHES[(place + place // len(PALETTE)) % len(DASHES)]
