"""Grids: which points they have, in which order, and what is refused."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.study.grid import build_grid, read_grid, write_grid

values = st.lists(st.integers(-50, 50), min_size=1, max_size=4, unique=True)


@given(axes=st.dictionaries(st.sampled_from("abcdef"), values, max_size=4))
def test_points_are_the_product_of_the_axes_the_last_one_fastest(axes: dict[str, list[int]]) -> None:
    grid = build_grid(axes)
    expected = [dict(zip(axes, point, strict=True)) for point in itertools.product(*axes.values())]
    assert list(grid.points()) == expected
    assert math.prod(grid.shape) == len(expected)
    assert read_grid(write_grid(grid)) == grid


def test_keys_may_be_nested() -> None:
    grid = build_grid({"scenario": {"skew": [0, 1], "weight": {"sigma": [0.5]}}, "budget": [10]})
    assert grid.keys == ("scenario.skew", "scenario.weight.sigma", "budget")
    assert grid.shape == (2, 1, 1)


def test_spans() -> None:
    spans = {"a": {"linear": [0, 1, 5]}, "b": {"log": [0.1, 100, 4]}, "c": {"range": [10, 50, 20]}}
    grid = build_grid(spans)
    a, b, c = (axis.values[0] for axis in grid.axes)
    assert a == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert b == (0.1, 1.0, 10.0, 100.0)
    assert c == (10, 30, 50)
    assert all(isinstance(value, int) for value in c), "projects, say, have to be whole numbers"


@given(st.floats(1e-3, 1e3), st.floats(1.1, 1e3), st.integers(2, 30))
def test_log_spans_keep_their_ends_and_their_ratio(first: float, ratio: float, count: int) -> None:
    span = build_grid({"a": {"log": [first, first * ratio, count]}}).axes[0].values[0]
    assert len(span) == count
    np.testing.assert_allclose([span[0], span[-1]], [first, first * ratio], rtol=1e-11)
    np.testing.assert_allclose(np.diff(np.log(span)), np.log(ratio) / (count - 1), rtol=1e-6, atol=1e-9)


def test_zipped_axes_advance_together() -> None:
    grid = build_grid({"a": [1, 2], "b": [5, 6, 7], "c": [8, 9]}, [["a", "c"]])
    assert grid.shape == (2, 3)
    assert [(p["a"], p["c"]) for p in grid.points()] == [(1, 8)] * 3 + [(2, 9)] * 3


def test_no_axes_are_one_point() -> None:
    assert list(build_grid({}).points()) == [{}]


BAD: dict[str, tuple[dict[str, Any], list[list[str]], str]] = {
    "one value": ({"a": 1}, [], "sweep.grid.a is 1, expected a list"),
    "no value": ({"a": []}, [], "sweep.grid.a is []"),
    "twice the same": ({"a": [1, 1]}, [], "sweep.grid.a is [1, 1], expected values that differ"),
    "two numbers": (
        {"a": {"linear": [0, 1]}},
        [],
        "sweep.grid.a.linear is [0, 1], expected [first, last, count]",
    ),
    "words": ({"a": {"log": ["x", 1, 2]}}, [], "sweep.grid.a.log"),
    "log of zero": ({"a": {"log": [0, 1, 2]}}, [], "expected two numbers above 0"),
    "one step": ({"a": {"linear": [0, 1, 1]}}, [], "expected a count of at least 2"),
    "half a step": ({"a": {"linear": [0, 1, 2.5]}}, [], "expected a count of at least 2"),
    "no step": ({"a": {"range": [0, 1, 0]}}, [], "a step above 0"),
    "falling range": ({"a": {"range": [1, 0, 1]}}, [], "first ≤ last"),
    "too long": ({"a": {"range": [0, 1e9, 1]}}, [], "at most 1,000,000"),
    "too many": ({k: {"range": [1, 200, 1]} for k in "abc"}, [], "8,000,000 points"),
    "zip of nothing": ({"a": [1]}, [["a", "b"]], "sweep.zip names b, expected one of a"),
    "zip twice": ({"a": [1], "b": [2], "c": [3]}, [["a", "b"], ["a", "c"]], "sweep.zip names a 2 times"),
    "zip of lengths": ({"a": [1], "b": [2, 3]}, [["a", "b"]], "a has 1 values, b has 2 values"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_is_refused_by_its_key(what: str) -> None:
    grid, together, expected = BAD[what]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        build_grid(grid, together)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
