"""Greedy over a binary heap of marginal gains, compiled by Numba, portfolios spread over all cores.

O(N + B log N) a portfolio, with B + N evaluations of a gain. Exact for concave curves, myopic for others.
"""

from __future__ import annotations

import numpy as np

from benchmarks.instances import Array, Instances
from benchmarks.peers.harness import Task, batched, cores


def prepare(instances: Instances, task: Task):
    """The compiled call over the whole set."""
    del task
    from numba import njit, prange

    from benchmarks.peers.numba_curves import gain, log_levels, pack

    @njit(inline="always")
    def sift(keys: Array, owners: Array, hole: int) -> None:
        """Let the entry at `hole` sink to its place: largest gain first, the lowest project on a tie."""
        size, key, owner = keys.size, keys[hole], owners[hole]
        child = 2 * hole + 1
        while child < size:
            right = child + 1
            if right < size and (
                keys[right] > keys[child] or (keys[right] == keys[child] and owners[right] < owners[child])
            ):
                child = right
            if keys[child] < key or (keys[child] == key and owners[child] > owner):
                break
            keys[hole], owners[hole] = keys[child], owners[child]
            hole, child = child, 2 * child + 1
        keys[hole], owners[hole] = key, owner

    @njit(parallel=True)
    def greedy(code: int, packed: Array, budget: int, logs: Array) -> Array:
        count, projects = packed.shape[0], packed.shape[1]
        efforts = np.zeros((count, projects), np.int64)
        for j in prange(count):
            p, effort = packed[j], efforts[j]
            keys = np.empty(projects)
            owners = np.arange(projects)
            for i in range(projects):
                keys[i] = gain(code, p[i], 0, logs)
            for hole in range(projects // 2 - 1, -1, -1):
                sift(keys, owners, hole)
            for _ in range(budget):
                i = owners[0]
                effort[i] += 1
                keys[0] = gain(code, p[i], effort[i], logs) if effort[i] < budget else -np.inf
                sift(keys, owners, 0)
        return efforts

    code, packed = pack(instances)
    logs = log_levels(instances.budget)
    claims = np.full(instances.count, instances.concave)
    bound = np.full(instances.count, np.nan)
    return lambda: (greedy(code, packed, instances.budget, logs), claims, bound)


def load() -> None:
    """What must be importable."""
    import numba  # noqa: F401


if __name__ == "__main__":
    batched(prepare, ("numba", "numpy"), threads=cores(), load=load)
