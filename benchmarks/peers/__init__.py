"""Peers: other ways to solve the same instances, each one file and one process.

    python -m benchmarks.peers.slsqp instances.npz answers.npz --kind continuous

A peer reads a set of `benchmarks.instances`, answers, and writes effort per project, seconds, status and
its version; see `benchmarks.peers.harness`. None imports `engine`, so each may live in an environment of its
own. Separate processes keep apart libraries that break each other's symbols (OR-Tools after highspy).

To add one: a file here that ends in `harness.one_by_one` or `harness.batched`, and its line below.
"""

from __future__ import annotations

import os
from typing import NamedTuple

# Peers that solve small portfolios one by one are slowed up to a hundredfold by BLAS threads that wait for
# each other; set before NumPy is imported. Numba, HiGHS and CP-SAT have threads of their own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

ANY = ("log", "hill", "logistic", "lifecycle", "tabulated")
SMOOTH = ("log", "hill", "logistic")


class Peer(NamedTuple):
    """A row of the comparison: which module answers which kind of problem, with which options.

    `rounds`: whether it solves the whole set in one call, so that rounds can alternate with the others'.
    """

    module: str
    kinds: tuple[str, ...]
    families: tuple[str, ...]
    rounds: bool = False
    option: str = ""


PEERS: dict[str, Peer] = {
    "python loop": Peer("python_loop", ("integer",), ("log",)),
    "numpy greedy": Peer("numpy_greedy", ("integer",), ("log",)),
    "numba heap greedy": Peer("numba_greedy", ("integer",), ANY, rounds=True),
    "numba full DP": Peer("numba_dp", ("integer",), ANY, rounds=True),
    "HiGHS": Peer("highs", ("integer",), ANY),
    "HiGHS tuned": Peer("highs", ("integer",), ANY, option="tuned"),
    "SciPy milp": Peer("scipy_milp", ("integer",), ANY),
    "CP-SAT": Peer("cpsat", ("integer",), ANY),
    "CP-SAT tuned": Peer("cpsat", ("integer",), ANY, option="tuned"),
    "SCIP": Peer("scip", ("integer", "continuous"), ANY),
    "SCIP tuned": Peer("scip", ("integer",), ANY, option="tuned"),
    "Meridian grid search": Peer("meridian", ("integer",), ANY),
    "SciPy SLSQP": Peer("slsqp", ("continuous",), SMOOTH),
    "SciPy SLSQP 20 starts": Peer("slsqp", ("continuous",), SMOOTH, option="20"),
    "SciPy trust-constr": Peer("trust_constr", ("continuous",), SMOOTH),
    "CVXPY + Clarabel": Peer("clarabel", ("continuous",), ("log",)),
    "NLopt as Robyn": Peer("nlopt_robyn", ("continuous",), SMOOTH),
    "NLopt as Robyn from 1 %": Peer("nlopt_robyn", ("continuous",), SMOOTH, option="0.01"),
    "PyMC-Marketing": Peer("pymc_marketing", ("continuous",), SMOOTH),
    "PyMC-Marketing in dollars": Peer("pymc_marketing", ("continuous",), SMOOTH, option="dollars"),
}
