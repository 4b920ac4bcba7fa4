"""What an allocation means project by project, and where along a frontier projects start."""

from __future__ import annotations

import math
from typing import Any

import jax
import numpy as np

from engine.allocation.frontier import Frontier
from engine.model.portfolio import Portfolio
from engine.solvers.solution import Solution, Status


def allocation_rows(portfolio: Portfolio, solution: Solution) -> list[dict[str, Any]]:
    """Effort, performance, return, marginal gain of the next unit and stage, per project."""
    with jax.enable_x64(solution.effort.dtype == np.float64):
        bare = jax.tree.map(jax.numpy.asarray, portfolio)
        effort = jax.numpy.asarray(solution.effort)
        performance, returns = bare.performance(effort), bare.returns(effort)
        gain = np.where(solution.effort + 1 <= bare.uppers(), bare.gain(effort), math.nan)
        stage, frontier = bare.stage(effort)
    return [
        {
            "project": name,
            "effort": float(solution.effort[i]),
            "performance": float(performance[i]),
            "return": float(returns[i]),
            "gain": float(gain[i]),
            "stage": int(stage[i]) + 1,
            "frontier": bool(frontier[i]),
        }
        for i, name in enumerate(project_names(portfolio))
    ]


def milestones(portfolio: Portfolio, frontier: Frontier) -> dict[int, list[str]]:
    """At which budgets of a frontier a project is first funded beyond its lower bound, or reaches a stage."""
    solved = np.flatnonzero(frontier.status == Status.SOLVED)
    effort = np.asarray(frontier.effort)[solved]
    with jax.enable_x64(effort.dtype == np.float64):
        bare = jax.tree.map(jax.numpy.asarray, portfolio)
        stages, last = jax.vmap(bare.stage)(jax.numpy.asarray(effort))
        funded = effort > np.asarray(bare.lowers())
    stages, last = np.asarray(stages), np.asarray(last)
    found: dict[int, list[str]] = {}
    for project, name in enumerate(project_names(portfolio)):
        highest = stages[0, project] if solved.size else 0
        for row in np.flatnonzero(funded[:, project])[:1]:
            found.setdefault(int(solved[row]), []).append(f"{name} starts")
        for row in range(solved.size):
            if stages[row, project] > highest:
                highest = stages[row, project]
                stage = "the frontier" if last[row, project] else f"stage {highest + 1}"
                found.setdefault(int(solved[row]), []).append(f"{name} reaches {stage}")
    return found


def frontier_columns(portfolio: Portfolio, frontier: Frontier, *, whole: bool) -> dict[str, list[Any]]:
    """Every budget of a frontier, by column; None where there is no number."""

    def plain(numbers: Any, kind: type = float) -> list[Any]:
        return [kind(number) if np.isfinite(number) else None for number in numbers]

    columns = ("budget", "value", "spent", "unspent", "marginal", "price_left", "price_right")
    efforts = zip(project_names(portfolio), np.asarray(frontier.effort).T, strict=True)
    return {
        **{name: plain(getattr(frontier, name)) for name in columns},
        "proved": [bool(proved) for proved in frontier.proved],
        **{f"effort.{name}": plain(effort, int if whole else float) for name, effort in efforts},
    }


def project_names(portfolio: Portfolio) -> tuple[str, ...]:
    """The projects' names, or their numbers."""
    return portfolio.names or tuple(f"project {i}" for i in range(portfolio.shape[-1]))
