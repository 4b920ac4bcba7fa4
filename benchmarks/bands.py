"""Do the bands hold? Drawn from the cheap part of real curves, scored on what was measured later.

    python -m benchmarks.bands             two sets of learning curves; results/bands.json

The 1,813 learning curves of data/ that reach 4,096 labels are taken up to 512. Draws of each are made with a
prior from which all curves of its data set's fold are left out (ten folds), and their bands are compared
with the accuracies measured at 2, 4 and 8 times the effort. The constants of the method were chosen on these
curves; so a second set counts: curves of data sets that are in no prior and that nothing was chosen by,
taken up to 128 labels. Bands are of measurements, whose standard error is taken as that of the last one.

`width` is the mean width of the bands, and `constant` that of the narrowest band of one width for all
curves, about the median draw, that would have held as often as its level says: it knows the answers, but not
which curve is uncertain. `without prior` has no curves of other data sets, and `without ceiling` does not
know that no accuracy exceeds 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.curves import CHEAP, cut, data_sets, draws_ahead, load_curves, long_curves, select
from benchmarks.machine import save
from engine.files.draws import Draws
from engine.files.measurements import Measurements
from engine.fitting.bands import draw_curves, evaluate
from engine.fitting.prior import Prior, fill_box, read_prior

DRAWS = 200
LEVELS, AHEAD = (0.5, 0.8, 0.9), (2, 4, 8)
YOUNG = 128


def measured_at(data: Measurements, effort: float) -> np.ndarray:
    """The performance measured at this effort, NaN where there is none."""
    found = np.full(len(data.names), np.nan)
    rows, places = np.nonzero((data.weight > 0) & (data.effort == effort))
    found[rows] = data.performance[rows, places]
    return found


def values_ahead(parts: list[tuple[np.ndarray, Draws]], cheap: int, curves: int) -> np.ndarray:
    """Performance of every draw [draws, curves, AHEAD]."""
    found = np.zeros((DRAWS, curves, len(AHEAD)))
    for mine, draws in parts:
        efforts = np.broadcast_to(cheap * np.array(AHEAD, float), (mine.size, len(AHEAD)))
        found[:, mine] = evaluate(draws, efforts)
    return found


def score(whole: Measurements, cheap: int, values: np.ndarray) -> dict[str, Any]:
    """Coverage, widths and errors of these draws."""
    part = cut(whole, cheap)
    assert part.error is not None
    error = part.error[np.arange(len(whole.names)), part.counts - 1]
    noise = error[None, :, None] * np.random.default_rng(2).normal(size=values.shape)
    share = np.array(LEVELS)
    low, high = (np.quantile(values + noise, e, axis=0) for e in ((1 - share) / 2, (1 + share) / 2))
    middle, rows = np.median(values, axis=0), {}
    for place, ahead in enumerate(AHEAD):
        truth = measured_at(whole, cheap * ahead)
        there = np.isfinite(truth)
        inside = (low[:, :, place] <= truth) & (truth <= high[:, :, place])
        off = np.abs(truth - middle[:, place])[there]
        rows[f"{ahead}_times"] = {
            "curves": int(np.sum(there)),
            "coverage": np.mean(inside[:, there], axis=1).tolist(),
            "below": float(np.mean(truth[there] < low[-1, there, place])),
            "width": np.mean((high - low)[:, there, place], axis=1).tolist(),
            "median_width": np.median((high - low)[:, there, place], axis=1).tolist(),
            "constant": (2 * np.quantile(off, LEVELS)).tolist(),
            "median_error": float(np.median(off)),
        }
    return rows


def young_curves(old: Measurements) -> Measurements:
    """Curves of other data sets, with seven sizes or more up to YOUNG and the last of AHEAD times it."""
    everything = load_curves()
    known = {name.rsplit(" ", 1)[1] for name in old.names}
    other = np.array([name.rsplit(" ", 1)[1] not in known for name in everything.names])
    cheap = np.sum((everything.weight > 0) & (everything.effort <= YOUNG), axis=1)
    far = np.isfinite(measured_at(everything, YOUNG * AHEAD[-1]))
    ends = np.isfinite(measured_at(everything, YOUNG))
    return select(everything, np.flatnonzero(other & far & ends & (cheap >= 7)))


def ways(prior: Prior) -> dict[str, tuple[Prior, float | None]]:
    """The prior and the ceiling of each way of drawing."""
    nothing = fill_box(tuple(prior.families))
    return {
        "bands": (prior, 1.0),
        "without ceiling": (prior, None),
        "without prior": (nothing, 1.0),
    }


def main() -> None:
    """Draw, score, print, save."""
    whole, prior = long_curves(), read_prior("learning_curves")
    young = young_curves(whole)
    figures: dict[str, Any] = {"levels": LEVELS, "draws": DRAWS}
    for name, data, cheap in (("held out", whole, CHEAP), ("other data sets", young, YOUNG)):
        size = len(data.names)
        figures[name] = {"curves": size, "data_sets": int(data_sets(data).max()) + 1, "fitted_to": cheap}
        for way, (known, ceiling) in ways(prior).items():
            part = cut(data, cheap)
            if data is whole:
                parts = draws_ahead(part, known, DRAWS, ceiling)
            else:
                parts = [(np.arange(size), draw_curves(part, known, DRAWS, ceiling=ceiling))]
            figures[name][way] = found = score(data, cheap, values_ahead(parts, cheap, size))
            print(f"{name}: {size} curves up to {cheap}, {way}", flush=True)
            for ahead, row in found.items():
                cover = " ".join(f"{c:.1%}" for c in row["coverage"])
                print(f"  {ahead}: {cover}  width {row['width'][-1]:.3f}, constant {row['constant'][-1]:.3f}")
                print(f"    below {row['below']:.1%}, median error {row['median_error']:.4f}", flush=True)
    print(f"saved {save('bands', figures)}")


if __name__ == "__main__":
    main()
