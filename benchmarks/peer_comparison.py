"""`engine` and other tools side by side: the same instances, one run, one judge.

    python -m benchmarks.peer_comparison                       everything; results/peers.json
    python -m benchmarks.peer_comparison --quick               a smoke run of seconds; saves nothing
    python -m benchmarks.peer_comparison --peers numba_dp,highs --problems hill,staged
    python -m benchmarks.peer_comparison --page peers           results/peers.json as the tables of a page
    BENCHMARK_PYTHON=/envs/peers/bin/python:/envs/meridian/bin/python python -m benchmarks.peer_comparison

Each contender is a process of its own (see `benchmarks.peers`), run by the first interpreter of `--python`,
or of BENCHMARK_PYTHON, that has its packages; this one without either. What is nowhere installed is reported.
Those that solve a whole set in one call take turns, a round each, and the median round counts; those that
solve one portfolio a call get one pass of `--seconds` and at most `--limit` seconds a portfolio, hence fewer
instances, but `--least` of them however long they take. Import, compilation and the building of models are
not in the rates; building is a column.

Losses are against the best value that any contender found, in exact arithmetic the optimum wherever a bound
meets it: `reference gap` says how far the least proven bound lies above it. A bound below that value is
wrong; it is flagged, and the reference does without it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.evaluation import Verdict, judge, loss
from benchmarks.instances import PROBLEMS, Array, Instances, draw
from benchmarks.machine import RESULTS, save
from benchmarks.peers import PEERS, Peer
from engine.files.extras import how_to_install

ROOT = Path(__file__).resolve().parent.parent
SIZES = {(20, 300): 4096, (5, 100): 4096, (50, 1000): 1024}
DEFAULT_PROBLEMS = ("log", "hill", "logistic", "staged")
CONTINUOUS = ("log", "hill", "logistic")
ROUNDS = 7
SETTINGS = ("seconds", "limit", "least", "rounds", "seed")
# Seconds for a process to import what it needs, on a busy machine.
START = 90.0
LEAST = 20
# A success claimed for an answer this far from the best is a false one.
FALSE_LOSS = 1e-3
# A bound this far below a value that was attained is wrong by more than rounding.
WRONG_BOUND = 1e-9
# A loss below this is none on a page.
NO_LOSS = 1e-9

ENGINE: dict[str, dict[str, tuple[str, ...]]] = {
    "integer": {
        "concave": (
            "cutoff:float32:compiled",
            "cutoff:float64:compiled",
            "cutoff:float32",
            "exact:float64",
        ),
        "other": ("exact:float64", "exact:float64:compiled", "density:float64"),
    },
    "continuous": {
        "concave": ("waterfilling:float64", "waterfilling:float32", "continuous:float64"),
        "other": ("continuous:float64", "waterfilling:float64", "relaxation:float64"),
    },
}
# Slow ones meet the head of the set.
MOST_INSTANCES = {"relaxation": 512}


@dataclass(frozen=True)
class Contender:
    """One row: its name, its command, whether it takes turns, how many instances it meets at most."""

    name: str
    command: list[str]
    rounds: bool
    most: int | None = None


@dataclass
class Result:
    """What came back from a contender, or why nothing did."""

    name: str
    answers: dict[str, Any] = field(default_factory=dict)
    rate: float = float("nan")
    rounds: int = 1
    failure: str = ""


def engine_name(option: str) -> str:
    """How a solver of `engine` is called in the tables."""
    return "engine " + option.replace(":", " ").replace("float", "f")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}


@lru_cache(maxsize=64)
def find_interpreter(module: str, interpreters: tuple[str, ...]) -> tuple[str | None, str]:
    """(the first interpreter that can run this peer, or None; why not, or its versions as JSON)."""
    reason = "no interpreter given"
    for interpreter in interpreters:
        command = [interpreter, "-m", f"benchmarks.peers.{module}", "--check"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment())
        except OSError as error:
            reason = f"{interpreter}: {error.strerror}"
            continue
        last = (done.stdout.strip().splitlines() or [""])[-1]
        if done.returncode == 0:
            return interpreter, last
        errors = done.stderr.strip().splitlines() or ["no message"]
        reason = json.loads(last)["missing"] if last.startswith('{"missing"') else errors[-1]
    return None, reason


def contenders(
    kind: str, instances: Instances, given: argparse.Namespace, missing: dict[str, str]
) -> list[Contender]:
    """Who takes part on these instances; notes in `missing` who cannot."""
    rows = []
    for option in ENGINE[kind]["concave" if instances.concave else "other"]:
        command = [sys.executable, "-m", "benchmarks.peers.engine_solvers"]
        most = MOST_INSTANCES.get(option.split(":")[0])
        rows.append(Contender(engine_name(option), [*command, f"--option={option}"], True, most))
    for name, peer in PEERS.items():
        if kind not in peer.kinds or instances.family not in peer.families or not _wanted(name, peer, given):
            continue
        interpreter, why = find_interpreter(peer.module, given.python)
        if interpreter is None:
            missing[name] = why
            continue
        command = [interpreter, "-m", f"benchmarks.peers.{peer.module}", f"--option={peer.option}"]
        rows.append(Contender(name, command, peer.rounds))
    return rows


def _wanted(name: str, peer: Peer, given: argparse.Namespace) -> bool:
    return not given.peers or name in given.peers or peer.module in given.peers


def run_alternating(
    rows: list[Contender], instances: Instances, kind: str, folder: Path, given: argparse.Namespace
) -> list[Result]:
    """Rounds in turn; one that has used up its seconds sits out the rest."""
    results, running = [], []
    for index, row in enumerate(rows):
        head = instances if row.most is None else instances.head(row.most)
        source, target = folder / f"set{index}.npz", folder / f"answers{index}.npz"
        head.save(source)
        process = subprocess.Popen(
            [*row.command, str(source), str(target), "--kind", kind, "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
        )
        said = _line(process)
        if "ready" in said:
            running.append((row, process, target, head.count, []))
        else:
            results.append(Result(row.name, failure=said.get("missing", _last_error(process))))
            process.kill()
            process.wait()
    for _ in range(given.rounds):
        for _, process, _, _, seconds in running:
            if sum(seconds) < given.seconds or not seconds:
                assert process.stdin is not None
                process.stdin.write("\n")
                process.stdin.flush()
                seconds.append(_line(process)["seconds"])
    for row, process, target, count, seconds in running:
        process.communicate()
        rate = count / statistics.median(seconds)
        results.append(Result(row.name, _read(target), rate, len(seconds)))
    return results


def _line(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            return json.loads(line)
    return {}


def _last_error(process: subprocess.Popen[str]) -> str:
    _, errors = process.communicate()
    return (errors.strip().splitlines() or ["no message"])[-1]


def run_single(
    row: Contender, instances: Instances, kind: str, folder: Path, given: argparse.Namespace
) -> Result:
    """One pass of single calls."""
    source, target = folder / "set.npz", folder / "answers.npz"
    target.unlink(missing_ok=True)
    instances.save(source)
    command = [*row.command, str(source), str(target), "--kind", kind]
    command += ["--seconds", str(given.seconds), "--limit", str(given.limit), "--least", str(given.least)]
    # The harness stops by itself; a solver that overlooks its own time limit does not (HiGHS, at its root).
    end = START + 5 * given.seconds + 2 * given.least * given.limit
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, env=environment(), timeout=end
        )
    except subprocess.TimeoutExpired:
        return Result(row.name, failure=f"no answer in {end:.0f} s; its own limit was {given.limit:g} s")
    if done.returncode != 0 or not target.exists():
        return Result(row.name, failure=(done.stderr.strip().splitlines() or ["no message"])[-1])
    answers = _read(target)
    return Result(row.name, answers, 1.0 / float(np.mean(answers["seconds"])))


def _read(path: Path) -> dict[str, Any]:
    with np.load(path) as data:
        answers: dict[str, Any] = {name: data[name] for name in data}
    answers["about"] = json.loads(str(answers["about"]))
    return answers


def compare(instances: Instances, kind: str, results: list[Result]) -> dict[str, Any]:
    """Losses, shares and rates of all contenders on one set."""
    found = [result for result in results if result.answers]
    best, bound = np.full(instances.count, -np.inf), np.full(instances.count, np.inf)
    verdicts: list[Verdict] = []
    for result in found:
        effort = result.answers["effort"]
        verdict = judge(instances.head(len(effort)), effort, kind)
        verdicts.append(verdict)
        best[: len(effort)] = np.fmax(best[: len(effort)], verdict.value)
    for result in found:
        own = result.answers["bound"]
        count = len(own)
        right = ~(bound_error(own, best[:count]) > WRONG_BOUND)
        if "f32" not in result.name:
            bound[:count] = np.fmin(bound[:count], np.where(right, own, np.nan))
    gap = (bound - best) / np.abs(best)
    proven = np.isfinite(gap)
    reference, best_rate = _headline(instances, kind, found)
    rows = [
        _row(instances, kind, result, verdict, best, best_rate)
        for result, verdict in zip(found, verdicts, strict=True)
    ]
    rows += [{"contender": result.name, "failed": result.failure} for result in results if not result.answers]
    return {
        "problem": instances.problem,
        "kind": kind,
        "projects": instances.projects,
        "budget": instances.budget,
        "seed": instances.seed,
        "ratio_to": reference,
        "reference_gap_mean": float(np.mean(gap[proven])) if proven.any() else None,
        "reference_gap_max": float(np.max(gap[proven])) if proven.any() else None,
        "rows": rows,
    }


def bound_error(bound: Array, best: Array) -> Array:
    """How far bounds lie below a value that was attained, as a share of it; NaN where there is no bound."""
    return loss(bound, best)


def _headline(instances: Instances, kind: str, found: list[Result]) -> tuple[str, float]:
    """(name, rate) of the solver that ratios are taken to: engine's first that took part."""
    rates = {result.name: result.rate for result in found}
    for option in ENGINE[kind]["concave" if instances.concave else "other"]:
        if (name := engine_name(option)) in rates:
            return name, rates[name]
    return "none", float("nan")


def _row(
    instances: Instances, kind: str, result: Result, verdict: Verdict, best: Array, engine_rate: float
) -> dict[str, Any]:
    answers = result.answers
    count = len(answers["effort"])
    lost = loss(verdict.value, best[:count])
    claims = answers["claims"]
    false = claims & ~(lost <= FALSE_LOSS)
    equal = np.full(instances.projects, instances.budget / instances.projects)
    stayed = np.all(np.abs(answers["effort"] - equal) <= 1e-3 * equal, axis=1)
    kept = lost[verdict.feasible]
    statuses, times = np.unique(answers["status"], return_counts=True)
    own = answers["bound"]
    own_gap = (own - verdict.value) / np.abs(verdict.value)
    error = bound_error(own, best[:count])
    wrong = error > WRONG_BOUND
    return {
        "contender": result.name,
        "instances": count,
        "loss_mean": float(np.mean(kept)) if kept.size else None,
        "loss_worst": float(np.max(kept)) if kept.size else None,
        "feasible": float(np.mean(verdict.feasible)),
        "claims_success": float(np.mean(claims)),
        "false_claims": float(np.mean(false)),
        "equal_split": float(np.mean(stayed)),
        "own_gap_mean": float(np.nanmean(own_gap)) if np.isfinite(own_gap).any() else None,
        "wrong_bounds": float(np.mean(wrong)),
        "wrong_bound_worst": float(np.max(error[wrong])) if wrong.any() else None,
        "per_second": result.rate,
        "engine_ratio": engine_rate / result.rate,
        "rounds": result.rounds,
        "building_ms": 1e3 * float(np.mean(answers["building"])),
        "cores": answers["about"]["cores"],
        "versions": answers["about"]["versions"],
        "status": {str(s): int(n) for s, n in zip(statuses, times, strict=True)},
    }


def failures(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Who claimed success for an answer that was not: per contender and problem, over all sizes."""
    rows: dict[str, Any] = {}
    for cell in cells:
        for row in cell["rows"]:
            if row.get("false_claims", 0) > 0:
                size = {key: row[key] for key in ("instances", "loss_mean", "loss_worst", "false_claims")}
                size["equal_split"] = row["equal_split"]
                problem = f"{cell['problem']}, {cell['kind']}, N={cell['projects']}, B={cell['budget']}"
                rows.setdefault(row["contender"], {})[problem] = size
    return rows


def versions(cells: list[dict[str, Any]]) -> dict[str, str]:
    """Every package that took part; more than one version where interpreters differ."""
    found: dict[str, set[str]] = {}
    for cell in cells:
        for row in cell["rows"]:
            for package, number in row.get("versions", {}).items():
                found.setdefault(package, set()).add(number)
    return {package: ", ".join(sorted(found[package])) for package in sorted(found)}


def share_text(share: float | None, digits: int = 4) -> str:
    """A share in per cent; 0 and 100 % are said of no others."""
    if share is None:
        return "–"
    text = f"{100 * share:.{digits if share < 0.99 else 4}g}"
    if text == "100" and share < 1:
        text = "> 99.99"
    return f"{text} %" if text != "0" else "0"


def page(figures: dict[str, Any]) -> str:
    """The cells of a results file as Markdown."""
    lines = []
    for cell in figures["cells"]:
        lines += [f"{cell['problem']}, {cell['kind']}, N={cell['projects']}, B={cell['budget']}:", ""]
        lines += [
            "| | portfolios per second | mean loss | worst loss | claims | portfolios |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        for row in cell["rows"]:
            if "failed" in row:
                lines.append(f"| {row['contender']} | {row['failed']} | | | | |")
                continue
            rate = row["per_second"]
            said = [
                f"{rate:,.0f}" if rate >= 100 else f"{rate:.2g}",
                *(share_text(loss_of(row[key]), 2) for key in ("loss_mean", "loss_worst")),
                share_text(row["claims_success"]) + ("; bound wrong" if row.get("wrong_bounds") else ""),
                f"{row['instances']:,}",
            ]
            lines.append(f"| {row['contender']} | {' | '.join(said)} |")
        lines.append("")
    return "\n".join(lines)


def loss_of(share: float | None) -> float | None:
    """A loss as a page states it: what rounding leaves is none."""
    return 0.0 if share is not None and share < NO_LOSS else share


def show(cell: dict[str, Any]) -> None:
    """Print one cell of the comparison."""
    gap = cell["reference_gap_max"]
    print(
        f"\n{cell['problem']}, {cell['kind']}, N={cell['projects']}, B={cell['budget']}"
        f"   (reference gap at most {'unknown' if gap is None else f'{gap:.1e}'})"
    )
    heads = ("mean loss", "worst", "feas.", "claims", "false", "per second", "engine ×", "build ms")
    print(f"  {'':28s}{'inst.':>6s}" + "".join(f"{head:>12s}" for head in heads))
    for row in cell["rows"]:
        if "failed" in row:
            print(f"  {row['contender']:28s} {row['failed'][:90]}")
            continue
        keys = ("loss_mean", "loss_worst", "feasible", "claims_success", "false_claims")
        shares = [share_text(row[key]) for key in keys]
        numbers = [f"{row['per_second']:,.4g}", f"{row['engine_ratio']:,.3g}", f"{row['building_ms']:.1f}"]
        print(
            f"  {row['contender']:28s}{row['instances']:6d}" + "".join(f"{x:>12s}" for x in shares + numbers)
        )
        if row["wrong_bounds"]:
            print(
                f"  {'':28s} {share_text(row['wrong_bounds'])} of its bounds lie below the best value, "
                f"by {share_text(row['wrong_bound_worst'])} at most"
            )


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line; quick runs override sizes and times."""
    parser = argparse.ArgumentParser(description="engine and its peers on the same instances.")

    def words(text: str) -> tuple[str, ...]:
        return tuple(w.strip() for w in text.split(",") if w.strip())

    parser.add_argument("--quick", action="store_true", help="a smoke run; saves nothing")
    parser.add_argument("--peers", type=words, default=(), help="by module or name; all without it")
    parser.add_argument("--problems", type=words, default=DEFAULT_PROBLEMS, help=", ".join(PROBLEMS))
    parser.add_argument("--kinds", type=words, default=("integer", "continuous"))
    parser.add_argument("--projects", type=int, nargs="*", help="only these sizes")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each contender on each set")
    parser.add_argument("--limit", type=float, default=60.0, help="for one portfolio")
    parser.add_argument("--least", type=int, default=LEAST, help="portfolios for each contender")
    parser.add_argument("--count", type=int, help="portfolios a set; a default for each size without it")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", default="peers", help="results/NAME.json")
    parser.add_argument("--page", metavar="NAME", help="only print results/NAME.json as tables")
    interpreters = os.environ.get("BENCHMARK_PYTHON", sys.executable)
    parser.add_argument("--python", default=interpreters, help="interpreters that have the peers")
    options = parser.parse_args(given)
    if unknown := set(options.problems) - set(PROBLEMS):
        parser.error(f"unknown problem {min(unknown)}, expected one of {', '.join(PROBLEMS)}")
    known = {*PEERS, *(peer.module for peer in PEERS.values())}
    if unknown := set(options.peers) - known:
        parser.error(f"unknown peer {min(unknown)}, expected one of {', '.join(sorted(known))}")
    options.python = tuple(options.python.split(os.pathsep))
    if unknown := set(options.kinds) - {"integer", "continuous"}:
        parser.error(f"unknown kind {min(unknown)}, expected integer or continuous")
    if options.quick:
        options.seconds, options.limit, options.rounds, options.least = 0.3, 2.0, 2, 1
    return options


def main() -> None:
    """Run every cell, print it, save what there is so far."""
    given = arguments()
    if given.page:
        print(page(json.loads((RESULTS / f"{given.page}.json").read_text())))
        return
    sizes = {(5, 100): 64} if given.quick else SIZES
    cells: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    begin = time.perf_counter()
    for (projects, budget), count in sizes.items():
        if given.projects and projects not in given.projects:
            continue
        for problem in given.problems:
            for kind in given.kinds:
                if kind == "continuous" and problem not in CONTINUOUS:
                    continue
                instances = draw(problem, projects, budget, given.count or count, given.seed)
                rows = contenders(kind, instances, given, missing)
                with tempfile.TemporaryDirectory() as name:
                    folder = Path(name)
                    turns = [row for row in rows if row.rounds]
                    results = run_alternating(turns, instances, kind, folder, given)
                    singles = [row for row in rows if not row.rounds]
                    results += [run_single(row, instances, kind, folder, given) for row in singles]
                cells.append(compare(instances, kind, results))
                show(cells[-1])
                if not given.quick:
                    settings = {key: getattr(given, key) for key in SETTINGS}
                    about = {"versions": versions(cells), "not_installed": missing}
                    claimed = {"false_claims": failures(cells)}
                    save(given.output, {**settings, **about, **claimed, "cells": cells})
    tell_missing(missing)
    print(f"{time.perf_counter() - begin:.0f} s")


def tell_missing(missing: dict[str, str]) -> None:
    """The peers that are not installed, and how to install what can be."""
    for name, why in missing.items():
        print(f"not installed: {name}: {why}")
    if missing:
        print(f"expected {how_to_install('benchmark')}, or an interpreter that has them, named by --python")


if __name__ == "__main__":
    main()
