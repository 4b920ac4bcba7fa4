"""Every test runs in float64, with strict dtype promotion and no implicit rank promotion."""

from __future__ import annotations

import contextlib
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
from jax._src import compiler  # what it is told of each program has no other door

from engine.allocation import running

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Folders and files whose subject is what solvers and curves compute, that compare it with other processes, or
# that compute more than they compile.
AS_USERS_COMPILE = {"solvers", "bets", "resources", "model", "processes", "cluster"}
AS_USERS_COMPILE |= {"test_docs.py", "test_gpu.py", "test_sectors.py"}
# What makes XLA compile in a third of the time: LLVM does little, and kernels are emitted as its code at once
# rather than through MLIR, whose passes are set up anew for every kernel.
QUICK = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
    "xla_cpu_use_fusion_emitters": False,
}

settings.register_profile(
    "engine", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), max_examples=25
)
settings.load_profile("engine")


@pytest.fixture(autouse=True, scope="module")
def forget_compiled_code() -> Iterator[None]:
    """Compiled functions are kept for ever, and thousands of them meet Linux's limit on memory mappings. The
    next module may compile them otherwise, too."""
    yield
    running._executable.cache_clear()
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


@contextlib.contextmanager
def quickly() -> Iterator[None]:
    """Compile quickly rather than well, in the processes that are started, too.

    What a module compiled so it keeps: whatever it tests as users compile it is of other programs.
    """
    options = compiler.get_compile_options

    def quick(*arguments: Any, **given: Any) -> Any:
        chosen = options(*arguments, **given)
        chosen.env_option_overrides = [*chosen.env_option_overrides, *QUICK.items()]
        return chosen

    flags = (f"--{name}={value}".lower() for name, value in QUICK.items())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiler, "get_compile_options", quick)
        # For other processes: this one read its own when it met its devices.
        patch.setenv("XLA_FLAGS", " ".join((os.environ.get("XLA_FLAGS", ""), *flags)).strip())
        yield


@pytest.fixture(autouse=True, scope="module")
def compiled_quickly(request: pytest.FixtureRequest) -> Iterator[None]:
    """Most modules test other things than how solvers compute."""
    users = AS_USERS_COMPILE.intersection((request.path.parent.name, request.path.name))
    with contextlib.nullcontext() if users else quickly():
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """GPU tests need a GPU."""
    if jax.default_backend() == "gpu":
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="JAX sees no GPU"))
