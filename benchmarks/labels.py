"""Which learner deserves the next labels? Fitted on the cheap part of real curves, scored on the rest.

    python -m benchmarks.labels            1,813 curves, 2,000 portfolios; results/labels.json

Curves of the Learning Curve Database (data/) that reach 4,096 labels, and were measured at eight sizes or
more up to 512, are fitted to what lies up to 512 (or 1,024, or 2,048). A portfolio is ten of them at random,
each with a weight; so many labels a project are paid for, and a quarter of the labels that all could still
take, up to 4,096 each, is to be allocated in units of 32. What an allocation returns is read off the measured
accuracies up to 4,096, which no fit has seen, linear in the logarithm of the labels between sizes. The score
is the share of the clairvoyant's gain over equal split: that of the exact optimum on the measured curves.
Intervals are of 95 %, by bootstrap over portfolios.

A clairvoyant also profits from the noise of the measurements that allocations are scored on. How much is told
by a second clairvoyant, who knows the measured curves but for another draw of their standard errors.

The draws are those of benchmarks/bands.py: their prior has seen no curve of the data sets that it foretells,
and an allocation is made for their mean. Another forecast that is learned from the whole curves of other
data sets stands beside: a ridge regression from the cheap part and what the draws foretell to the rest.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

import engine
from benchmarks.curves import MOST, cut, draws_ahead, folds, load_curves, long_curves
from benchmarks.machine import save
from engine.files.measurements import Measurements
from engine.fitting.bands import evaluate as evaluate_draws
from engine.fitting.fit import fit
from engine.fitting.fitted import Fitted
from engine.fitting.prior import read_prior
from engine.model.curves.staged import Tabulated

CHEAP, UNIT = (512, 1024, 2048), 32
PROJECTS, PORTFOLIOS, DRAWS = 10, 2000, 100
SHARE = 0.25
SIZES = (724, 1024, 1448, 2048, 2896, 4096)
CHEAP_SIZES = (32, 45, 64, 91, 128, 181, 256, 362, 512, 724, 1024, 1448, 2048)
RIDGE = 10.0
SIGMA = 0.5


def interpolate(data: Measurements, efforts: np.ndarray) -> np.ndarray:
    """Measured performance [projects, efforts], linear in the logarithm of effort."""
    rows = []
    for project in range(len(data.names)):
        count = int(data.counts[project])
        sizes = np.log(data.effort[project, :count])
        rows.append(np.interp(np.log(efforts), sizes, data.performance[project, :count]))
    return np.array(rows)


def evaluate(family: str, numbers: dict[str, np.ndarray], efforts: np.ndarray) -> np.ndarray:
    """Fitted performance [projects, efforts]."""
    with jax.enable_x64(True):
        curve = engine.FAMILIES[family](**numbers)
        return np.asarray(jax.vmap(curve.value, out_axes=1)(np.repeat(efforts[:, None], curve.shape[-1], 1)))


def foretold(fitted: Fitted, efforts: np.ndarray) -> np.ndarray:
    """The chosen family's performance [projects, efforts]."""
    found = np.zeros((len(fitted.chosen), efforts.size))
    for index, (family, one) in enumerate(fitted.families.items()):
        mine = fitted.chosen == index
        found[mine] = evaluate(family, one.parameters, efforts)[mine]
    return found


def mean_of_draws(part: Measurements, efforts: np.ndarray) -> np.ndarray:
    """The mean of predictive draws [projects, efforts], by priors that know other data sets alone."""
    found = np.zeros((len(part.names), efforts.size))
    for mine, draws in draws_ahead(part, read_prior("learning_curves"), DRAWS):
        own = np.broadcast_to(efforts, (mine.size, efforts.size))
        found[mine] = np.mean(evaluate_draws(draws, own), axis=0)
    return found


def learned(
    whole: Measurements, cheap: int, efforts: np.ndarray, mean: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Performance [projects, efforts] foretold by ridge regression over the curves of other data sets."""
    past = np.array([size for size in CHEAP_SIZES if size <= cheap], float)
    rest = np.array([size for size in SIZES if size > cheap], float)
    seen = interpolate(whole, past)
    last = seen[:, -1:]
    foretold_rest = np.array([np.interp(np.log(rest), np.log(efforts), curve) for curve in mean])
    features = np.concatenate([np.diff(seen, axis=1), last, foretold_rest - last], axis=1)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    features = np.concatenate([features, np.ones((len(features), 1))], axis=1)
    gains = interpolate(whole, rest) - last
    fold = folds(whole, random)
    guess = np.zeros_like(gains)
    for k in range(fold.max() + 1):
        known, asked = features[fold != k], features[fold == k]
        normal = known.T @ known + RIDGE * np.eye(known.shape[1])
        guess[fold == k] = asked @ np.linalg.solve(normal, known.T @ gains[fold != k])
    points, values = np.log([cheap, *rest]), np.concatenate([last, last + guess], axis=1)
    later = np.array([np.interp(np.log(efforts), points, curve) for curve in values])
    return np.where(efforts > cheap, later, interpolate(whole, efforts))


def shape_of_curves(data: Measurements) -> dict[str, float]:
    """How many of the measured curves are not what greedy needs."""
    falls, sags = [], []
    for project in range(len(data.names)):
        count = int(data.counts[project])
        x, y = data.effort[project, :count], data.performance[project, :count]
        error = 1.0 / np.sqrt(data.weight[project, :count])
        falls.append(bool(np.any(np.diff(y) < -4 * np.hypot(error[1:], error[:-1]))))
        hull = [0]
        for i in range(1, count):
            while len(hull) > 1:
                a, b = hull[-2], hull[-1]
                if (y[b] - y[a]) * (x[i] - x[b]) > (y[i] - y[b]) * (x[b] - x[a]):
                    break
                hull.pop()
            hull.append(i)
        majorant = np.maximum.accumulate(np.interp(x, x[hull], y[hull]))
        sags.append(bool(np.max(majorant - y) > 0.1 * max(np.ptp(y), 1e-12)))
    return {"fall_by_four_errors": float(np.mean(falls)), "majorant_above_by_a_tenth": float(np.mean(sags))}


def family_table(fitted: Fitted, held: np.ndarray, efforts: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """Median R² on the cheap part, and median error at the largest efforts, of each family and the chosen."""
    rows = {}
    chosen = np.zeros(len(fitted.chosen))
    for index, (family, found) in enumerate(fitted.families.items()):
        ahead = np.sqrt(np.mean((evaluate(family, found.parameters, efforts) - truth)[:, held] ** 2, axis=1))
        mine = fitted.chosen == index
        chosen[mine] = ahead[mine]
        rows[family] = {
            "median_r2": float(np.nanmedian(found.r2)),
            "median_error_ahead": float(np.median(ahead)),
            "mean_error_ahead": float(np.mean(ahead)),
            "chosen": float(np.mean(mine)),
        }
    rows["chosen"] = {
        "median_error_ahead": float(np.median(chosen)),
        "mean_error_ahead": float(np.mean(chosen)),
    }
    return rows


def allocate_all(
    tables: dict[str, np.ndarray], truth: np.ndarray, members: np.ndarray, weight: np.ndarray, cheap: int
) -> dict[str, np.ndarray]:
    """What each way of allocating returns on the measured curves, [portfolios]."""
    paid, top = cheap // UNIT, MOST // UNIT
    room = PROJECTS * (top - paid)
    budget = float(PROJECTS * paid + round(SHARE * room))
    lower, upper = np.full(weight.shape, float(paid)), np.full(weight.shape, float(top))

    def build(table: np.ndarray) -> engine.Portfolio:
        return engine.Portfolio(Tabulated(table[members]), weight=weight, lower=lower, upper=upper)

    def returned(effort: np.ndarray) -> np.ndarray:
        levels = np.round(effort).astype(int)
        own = np.take_along_axis(truth[members], levels[..., None], axis=2)[..., 0]
        return (weight * own).sum(axis=1)

    equal = np.full(weight.shape, np.floor(budget / PROJECTS))
    found = {"equal split": returned(equal)}
    found["clairvoyant"] = returned(engine.allocate(build(truth), budget, "exact").effort)
    for name, (table, solver) in {
        "greedy on fits": ("fit", "greedy"),
        "relaxation on fits": ("fit", "relaxation"),
        "exact on fits": ("fit", "exact"),
        "exact on the mean of draws": ("mean", "exact"),
        "exact on the last measured slope": ("slope", "exact"),
        "exact on a forecast learned from others": ("learned", "exact"),
        "clairvoyant of another draw": ("another", "exact"),
    }.items():
        found[name] = returned(engine.allocate(build(tables[table]), budget, solver).effort)
    return found


def scores(found: dict[str, np.ndarray], random: np.random.Generator) -> dict[str, Any]:
    """Each way's share of the clairvoyant's gain over equal split, with its interval."""
    gain = found["clairvoyant"] - found["equal split"]
    rows = {}
    for name, value in found.items():
        mine = value - found["equal split"]
        picks = random.integers(0, gain.size, (2000, gain.size))
        shares = mine[picks].sum(axis=1) / gain[picks].sum(axis=1)
        low, high = np.quantile(shares, [0.025, 0.975])
        rows[name] = {
            "share_of_clairvoyant": float(mine.sum() / gain.sum()),
            "interval": [float(low), float(high)],
            "worse_than_equal_split": float(np.mean(mine < 0)),
            "mean_gain": float(mine.mean()),
        }
    return rows


def disturbed(data: Measurements, random: np.random.Generator) -> Measurements:
    """The same measurements with another draw of their errors."""
    error = np.where(data.weight > 0, 1.0 / np.sqrt(np.where(data.weight > 0, data.weight, 1.0)), 0.0)
    return dataclasses.replace(data, performance=data.performance + error * random.normal(size=error.shape))


def study(whole: Measurements, cheap: int, random: np.random.Generator) -> dict[str, Any]:
    """Fit what is cheap, allocate, score."""
    fitted = fit(cut(whole, cheap))
    efforts = np.maximum(np.arange(MOST // UNIT + 1.0) * UNIT, 1.0)
    truth = interpolate(whole, efforts)
    one, mean = foretold(fitted, efforts), mean_of_draws(cut(whole, cheap), efforts)
    before, last = truth[:, cheap // UNIT // 2], truth[:, cheap // UNIT]
    slope = np.maximum((last - before) / (cheap / 2), 0.0)
    tables = {
        "fit": one,
        "mean": mean,
        "slope": last[:, None] + slope[:, None] * (efforts - cheap),
        "another": interpolate(disturbed(whole, random), efforts),
        "learned": learned(whole, cheap, efforts, mean, np.random.default_rng(1)),
    }
    members = np.array([random.choice(len(whole.names), PROJECTS, replace=False) for _ in range(PORTFOLIOS)])
    weight = np.exp(random.normal(0.0, SIGMA, members.shape))
    found = allocate_all(tables, truth, members, weight, cheap)
    sizes = np.array([size for size in SIZES if size > cheap]) // UNIT
    families = family_table(fitted, sizes, efforts, truth)
    ahead = np.sqrt(np.mean((mean - truth)[:, sizes] ** 2, axis=1))
    families["mean of draws"] = {
        "median_error_ahead": float(np.median(ahead)),
        "mean_error_ahead": float(np.mean(ahead)),
    }
    return {"families": families, "allocation": scores(found, random)}


def main() -> None:
    """Study, print, save."""
    random = np.random.default_rng(0)
    everything, whole = load_curves(), long_curves()
    figures: dict[str, Any] = {
        "curves": len(whole.names),
        "portfolios": PORTFOLIOS,
        "shape_of_all_curves": {"curves": len(everything.names), **shape_of_curves(everything)},
    }
    print(figures)
    for cheap_labels in CHEAP:
        figures[f"fitted_to_{cheap_labels}"] = found = study(whole, cheap_labels, random)
        print(f"fitted up to {cheap_labels} labels")
        for name, row in found["families"].items():
            print(f"  {name:14s}" + "  ".join(f"{k} {v:.4f}" for k, v in row.items()))
        for name, row in found["allocation"].items():
            low, high = row["interval"]
            share = f"{row['share_of_clairvoyant']:8.1%}  [{low:.1%}, {high:.1%}]"
            print(f"  {name:34s}{share}  worse than equal split {row['worse_than_equal_split']:.1%}")
    print(f"saved {save('labels', figures)}")


if __name__ == "__main__":
    main()
