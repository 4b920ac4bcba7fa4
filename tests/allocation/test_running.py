"""Compiled code does not take all of a process's memory mappings."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from engine import Log, Portfolio
from engine.allocation import running

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="nobody else counts mappings")


def returns(projects: int) -> np.ndarray:
    ones = np.ones(projects)
    return running.on_host(Portfolio.returns, Portfolio(Log(ones, ones)), ones)


def test_many_sizes_take_no_more_mappings_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    returns(30)
    begin, most = running.mappings()
    for projects in range(31, 41):
        returns(projects)
    each = (running.mappings()[0] - begin) / 10
    assert each > 1  # or there is nothing to guard against
    monkeypatch.setattr(running, "MOST_MAPPINGS", (running.mappings()[0] + 5 * each) / most)
    monkeypatch.setattr(running, "CALLS_BETWEEN", 1)
    for projects in range(41, 81):
        np.testing.assert_allclose(returns(projects), np.log(2.0), rtol=1e-15)
        # What the call itself compiled comes on top.
        assert running.mappings()[0] < running.MOST_MAPPINGS * most + 3 * each
