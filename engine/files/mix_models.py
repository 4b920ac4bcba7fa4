"""Response curves of marketing mix models, as Robyn, PyMC-Marketing and Meridian export them.

Each package saturates advertising that has been carried over from one period to the next. A steady budget
of x a period becomes x·g after carry-over, where g is the sum of the weights, so the response at steady state
is the saturation at x·g: a Hill curve with half point k/g, a logistic one with rate λ·g. Carry-over that is
normalised (PyMC-Marketing's and Meridian's default) has g = 1; Robyn's geometric one has g = 1/(1 − θ).

    Robyn            β·x^α / (x^α + i^α)                  pareto_hyperparameters.csv, pareto_aggregated.csv
    PyMC-Marketing   β·(1 − e^(−λx)) / (1 + e^(−λx)),     az.summary(...).to_csv() or the posterior's
                     Hill, Michaelis-Menten, tanh         .to_dataframe().to_csv() or .to_parquet()
    Meridian         points (spend, incremental outcome)  Analyzer.response_curves().to_dataframe().to_csv()

Efforts are in the units of the model's spend per period; Meridian's, in those of its whole time window.

Sources: Jin, Wang, Sun, Chan & Koehler (2017) for carry-over and Hill; Robyn 3.12 (`saturation_hill`,
`adstock_geometric`, `robyn_csv`), PyMC-Marketing 0.19 (`mmm.transformers`) and Meridian 2.1
(`Analyzer.response_curves`) for the formulas and the files.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.files.draws import write_draws
from engine.files.tables import number, read_table

Row = dict[str, Any]
Numbers = dict[str, float]
SOURCES = ("robyn", "pymc_marketing", "meridian")
LONGEST_CARRY_OVER = 10_000


@dataclass(frozen=True)
class Response:
    """One channel: a family and its numbers, or measured points; `draws` holds the numbers of every posterior
    draw, where the file has them."""

    family: str
    numbers: Numbers = field(default_factory=dict)
    points: list[tuple[float, float]] = field(default_factory=list)
    draws: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class PymcScales:
    """What PyMC-Marketing divided by before it fitted: every channel's spend, and the target."""

    channels: dict[str, float] = field(default_factory=dict)
    target: float = 1.0


# PyMC-Marketing's saturations by its own names: their numbers, our family, and our numbers from theirs.
Formula = Callable[..., dict[str, Any]]

SATURATIONS: dict[str, tuple[tuple[str, ...], str, Formula]] = {
    "logistic": (
        ("lam", "beta"),
        "logistic",
        lambda lam, beta: {"scale": beta, "rate": lam, "midpoint": 0.0 * lam},
    ),
    "inverse_scaled_logistic": (
        ("lam", "beta"),
        "logistic",
        lambda lam, beta: {"scale": beta, "rate": math.log(3.0) / lam, "midpoint": 0.0 * lam},
    ),
    "tanh": (
        ("b", "c"),
        "logistic",
        lambda b, c: {"scale": b, "rate": 2.0 / (b * c), "midpoint": 0.0 * b},
    ),
    "michaelis_menten": (
        ("alpha", "lam"),
        "hill",
        lambda alpha, lam: {"scale": alpha, "half": lam, "exponent": 1.0 + 0.0 * lam},
    ),
    "hill": (
        ("slope", "kappa", "beta"),
        "hill",
        lambda slope, kappa, beta: {"scale": beta, "half": kappa, "exponent": slope},
    ),
}


def load_robyn(folder: Path, model: str | None = None) -> dict[str, Response]:
    """The channels of one model among those that Robyn exported to a folder, by `robyn_csv`.

    **Arguments:** `model`, its solID; the only one if there is only one.

    **Raises:** `ValueError` in one line naming the file, what is wrong and what was expected.
    """
    path = folder / "pareto_hyperparameters.csv"
    rows = _of_model(path, _read_rows(path), model)
    numbers = rows[0]
    path_of_sums = folder / "pareto_aggregated.csv"
    sums = _of_model(path_of_sums, _read_rows(path_of_sums), str(numbers["solID"]))
    coefficients = {row.get("rn"): row.get("coef") for row in sums}
    channels = [key.removesuffix("_alphas") for key in numbers if key.endswith("_alphas")]
    if not channels:
        raise ValueError(f"{path}: has no column that ends in _alphas, expected one for each channel")
    responses = {}
    for channel in channels:
        if channel not in coefficients:
            raise ValueError(f"{path_of_sums}: has no row with rn {channel}, expected its coef")
        hill = {
            "scale": number(coefficients[channel], f"{path_of_sums}: coef of {channel}", finite=True),
            "half": _positive(numbers, f"{channel}_inflexion", path) / _robyn_gain(channel, numbers, path),
            "exponent": _positive(numbers, f"{channel}_alphas", path),
        }
        responses[channel] = Response("hill", hill)
    return responses


def _of_model(path: Path, rows: list[Row], model: str | None) -> list[Row]:
    """The rows of a model, which is chosen by its solID."""
    models = list(dict.fromkeys(str(row.get("solID", "")) for row in rows))
    if "" in models:
        raise ValueError(f"{path}: has no column solID, expected a file that Robyn wrote")
    if model is None and len(models) > 1:
        some = ", ".join(models[:3])
        raise ValueError(f"{path}: has {len(models)} models, expected model=... to name one of {some}, ...")
    # Hydra reads 1_123_4 as the number 11234 where it is not quoted.
    wanted = [m for m in models if model in (None, m, m.replace("_", ""))]
    found = [row for row in rows if str(row["solID"]) in wanted[:1]]
    if not found:
        raise ValueError(f"{path}: has no model {model}, expected one of {', '.join(models[:3])}")
    return found


def _robyn_gain(channel: str, numbers: Row, path: Path) -> float:
    """How many times a steady budget counts after carry-over."""
    if f"{channel}_thetas" in numbers:
        theta = number(numbers[f"{channel}_thetas"], f"{path}: {channel}_thetas", finite=True)
        if not 0 <= theta < 1:
            raise ValueError(f"{path}: {channel}_thetas is {theta:g}, expected a share below 1")
        return 1.0 / (1.0 - theta)
    # Weibull carry-over: Robyn notes what it made of the spend that was there.
    return _positive(numbers, f"{channel}_inflation", path)


def load_pymc_marketing(
    path: Path,
    saturation: str | None = None,
    scales: PymcScales | None = None,
    normalize: bool = True,
    l_max: int | None = None,
) -> dict[str, Response]:
    """The channels of PyMC-Marketing's MMM, from a summary of its posterior or from all its draws.

    **Arguments:** `saturation`, of `SATURATIONS`; seen from the numbers in the file where it is None.
    `scales`, what spend and target were divided by. `normalize` and `l_max`, those of the geometric adstock.

    **Raises:** `ValueError` in one line naming the file, what is wrong and what was expected.
    """
    scales = scales or PymcScales()
    found = _pymc_numbers(path, _read_rows(path))
    saturation = saturation or _which_saturation(path, found)
    if saturation not in SATURATIONS:
        raise ValueError(f"unknown saturation {saturation!r}, expected one of {', '.join(SATURATIONS)}")
    names, family, formula = SATURATIONS[saturation]
    responses = {}
    for channel, numbers in found.items():
        for name in names:
            if f"saturation_{name}" not in numbers:
                raise ValueError(
                    f"{path}: {channel} has no saturation_{name}, which {saturation} saturation needs"
                )
        gain = _pymc_gain(path, channel, numbers, normalize, l_max) / scales.channels.get(channel, 1.0)
        ours = formula(**{name: numbers[f"saturation_{name}"] for name in names})
        ours["scale"] = ours["scale"] * scales.target
        if family == "hill":
            ours["half"] = ours["half"] / gain
        else:
            ours["rate"] = ours["rate"] * gain
        draws = {name: np.asarray(values, float) for name, values in ours.items()}
        if any(not np.all(np.isfinite(values)) for values in draws.values()):
            raise ValueError(f"{path}: {channel} has numbers that are not finite, expected finite ones")
        mean = {name: float(np.mean(values)) for name, values in draws.items()}
        many = next(iter(draws.values())).size > 1
        responses[channel] = Response(family, mean, draws=draws if many else {})
    missing = set(scales.channels) - set(responses)
    if missing:
        raise ValueError(f"scales has channel {min(missing)!r}, expected one of {', '.join(responses)}")
    return responses


def _pymc_numbers(path: Path, rows: list[Row]) -> dict[str, dict[str, np.ndarray]]:
    """Arrays of numbers by channel and name: one value each from a summary, all draws from a posterior."""
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if "mean" in row:
            cell = next((value for value in row.values() if isinstance(value, str)), "")
            label = re.fullmatch(r"((?:saturation|adstock)_\w+)\[(.+)\]", cell)
            values = {label[1]: row["mean"]} if label else {}
            channel = label[2] if label else ""
        else:
            values = {k: v for k, v in row.items() if k.startswith(("saturation_", "adstock_"))}
            channel = str(row.get("channel") or "")
        for name, value in values.items():
            read = number(value, f"{path}: {name} of {channel}", finite=True)
            found.setdefault(channel, {}).setdefault(name, []).append(read)
    if "" in found:
        raise ValueError(
            f"{path}: has no column channel, expected a posterior with one row a draw and channel"
        )
    if not found:
        raise ValueError(f"{path}: has no saturation_... of any channel, expected a summary or a posterior")
    return {c: {name: np.array(values) for name, values in n.items()} for c, n in found.items()}


def _which_saturation(path: Path, found: dict[str, dict[str, np.ndarray]]) -> str:
    """The saturation that has these numbers; of several, the one listed first."""
    present = {name.removeprefix("saturation_") for n in found.values() for name in n if "saturation" in name}
    for name, (wanted, _, _) in SATURATIONS.items():
        if present == set(wanted):
            return name
    raise ValueError(
        f"{path}: has saturation {', '.join(sorted(present))}, expected the numbers of one of "
        f"{', '.join(SATURATIONS)}"
    )


def _pymc_gain(
    path: Path, channel: str, numbers: dict[str, np.ndarray], normalize: bool, l_max: int | None
) -> Any:
    """How many times a steady budget counts after geometric adstock over `l_max` periods."""
    if normalize:
        return 1.0
    if l_max is None or not 1 <= l_max <= LONGEST_CARRY_OVER:
        raise ValueError(f"l_max is {l_max}, expected the adstock's number of periods, from 1")
    alpha = numbers.get("adstock_alpha")
    if alpha is None:
        raise ValueError(f"{path}: {channel} has no adstock_alpha, expected it where normalize=false")
    return np.sum(alpha[:, None] ** np.arange(l_max)[None], axis=1)


def load_meridian(path: Path, metric: str = "mean") -> dict[str, Response]:
    """The channels of Meridian's response curves, tabulated at its spend multipliers.

    **Arguments:** `metric`, mean, ci_lo or ci_hi.

    **Raises:** `ValueError` in one line naming the file, what is wrong and what was expected.
    """
    rows = _read_rows(path)
    for name in ("channel", "metric", "spend", "incremental_outcome"):
        if name not in rows[0]:
            raise ValueError(f"{path}: has no column {name}, expected Meridian's response curves")
    rows = [row for row in rows if row["metric"] == metric]
    if not rows:
        raise ValueError(f"{path}: has no metric {metric}, expected mean, ci_lo or ci_hi")
    points: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        where = f"{path}: {row['channel']}"
        spend = number(row["spend"], f"{where}: spend", finite=True)
        outcome = number(row["incremental_outcome"], f"{where}: incremental_outcome", finite=True)
        points.setdefault(str(row["channel"]), []).append((spend, outcome))
    return {name: Response("tabulated", points=sorted(own)) for name, own in points.items()}


def load_scales(path: Path) -> dict[str, float]:
    """The spend that every channel was divided by: a table of channel and channel_scale."""
    rows = _read_rows(path)
    if "channel" not in rows[0] or "channel_scale" not in rows[0]:
        raise ValueError(f"{path}: has no columns channel and channel_scale, expected both")
    return {str(row["channel"]): _positive(row, "channel_scale", path) for row in rows}


def _read_rows(path: Path) -> list[Row]:
    """The rows of a CSV or Parquet file, of which there is one at least."""
    rows = read_table(path).to_pylist()
    if not rows:
        raise ValueError(f"{path}: has no rows, expected one at least")
    return rows


def _positive(row: Row, key: str, path: Path) -> float:
    if key not in row:
        raise ValueError(f"{path}: has no column {key}, expected a number above 0")
    value = number(row[key], f"{path}: {key}", finite=True)
    if value <= 0:
        raise ValueError(f"{path}: {key} is {value:g}, expected a number above 0")
    return value


def portfolio_rows(responses: dict[str, Response]) -> Iterable[list[Any]]:
    """The rows of a portfolio file, its header first: numbers of families, or measured points."""
    if any(response.points for response in responses.values()):
        yield ["project", "effort", "performance"]
        for name, response in responses.items():
            yield from ([name, repr(x), repr(y)] for x, y in response.points)
        return
    names = list(dict.fromkeys(name for response in responses.values() for name in response.numbers))
    yield ["project", "family", *names]
    for project, response in responses.items():
        numbers = [repr(response.numbers[name]) if name in response.numbers else "" for name in names]
        yield [project, response.family, *numbers]


def write_posterior(path: Path, responses: dict[str, Response]) -> None:
    """The draws of all channels, as `scenario=fitted` reads them."""
    families = [response.family for response in responses.values()]
    shape = len(next(iter(responses.values())).draws["scale"]), len(responses)
    draws: dict[str, dict[str, np.ndarray]] = {}
    for place, response in enumerate(responses.values()):
        for name, values in {**response.draws, "baseline": np.zeros(shape[0])}.items():
            numbers = draws.setdefault(response.family, {}).setdefault(name, np.full(shape, np.nan))
            numbers[:, place] = values
    write_draws(path, tuple(responses), families, draws)
