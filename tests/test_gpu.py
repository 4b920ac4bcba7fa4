"""On a GPU: the same answers as on the CPU of the same machine."""

from __future__ import annotations

import jax
import numpy as np
import pytest

import engine
from tests.test_scenarios import draw, shipped


@pytest.mark.gpu
@pytest.mark.parametrize("scenario", ["staged", "s_shaped", "big_tech", "independent_division"])
@pytest.mark.parametrize("solver", list(engine.SOLVERS))
def test_a_gpu_allocates_as_the_cpu_does(solver: str, scenario: str) -> None:
    portfolios = draw(shipped(scenario).scenario, 32)
    on_gpu = engine.solve(portfolios, 40.0, solver)
    with jax.default_device(jax.devices("cpu")[0]):
        on_cpu = engine.solve(jax.tree.map(np.asarray, portfolios), 40.0, solver)
    # Transcendental functions differ in their last bits between the two.
    np.testing.assert_allclose(on_gpu.value, on_cpu.value, rtol=1e-9)
    np.testing.assert_allclose(on_gpu.bound, on_cpu.bound, rtol=1e-9)
