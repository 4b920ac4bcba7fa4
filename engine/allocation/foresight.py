"""How long a computation may take at most, told to whoever waits for it before it begins.

Compiled code cannot say how far it is, but what it may do at most is known: so many steps of a programme, so
many boxes of a search. Most searches end long before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Seconds that compiling takes, and steps that one core takes in a second: adding and comparing, or
# evaluating a curve, which takes ten of them.
COMPILING, STEPS_A_SECOND = 10.0, 1e9

Tell = Callable[[float], None]
_told: ContextVar[Tell | None] = ContextVar("told", default=None)


@contextmanager
def foreseeing(tell: Tell) -> Iterator[None]:
    """Meanwhile, `tell` is called with the seconds that what begins may take at most."""
    token = _told.set(tell)
    try:
        yield
    finally:
        _told.reset(token)


def foresee(steps: float) -> None:
    """So many steps at most are about to be taken."""
    tell = _told.get()
    if tell is not None:
        tell(COMPILING + steps / STEPS_A_SECOND)
