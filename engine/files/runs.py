"""Counters that fall back within a project's rows: training resumed, work done again, or replicates."""

from __future__ import annotations

import numpy as np


def falls_back(code: np.ndarray, effort: np.ndarray) -> np.ndarray:
    """The rows at which a project's effort is lower than in its row before, in the order of the file."""
    order = np.argsort(code, kind="stable")
    fell = np.zeros(code.size, bool)
    fell[order[1:]] = (np.diff(code[order]) == 0) & (np.diff(effort[order]) < 0)
    return fell


def repeats(code: np.ndarray, effort: np.ndarray) -> bool:
    """Whether a project has two rows of the same effort."""
    order = np.lexsort((effort, code))
    return bool(np.any((np.diff(code[order]) == 0) & (np.diff(effort[order]) == 0)))


def resolved(code: np.ndarray, effort: np.ndarray, how: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Efforts, and which rows to keep, after counters that began again are continued or their rows replaced.

    A counter that goes on does so by its own step: epochs 0 to 5 and again 0 to 5 are epochs 0 to 11.
    """
    keep = np.ones(code.size, bool)
    effort = effort.copy()
    if how in ("continue", "replace"):
        fell = falls_back(code, effort)
        for project in np.unique(code[fell]):
            rows = np.flatnonzero(code == project)
            cuts = np.flatnonzero(fell[rows])
            if how == "replace":
                keep[rows] = _last(effort[rows], cuts)
            else:
                effort[rows] = _continued(effort[rows], cuts)
    return effort, keep


def _last(effort: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Rows that no later part of the same run did again."""
    keep = np.ones(effort.size, bool)
    for cut in cuts:
        keep[:cut] &= effort[:cut] < effort[cut]
    return keep


def _continued(effort: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Efforts in which every part begins one step after the end of the part before."""
    result = effort.copy()
    for cut in cuts:
        rises = np.diff(effort[:cut])
        rises = rises[rises > 0]
        step = rises[-1] if rises.size else 1.0
        result[cut:] += result[cut - 1] + step - result[cut]
    return result
