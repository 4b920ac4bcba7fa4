"""What every answer says of its solution."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int

from engine.solvers.solution import Solution, Status


class Solved:
    """An answer that holds a solution, its arrays [..., places]; of one, or of a batch."""

    solution: Solution

    @property
    def effort(self) -> Float[np.ndarray, "... places"]:
        """Units of effort in each place, in their order."""
        return np.asarray(self.solution.effort)

    @property
    def bound(self) -> Float[np.ndarray, ...]:
        """No feasible effort of the same kind, whole units or real, returns more."""
        return self.solution.bound  # type: ignore[return-value]

    @property
    def proved(self) -> Bool[np.ndarray, ...]:
        """Whether the effort is optimal beyond doubt."""
        return self.solution.proved  # type: ignore[return-value]

    @property
    def spent(self) -> Float[np.ndarray, ...]:
        """Budget used."""
        return self.solution.spent  # type: ignore[return-value]

    @property
    def status(self) -> Status | Int[np.ndarray, ...]:
        """Whether it was solved: an `engine.Status`, or the numbers of those of a batch."""
        return np.asarray(self.solution.status) if self.batch else Status(int(self.solution.status))

    @property
    def batch(self) -> tuple[int, ...]:
        """The leading axes, none of a single answer."""
        return np.shape(self.solution.effort)[:-1]
