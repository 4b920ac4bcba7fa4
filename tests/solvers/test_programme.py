"""The dynamic programme: what is read back from it, however what is compared is rounded."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from engine import Tabulated
from engine.model.portfolio import Portfolio
from engine.solvers.lattice import build_lattice
from engine.solvers.programme import Programme, programme, read_back
from tests.solvers.test_rounding import RoundedTwice


def solved_twice() -> tuple[Programme, jax.Array]:
    """A programme of two projects, whose optimum within five units is two of one and three of the other."""
    values = [[0.0, 0.1, 0.7, 0.8, 0.81, 0.82], [0.0, 0.3, 0.4, 1.2, 1.21, 1.22]]
    return programme(Portfolio(Tabulated(jnp.array(values))), build_lattice(5.0, 2)), jnp.int32(5)


def test_an_allocation_is_read_back_though_none_equals_the_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    solved, state = solved_twice()
    np.testing.assert_array_equal(read_back(solved, state), [2.0, 3.0])
    RoundedTwice(monkeypatch)
    np.testing.assert_array_equal(read_back(solved, state), [2.0, 3.0])


def test_nothing_is_read_back_where_nothing_is_possible() -> None:
    solved, state = solved_twice()
    impossible = solved._replace(before=jnp.full_like(solved.before, -jnp.inf))
    np.testing.assert_array_equal(read_back(impossible, state), [0.0, 0.0])
