"""The full max-plus dynamic programme, compiled by Numba, portfolios spread over all cores; any curves.

best_i(s) = max_k best_{i−1}(s − k) + w f_i(k), O(N B²) a portfolio. The table of returns is part of the timed
run. No array of arguments is kept: the way back finds the level that gave each maximum, so that the inner
loop is a pure maximum, which compiles to vector instructions; eight levels share one pass over the states.
Source: Bellman (1957).
"""

from __future__ import annotations

import numpy as np

from benchmarks.instances import Array, Instances
from benchmarks.peers.harness import Task, batched, cores

LEVELS = 8


def prepare(instances: Instances, task: Task):
    """The compiled call over the whole set."""
    del task
    from numba import njit, prange

    from benchmarks.peers.numba_curves import log_levels, pack, value

    @njit
    def advance(before: Array, row: Array, after: Array) -> None:
        """after(s) = max over k of before(s − k) + row(k); both have LEVELS cells of −∞ ahead of state 0."""
        states = row.size
        after[:] = -np.inf
        for k in range(0, states - states % LEVELS, LEVELS):
            a, b, c, d = row[k], row[k + 1], row[k + 2], row[k + 3]
            e, f, g, h = row[k + 4], row[k + 5], row[k + 6], row[k + 7]
            reach = states - k
            target = after[LEVELS + k : LEVELS + k + reach]
            from_a, from_b = before[8 : 8 + reach], before[7 : 7 + reach]
            from_c, from_d = before[6 : 6 + reach], before[5 : 5 + reach]
            from_e, from_f = before[4 : 4 + reach], before[3 : 3 + reach]
            from_g, from_h = before[2 : 2 + reach], before[1 : 1 + reach]
            for s in range(reach):
                ab = max(from_a[s] + a, from_b[s] + b)
                cd = max(from_c[s] + c, from_d[s] + d)
                ef = max(from_e[s] + e, from_f[s] + f)
                gh = max(from_g[s] + g, from_h[s] + h)
                target[s] = max(target[s], max(max(ab, cd), max(ef, gh)))
        for k in range(states - states % LEVELS, states):
            gained = row[k]
            target = after[LEVELS + k : LEVELS + states]
            source = before[LEVELS : LEVELS + states - k]
            for s in range(states - k):
                target[s] = max(target[s], source[s] + gained)

    @njit(parallel=True)
    def programme(code: int, packed: Array, budget: int, logs: Array) -> Array:
        count, projects, states = packed.shape[0], packed.shape[1], budget + 1
        efforts = np.zeros((count, projects), np.int64)
        for j in prange(count):
            rows = np.empty((projects, states))
            for i in range(projects):
                for level in range(states):
                    rows[i, level] = value(code, packed[j, i], level, logs)
            layers = np.full((projects, LEVELS + states), -np.inf)
            most = -np.inf
            for s in range(states):
                most = max(most, rows[0, s])
                layers[0, LEVELS + s] = most
            for i in range(1, projects - 1):
                advance(layers[i - 1], rows[i], layers[i])
            left = budget
            for i in range(projects - 1, 0, -1):
                best, level = -np.inf, 0
                for k in range(left + 1):
                    total = layers[i - 1, LEVELS + left - k] + rows[i, k]
                    if total > best:
                        best, level = total, k
                efforts[j, i] = level
                left -= level
            efforts[j, 0] = np.argmax(rows[0, : left + 1])
        return efforts

    code, packed = pack(instances)
    logs = log_levels(instances.budget)
    claims = np.ones(instances.count, bool)
    bound = np.full(instances.count, np.nan)
    return lambda: (programme(code, packed, instances.budget, logs), claims, bound)


def load() -> None:
    """What must be importable."""
    import numba  # noqa: F401


if __name__ == "__main__":
    batched(prepare, ("numba", "numpy"), threads=cores(), load=load)
