"""One measurement of `benchmarks.scaling`, in a process of its own: seconds and the peak of memory.

    python -m benchmarks.scaling_case '{"module": "numba_dp", "problem": "hill", ...}'

Everything is imported and the instances are drawn before the peak so far is noted; what is above it at the
end is the contender's, its compiler's included. The first call, which compiles where something is compiled,
is timed apart, and the median of a few more counts. An alarm ends the process at its time limit, and memory
beyond a limit is refused.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import resource
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from benchmarks.evaluation import judge
from benchmarks.instances import Array, Instances, draw
from benchmarks.peers.harness import Task

ENGINE = "engine_solvers"
MIB = 1024.0**2
# Warm calls: so many, or as many as begin within so many seconds.
REPEATS, SECONDS = 5, 1.0


class Answers(NamedTuple):
    """Effort, claims and bounds of all portfolios, and the seconds that went into building models."""

    effort: Array
    claims: Array
    bound: Array
    building: float = 0.0


class Case(NamedTuple):
    """A contender and its instances; the most seconds of a call, those besides for compiling, and bytes."""

    module: str
    option: str
    problem: str
    kind: str
    projects: int
    budget: int
    count: int
    limit: float
    compiling: float
    memory: float


def imported(case: Case) -> Any:
    """The contender's module, with all that it imports."""
    module = importlib.import_module(f"benchmarks.peers.{case.module}")
    module.load()
    if case.module == ENGINE:
        import jax

        jax.block_until_ready(jax.numpy.zeros(1))  # what JAX takes for itself
    return module


def contender(case: Case, module: Any, instances: Instances) -> Callable[[], Answers]:
    """The call that answers all instances."""
    task = Task(case.kind, case.limit, case.option)
    if case.module == ENGINE:
        return _engine(instances, case.option, module)
    if hasattr(module, "prepare"):
        run = module.prepare(instances, task)
        return lambda: Answers(*run())

    def one_by_one() -> Answers:
        found = [module.solve(instances.one(i), task) for i in range(instances.count)]
        effort = np.array([answer.effort for answer in found], float)
        claims, bound = np.array([a.claims for a in found]), np.array([a.bound for a in found], float)
        return Answers(effort, claims, bound, sum(answer.building for answer in found))

    return one_by_one


def _engine(instances: Instances, solver: str, module: Any) -> Callable[[], Answers]:
    import jax

    import engine

    portfolio = module.portfolio_of(instances, "float64")
    if instances.count == 1:
        portfolio = jax.tree.map(lambda leaf: leaf[0], portfolio)

    def run() -> Answers:
        found = engine.allocate(portfolio, instances.budget, solver)
        return Answers(np.atleast_2d(found.effort), np.atleast_1d(found.proved), np.atleast_1d(found.bound))

    return run


def peak() -> float:
    """The most memory that this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB


@contextlib.contextmanager
def within(limit: float) -> Iterator[None]:
    """After so many seconds the process ends."""
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def timed(run: Callable[[], Answers]) -> tuple[Answers, float]:
    """Answers and the seconds they took without building models."""
    begin = time.perf_counter()
    answers = run()
    return answers, time.perf_counter() - begin - answers.building


def measure(case: Case) -> dict[str, Any]:
    """One case, measured."""
    instances = draw(case.problem, case.projects, case.budget, case.count)
    module = imported(case)
    before = peak()
    with within(case.limit + case.compiling):
        run = contender(case, module, instances)
        answers, first = timed(run)
    warm: list[float] = []
    begin = time.perf_counter()
    if not case.compiling and first >= SECONDS:
        warm.append(first)
    while not warm or (len(warm) < REPEATS and time.perf_counter() - begin < SECONDS):
        with within(case.limit):
            warm.append(timed(run)[1])
    after = peak()
    verdict = judge(instances, answers.effort, case.kind)
    bound = float(np.sum(answers.bound))
    return {
        "seconds": statistics.median(warm),
        "first": first,
        "calls": len(warm),
        "building": answers.building,
        "before_mib": before,
        "peak_mib": after,
        "feasible": float(np.mean(verdict.feasible)),
        "claims": float(np.mean(answers.claims)),
        "value": float(np.sum(verdict.value)),
        "bound": bound if np.isfinite(bound) else None,
    }


def main() -> None:
    """Measure the case of the command line; the last line printed is what was found, or why nothing was."""
    case = Case(**json.loads(sys.argv[1]))
    most = int(case.memory)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            found = measure(case)
    except MemoryError:
        found = {"ended": "memory"}
    except ValueError as error:
        found = {"ended": "refused", "message": str(error)}
    except RuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        found = {"ended": "memory"}
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
