"""The same instances in other units: who then calls a plan optimal that is not?

    python -m benchmarks.units                                all factors; results/units.json
    python -m benchmarks.units --peers highs,scipy_milp       these alone; saves nothing
    python -m benchmarks.units --page                         results/units.json as the tables of a page

Every return of `COUNT` portfolios is multiplied by a factor, as by a change of currency; the best effort
stays what it was. Solvers with absolute tolerances do not see it so. Peers are those of
`benchmarks.peer_comparison` and run as they do there. An answer is valued in the units the set was drawn in,
beside the best value that anybody found there with any factor. Whole units of S-shaped curves, real effort of
concave ones, for which there are no local optima to end in: what is lost there is lost to the units. A peer
has `LIMIT` seconds for a portfolio, many times what it takes in units of one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import peer_comparison
from benchmarks.evaluation import judge, loss
from benchmarks.instances import Array, Instances, draw
from benchmarks.machine import RESULTS, save
from benchmarks.peer_comparison import Result, share_text

PROJECTS, BUDGET, COUNT = 5, 100, 20
CELLS = (("hill", "integer"), ("log", "continuous"))
FACTORS = (1e-100, 1e-12, 1e-6, 1e-3, 1.0, 1e6, 1e12)
ENGINE = ("engine exact f64", "engine waterfilling f64", "engine continuous f64")
# What is called optimal may lose this much.
LOST = 1e-6
# Those that solve in the units given, or say that they do not mind.
MODULES = ("highs", "scipy_milp", "scip", "cpsat", "slsqp", "trust_constr", "clarabel", "nlopt_robyn")
LIMIT = 5.0


def in_units(instances: Instances, factor: float) -> Instances:
    """The same set with every return multiplied."""
    return replace(instances, weight=factor * instances.weight)


def rows_of(
    instances: Instances, kind: str, answers: dict[tuple[str, float], Result]
) -> list[dict[str, Any]]:
    """A row a contender and factor: what it claims, and what that loses."""
    values: dict[tuple[str, float], Array] = {}
    best = np.full(instances.count, -np.inf)
    for key, result in answers.items():
        if result.answers:
            effort = result.answers["effort"]
            values[key] = judge(instances.head(len(effort)), effort, kind).value
            best[: len(effort)] = np.fmax(best[: len(effort)], values[key])
    rows = []
    for (name, factor), result in answers.items():
        row: dict[str, Any] = {
            "problem": instances.problem,
            "kind": kind,
            "contender": name,
            "factor": factor,
        }
        if not result.answers:
            rows.append(row | {"failed": result.failure})
            continue
        value, claims = values[name, factor], result.answers["claims"]
        # An infeasible answer that is called optimal loses all there is.
        lost = np.nan_to_num(loss(value, best[: len(value)]), nan=1.0)
        row["instances"] = len(value)
        row["claims"] = float(np.mean(claims))
        row["wrong_claims"] = float(np.mean(claims & (lost > LOST)))
        row["claimed_loss_mean"] = float(np.mean(lost[claims])) if claims.any() else None
        row["claimed_loss_worst"] = float(np.max(lost[claims])) if claims.any() else None
        rows.append(row | {"versions": result.answers["about"]["versions"]})
    return rows


def solve(instances: Instances, kind: str, given: argparse.Namespace, missing: dict[str, str]) -> Any:
    """Every contender's answers, by name and factor."""
    answers: dict[tuple[str, float], Result] = {}
    for factor in given.factors:
        scaled = in_units(instances, factor)
        for row in peer_comparison.contenders(kind, scaled, given, missing):
            if row.name.startswith("engine") and row.name not in ENGINE:
                continue
            with tempfile.TemporaryDirectory() as folder:
                if row.rounds:
                    (result,) = peer_comparison.run_alternating([row], scaled, kind, Path(folder), given)
                else:
                    result = peer_comparison.run_single(row, scaled, kind, Path(folder), given)
            answers[row.name, factor] = result
    return answers


def page(rows: list[dict[str, Any]]) -> str:
    """One table a problem: the worst loss of what is called optimal, by contender and factor."""
    lines: list[str] = []
    factors = sorted({row["factor"] for row in rows})
    for problem, kind in dict.fromkeys((row["problem"], row["kind"]) for row in rows):
        found = {
            (r["contender"], r["factor"]): r for r in rows if (r["problem"], r["kind"]) == (problem, kind)
        }
        lines += [f"{problem}, {kind}:", "", "| | " + " | ".join(f"{f:g}" for f in factors) + " |"]
        lines.append("| --- |" + " ---: |" * len(factors))
        for name in dict.fromkeys(name for name, _ in found):
            lines.append(f"| {name} | " + " | ".join(_cell(found.get((name, f))) for f in factors) + " |")
        lines.append("")
    return "\n".join(lines)


def _cell(row: dict[str, Any] | None) -> str:
    """The worst loss, and the share of claims where it is not all."""
    if row is None:
        return ""
    if "failed" in row:
        return "no answer"
    if row["claims"] == 0:
        return "no claim"
    lost = row["claimed_loss_worst"]
    text = share_text(lost if lost > LOST else 0.0, 2)
    return text if row["claims"] == 1 else f"{text} ({share_text(row['claims'], 2)})"


def main() -> None:
    """Solve with every factor, print the tables, save."""
    parser = argparse.ArgumentParser(description="The same instances in other units.")
    parser.add_argument("--peers", default=",".join(MODULES), help="by module or name")
    parser.add_argument("--factors", type=float, nargs="*", default=FACTORS)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--python", default=os.environ.get("BENCHMARK_PYTHON", sys.executable))
    parser.add_argument("--page", action="store_true", help="only print results/units.json as tables")
    options = parser.parse_args()
    if options.page:
        print(page(json.loads((RESULTS / "units.json").read_text())["rows"]))
        return
    words = ["--peers", options.peers, "--python", options.python]
    words += ["--seconds", "0", "--limit", str(LIMIT), "--least", str(options.count), "--rounds", "1"]
    given = peer_comparison.arguments(words)
    given.factors = options.factors
    rows: list[dict[str, Any]] = []
    missing: dict[str, str] = {}
    for problem, kind in CELLS:
        instances = draw(problem, PROJECTS, BUDGET, options.count, given.seed)
        rows += rows_of(instances, kind, solve(instances, kind, given, missing))
    print(page(rows))
    peer_comparison.tell_missing(missing)
    if options.peers == parser.get_default("peers") and tuple(options.factors) == FACTORS:
        size = {"projects": PROJECTS, "budget": BUDGET, "count": options.count, "seed": given.seed}
        about = {"limit": LIMIT, "lost": LOST, "versions": peer_comparison.versions([{"rows": rows}])}
        save("units", {**size, **about, "not_installed": missing, "rows": rows})


if __name__ == "__main__":
    main()
