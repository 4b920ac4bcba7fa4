"""The textbook: one unit at a time to the project whose return it raises most, in plain Python; O(B N)."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.instances import Instances
from benchmarks.peers.harness import Answer, Task, one_by_one


def solve(one: Instances, task: Task) -> Answer:
    """Greedy on log curves."""
    del task
    scale = (one.weight * one.parameters["scale"])[0].tolist()
    rate = one.parameters["rate"][0].tolist()
    effort = [0] * one.projects

    def value(i: int, x: int) -> float:
        return scale[i] * math.log1p(rate[i] * x)

    for _ in range(one.budget):
        gains = [value(i, effort[i] + 1) - value(i, effort[i]) for i in range(one.projects)]
        effort[gains.index(max(gains))] += 1
    return Answer(np.array(effort), True, "greedy")


if __name__ == "__main__":
    one_by_one(solve, ("numpy",))
