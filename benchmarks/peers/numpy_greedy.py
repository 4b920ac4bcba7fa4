"""Greedy with the projects as a NumPy vector: one argmax over all marginal gains a unit; O(B N)."""

from __future__ import annotations

import numpy as np

from benchmarks.instances import Instances
from benchmarks.peers.harness import Answer, Task, one_by_one


def solve(one: Instances, task: Task) -> Answer:
    """Greedy on log curves, whose gain is a·log1p(b/(1 + b x))."""
    del task
    scale, rate = (one.weight * one.parameters["scale"])[0], one.parameters["rate"][0]
    effort = np.zeros(one.projects)
    for _ in range(one.budget):
        effort[np.argmax(scale * np.log1p(rate / (1.0 + rate * effort)))] += 1
    return Answer(effort, True, "greedy")


if __name__ == "__main__":
    one_by_one(solve, ("numpy",))
