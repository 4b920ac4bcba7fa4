"""The answer to a bet: effort placed before it is known what it brings, and what other plans would reach."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.tree_util import register_dataclass
from jaxtyping import Float

from engine.allocation.facts import as_frame, plain
from engine.allocation.solved import Solved
from engine.solvers.solution import Solution, Status


@register_dataclass
@dataclass(frozen=True)
class Beside:
    """Another plan for the same bet, or more knowledge, held against the answer.

    - `value`: what it reaches, measured as the answer's own value is.
    - `difference`: its value less the answer's, on the same draws.
    - `error`: the standard error of the difference over draws; 0 where it is exact.
    """

    value: Float[np.ndarray, ...]
    difference: Float[np.ndarray, ...]
    error: Float[np.ndarray, ...]


@register_dataclass
@dataclass(frozen=True, eq=False, repr=False)
class Bet(Solved):
    """A budget placed on one bet, or on each of a batch; arrays of the host. Printed, it is a few lines.

    - `budget`: [...], what there was to spend.
    - `solution`: effort [..., places], its value by the objective, the certified bound; see
      `engine.Solution`.
    - `places`: what each effort goes to: ("search",), or ("search", "deep network") of several approaches.
    - `how`: objective and method, in words.
    - `figures`: further numbers of the answer by name, such as its mean and standard deviation; [...] each.
    - `why_unspent`: why budget is left over of one portfolio with rules, in words.
    - `beside`: other plans by name, such as "greedy", "mean parameters" or "wait and see".
    """

    budget: Float[np.ndarray, ...]
    solution: Solution
    places: tuple[tuple[str, ...], ...] = dataclasses.field(metadata={"static": True})
    how: str = dataclasses.field(metadata={"static": True})
    figures: dict[str, Float[np.ndarray, ...]] = dataclasses.field(default_factory=dict)
    beside: dict[str, Beside] = dataclasses.field(default_factory=dict)
    why_unspent: str = dataclasses.field(default="", metadata={"static": True})

    @property
    def value(self) -> Float[np.ndarray, ...]:
        """What the objective says of the effort."""
        return self.solution.value  # type: ignore[return-value]

    @property
    def gap(self) -> Float[np.ndarray, ...]:
        """The certified optimality gap, (bound − value)/|bound|."""
        scale = np.maximum(np.abs(self.bound), np.finfo(np.float64).tiny)
        return ((self.bound - self.value) / scale)[()]  # type: ignore[no-any-return]

    def __getitem__(self, index: Any) -> Bet:
        return jax.tree.map(lambda a: np.asarray(a)[index], self)

    def rows(self) -> list[dict[str, Any]]:
        """One row a place: project, approach where there are some, effort.

        **Raises:** `ValueError` for a batch.
        """
        if self.batch:
            raise ValueError(f"rows() is of one bet, this is a batch of shape {self.batch}: take one by [i]")
        keys = ("project", "approach")
        return [
            {**dict(zip(keys, place, strict=False)), "effort": float(units)}
            for place, units in zip(self.places, self.effort, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, as `engine allocate format=json` prints them; lists for a batch."""
        names = ["/".join(place) for place in self.places]
        efforts = np.moveaxis(self.effort, -1, 0)
        numbers = ("value", "bound", "gap", "proved", "budget", "spent")
        return {
            "effort": {name: plain(units) for name, units in zip(names, efforts, strict=True)},
            **{name: plain(getattr(self, name)) for name in numbers},
            "how": self.how,
            **({"why_unspent": self.why_unspent} if self.why_unspent else {}),
            **{name: plain(number) for name, number in self.figures.items()},
            "beside": {
                name: {f.name: plain(getattr(plan, f.name)) for f in dataclasses.fields(plan)}
                for name, plan in self.beside.items()
            },
        }

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` of `rows()`.

        **Raises:** `ImportError` without pandas, `ValueError` for a batch.
        """
        return as_frame(self.rows())

    @property
    def proof(self) -> str:
        """How good one answer is known to be, in words."""
        if not np.isfinite(self.bound):
            return "no bound known"
        return "proved optimal" if self.proved else f"gap at most {100 * float(self.gap):.4f} %"

    def require_solved(self) -> Bet:
        """Itself, one bet that was solved.

        **Raises:** `ValueError` saying why it was not.
        """
        if self.status == Status.INFEASIBLE:
            raise ValueError(f"budget {self.budget:g} does not cover the projects' lower limits")
        if self.status == Status.NOT_FINITE:
            raise ValueError(
                "the total return is not a finite number, expected parameters of lesser magnitude"
            )
        return self

    def __repr__(self) -> str:
        if self.batch:
            shape = " × ".join(f"{length:,}" for length in self.batch)
            return f"{shape} bets on {len(self.places)} places by {self.how}"
        efforts = ", ".join(
            f"{'/'.join(place)} {units:g}" for place, units in zip(self.places, self.effort, strict=True)
        )
        figures = ", ".join(f"{name} {float(number):.6g}" for name, number in self.figures.items())
        lines = [f"budget {self.budget:.9g} by {self.how}: {efforts}", f"{self.value:.8g}, {self.proof}"]
        lines += [figures] if figures else []
        return "\n".join([*lines, *(f"{name}: {beside_text(plan)}" for name, plan in self.beside.items())])


def beside_text(plan: Beside) -> str:
    """One other plan in words."""
    error = f" ± {float(plan.error):.3g}" if plan.error > 0 else ""
    return f"{float(plan.value):.8g}, difference {float(plan.difference):+.6g}{error}"
