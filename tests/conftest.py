"""Every test runs in float64, with strict dtype promotion and no implicit rank promotion."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Both workers, the commands that tests run, and the next run of the tests share what one has compiled. It is
# found by its content: what has changed is compiled anew. `rm -r .pytest_cache` forgets it all.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path(__file__).parent.parent / ".pytest_cache" / "jax")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.1"

import jax
import pytest
from hypothesis import HealthCheck, settings

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

settings.register_profile(
    "engine", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), max_examples=25
)
settings.load_profile("engine")


@pytest.fixture(autouse=True, scope="module")
def forget_compiled_code() -> Iterator[None]:
    """Compiled functions are kept for ever, and thousands of them meet Linux's limit on memory mappings."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session")
def compilations() -> list[str]:
    """An entry for each program that XLA compiled, or took from its cache, since the list was cleared."""
    compiled: list[str] = []

    def listen(event: str, duration: float, **_: Any) -> None:
        if event.endswith("backend_compile_duration"):
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    return compiled


@pytest.fixture(scope="module")
def quick_compilation() -> Iterator[None]:
    """Compile quickly rather than well, where what a module tests is not how solvers compute."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """GPU tests need a GPU."""
    if jax.default_backend() == "gpu":
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="JAX sees no GPU"))
