"""What every peer's process shares: read instances, warm up, time, answer, write.

Two shapes of peer:

- `one_by_one`: one portfolio a call. Each call is timed; the pass ends when `--seconds` are spent on solving,
  or five times as much in all, but not before `--least` portfolios are answered. Building a model is timed
  apart, wherever a peer has one to build.
- `batched`: the whole set in one call, timed as a whole; with `--serve` a round for each line read from
  standard input, so that a referee can let several processes take turns.

The first call warms up imports and compilers and is not counted, unless it took over a second (then nothing
that small matters). Exit code 3 says that a package is missing, in one line on standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.instances import Array, Instances

MISSING = 3
WARM = 1.0
MOST_BUILDING = 5.0
# Solvers with absolute tolerances see returns scaled to this total, so that their units do not matter.
TOTAL = 1e9


class Answer(NamedTuple):
    """One portfolio's answer: effort, whether the peer claims success, its words for it, any bound it
    proved, and the seconds it spent on building its model before it began to solve."""

    effort: Array
    claims: bool
    status: str
    bound: float = float("nan")
    building: float = 0.0


class Task(NamedTuple):
    """What the peer was asked: the kind of effort, the most seconds a portfolio, its own option."""

    kind: str
    limit: float
    option: str


Solve = Callable[[Instances, Task], Answer]
Load = Callable[[], dict[str, str] | None]
Prepare = Callable[[Instances, Task], Callable[[], tuple[Array, Array, Array]]]


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))


def scaling(table: Array) -> float:
    """What returns [projects, levels] are multiplied by to bring their largest total to `TOTAL`."""
    return TOTAL / max(float(np.max(table, axis=1).sum()), 1e-300)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("instances", type=Path, nargs="?")
    parser.add_argument("answers", type=Path, nargs="?")
    parser.add_argument("--kind", choices=("integer", "continuous"), default="integer")
    parser.add_argument("--seconds", type=float, default=5.0, help="when to stop a pass of single calls")
    parser.add_argument("--least", type=int, default=1, help="portfolios to answer however long it takes")
    parser.add_argument("--limit", type=float, default=60.0, help="the most seconds for one portfolio")
    parser.add_argument("--option", default="")
    parser.add_argument("--serve", action="store_true", help="one round for each line of standard input")
    parser.add_argument("--check", action="store_true", help="only say whether it is installed")
    return parser.parse_args()


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Versions by package, or the end of the process where one is missing."""
    try:
        return {package: version(package) for package in packages}
    except PackageNotFoundError as error:
        print(json.dumps({"missing": f"package {error.name} is not installed"}), flush=True)
        sys.exit(MISSING)


def _begin(
    packages: tuple[str, ...], threads: int, load: Load | None
) -> tuple[argparse.Namespace, Instances, Task, dict[str, Any]]:
    given = _arguments()
    about: dict[str, Any] = {"versions": _versions(packages), "cores": threads}
    if load is not None:
        try:
            about["versions"].update(load() or {})
        except ImportError as error:
            print(json.dumps({"missing": f"{type(error).__name__}: {error}"}), flush=True)
            sys.exit(MISSING)
    if given.check:
        print(json.dumps(about), flush=True)
        sys.exit(0)
    if given.instances is None or given.answers is None:
        sys.exit("expected two files: instances.npz answers.npz")
    return given, Instances.load(given.instances), Task(given.kind, given.limit, given.option), about


def _timed(solve: Solve, one: Instances, task: Task) -> tuple[Answer, float]:
    begin = time.perf_counter()
    answer = solve(one, task)
    return answer, time.perf_counter() - begin - answer.building


def one_by_one(
    solve: Solve,
    packages: tuple[str, ...],
    *,
    threads: int = 1,
    load: Load | None = None,
) -> None:
    """The process of a peer that solves one portfolio a call.

    `load` imports what it needs, and gives the versions that its packages' own do not tell.
    """
    given, instances, task, about = _begin(packages, threads, load)
    answers: list[Answer] = []
    seconds: list[float] = []
    begin = time.perf_counter()
    first = _timed(solve, instances.one(0), task)
    if time.perf_counter() - begin < WARM:
        first = _timed(solve, instances.one(0), task)
    answers.append(first[0])
    seconds.append(first[1])
    end = begin + MOST_BUILDING * given.seconds
    while len(answers) < instances.count:
        spent = sum(seconds) >= given.seconds or time.perf_counter() >= end
        if spent and len(answers) >= given.least:
            break
        answer, took = _timed(solve, instances.one(len(answers)), task)
        answers.append(answer)
        seconds.append(took)
    _write(given.answers, about, answers, np.array(seconds))


def batched(
    prepare: Prepare,
    packages: tuple[str, ...],
    *,
    threads: int = 1,
    load: Load | None = None,
) -> None:
    """The process of a peer that solves all portfolios in one call.

    `prepare(instances, task)` gives the call, and the call (effort, claims, bound).
    """
    given, instances, task, about = _begin(packages, threads, load)
    run = prepare(instances, task)
    effort, claims, bound = run()
    rounds: list[float] = []
    for _ in _turns(given.serve):
        begin = time.perf_counter()
        run()
        rounds.append(time.perf_counter() - begin)
        if given.serve:
            print(json.dumps({"seconds": rounds[-1]}), flush=True)
    answers = [
        Answer(x, bool(c), "solved" if c else "no claim", float(b))
        for x, c, b in zip(effort, claims, bound, strict=True)
    ]
    each = float(np.median(rounds)) / instances.count
    _write(given.answers, about, answers, np.full(instances.count, each))


def _turns(serve: bool) -> Iterator[None]:
    if not serve:
        yield None
        return
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        yield None


def _write(path: Path, about: dict[str, Any], answers: list[Answer], seconds: Array) -> None:
    np.savez(
        path,
        effort=np.array([answer.effort for answer in answers], float),
        claims=np.array([answer.claims for answer in answers], bool),
        status=np.array([answer.status for answer in answers], str),
        bound=np.array([answer.bound for answer in answers], float),
        building=np.array([answer.building for answer in answers], float),
        seconds=seconds,
        about=json.dumps(about),
    )
