"""PyMC-Marketing's MMM: from a saved model, a posterior, or a summary of one.

A saved model (`mmm.save`, 0.19 and 1.x) says which saturation and carry-over it has and what it divided by;
the other two do not. Units of a panel (geo, segment, ...) are projects of their own.
"""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.files.mix_models.exports import Row, is_netcdf, open_group, positive, read_rows
from engine.files.mix_models.response import Response, response_of
from engine.files.mix_models.saturations import (
    Saturation,
    carry_over,
    choose_adstock,
    choose_saturation,
    name_of,
)
from engine.files.mix_models.shapes import Numbers, stretch
from engine.files.reading import AS_IT_IS, Reading
from engine.files.tables import number

# A curve that never levels off is tabulated up to so many times what spend was divided by.
LARGEST_MULTIPLE = 10.0
KNOWN = ("saturation_", "adstock_")
PLACES = ("chain", "draw", "channel")


@dataclass(frozen=True)
class PymcModel:
    """What is to be known of the model besides its numbers; None is seen from the file, or asked for."""

    saturation: str | None = None
    adstock: str | None = None
    normalize: bool | None = None
    l_max: int | None = None
    adstock_first: bool | None = None
    target_scale: float | None = None


@dataclass(frozen=True)
class _Fit:
    """The numbers of every project by draw, what its spend and target were divided by, and what it spent."""

    numbers: dict[str, Numbers]
    model: PymcModel
    scales: dict[str, float] = field(default_factory=dict)
    targets: dict[str, float] = field(default_factory=dict)
    spends: dict[str, float] = field(default_factory=dict)


def load_pymc_marketing(
    path: Path,
    model: PymcModel | None = None,
    scales: dict[str, float] | None = None,
    how: Reading = AS_IT_IS,
) -> dict[str, Response]:
    """The channels of a model, by project: the channel's name, after those of its units in a panel.

    **Arguments:** `scales`, what spend was divided by, by project or by channel; `how` a table is read.

    **Raises:** `ValueError` in one line naming the file, what is wrong and what was expected.
    """
    model = model or PymcModel()
    fit = _read_saved(path, model) if is_netcdf(path) else _read_table(path, model, how)
    model, numbers = fit.model, fit.numbers
    names = {name for own in numbers.values() for name in own}
    given = {kind: {n.removeprefix(kind) for n in names if n.startswith(kind)} for kind in KNOWN}
    name, saturation = choose_saturation(str(path), given["saturation_"], model.saturation)
    adstock = "no_adstock"
    if model.normalize is False:
        adstock = choose_adstock(str(path), given["adstock_"], model.adstock)
    divisors = fit.scales | _spread(scales or {}, list(numbers))
    responses = {}
    for project, own in numbers.items():
        where = f"{path}: {project}"
        for need in saturation.needs:
            if f"saturation_{need}" not in own:
                raise ValueError(f"{where} has no saturation_{need}, which {name} saturation needs")
        divisor = divisors.get(project, 1.0)
        target = fit.targets.get(project, 1.0) if model.target_scale is None else model.target_scale
        ours = _money(saturation, own, adstock, model, divisor, target)
        largest = LARGEST_MULTIPLE * divisor
        responses[project] = response_of(where, saturation.shape, ours, largest, fit.spends.get(project))
    return responses


def _money(
    saturation: Saturation, own: Numbers, adstock: str, model: PymcModel, divisor: float, target: float
) -> Numbers:
    """The shape's numbers in units of spend and target, with carry-over."""
    ours = saturation.numbers(**{need: own[f"saturation_{need}"] for need in saturation.needs})
    carried = {name.removeprefix("adstock_"): own[name] for name in own if name.startswith("adstock_")}
    gain = np.asarray(carry_over(adstock, carried, model.l_max))
    # What is carried over is the spend, or, where saturation comes first, the response.
    first = model.adstock_first is not False
    ours = stretch(saturation.shape, ours, (gain if first else np.ones_like(gain)) / divisor)
    return {**ours, "scale": ours["scale"] * target * (1.0 if first else gain)}


def _spread(scales: dict[str, float], projects: list[str]) -> dict[str, float]:
    """Scales by project, of scales by project or channel."""
    found: dict[str, float] = {}
    for name, scale in scales.items():
        own = [project for project in projects if project == name or project.endswith(f" {name}")]
        if not own:
            raise ValueError(f"scales has channel {name!r}, expected one of {', '.join(projects)}")
        found |= dict.fromkeys(own, scale)
    return found


def load_scales(path: Path, how: Reading = AS_IT_IS) -> dict[str, float]:
    """What every channel's spend was divided by: a table of channel, channel_scale and a panel's units."""
    rows = read_rows(path, how)
    if "channel" not in rows[0] or "channel_scale" not in rows[0]:
        raise ValueError(f"{path}: has no columns channel and channel_scale, expected both")
    units = [key for key in rows[0] if key not in ("", "index", "channel", "channel_scale", "target_scale")]
    return {_project(row, units): positive(row, "channel_scale", path) for row in rows}


def _project(row: Row, units: list[str]) -> str:
    return " ".join(str(row[key]) for key in (*units, "channel"))


def _read_table(path: Path, model: PymcModel, how: Reading) -> _Fit:
    """A summary's numbers, one each, or those of all draws."""
    rows = read_rows(path, how)
    if "mean" in rows[0]:
        numbers = _summary_numbers(path, rows)
        warnings.warn(
            f"{path} is a summary: its curves are those of mean numbers, and not the means of the curves, "
            "which only a posterior gives",
            stacklevel=2,
        )
    else:
        numbers = _posterior_numbers(path, rows)
    return _Fit(numbers, model)


def _summary_numbers(path: Path, rows: list[Row]) -> dict[str, Numbers]:
    found: dict[str, Numbers] = {}
    for row in rows:
        cell = next((value for value in row.values() if isinstance(value, str)), "")
        label = re.fullmatch(r"((?:saturation|adstock)_\w+)\[(.+)\]", cell)
        if label:
            project = label[2].replace(", ", " ")
            value = number(row["mean"], f"{path}: {label[1]} of {project}", finite=True)
            found.setdefault(project, {})[label[1]] = np.array([value])
    if not found:
        raise ValueError(f"{path}: has no saturation_... of any channel, expected a summary or a posterior")
    return found


def _posterior_numbers(path: Path, rows: list[Row]) -> dict[str, Numbers]:
    names = [key for key in rows[0] if key.startswith(KNOWN)]
    if not any(name.startswith("saturation_") for name in names):
        raise ValueError(f"{path}: has no saturation_... of any channel, expected a summary or a posterior")
    if not all(str(row.get("channel") or "") for row in rows):
        raise ValueError(
            f"{path}: has no column channel, expected a posterior with one row a draw and channel"
        )
    units = _units(path, rows)
    found: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        project = _project(row, units)
        own = found.setdefault(project, {name: [] for name in names})
        for name in names:
            own[name].append(number(row[name], f"{path}: {name} of {project}", finite=True))
    counts = {project: len(own[names[0]]) for project, own in found.items()}
    if len(set(counts.values())) > 1:
        few, many = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
        raise ValueError(
            f"{path}: has {counts[few]} draws of {few} and {counts[many]} of {many}, expected as many of each"
        )
    return {project: {name: np.array(v) for name, v in own.items()} for project, own in found.items()}


def _units(path: Path, rows: list[Row]) -> list[str]:
    """The columns that name a panel's units: those of words, and of others what tells equal rows apart."""
    others = [key for key in rows[0] if key not in ("", "index", *PLACES) and not key.startswith(KNOWN)]
    units = [key for key in others if any(_is_word(row[key]) for row in rows[:1000])]

    def repeated(columns: list[str]) -> bool:
        seen = {tuple(row.get(key) for key in (*PLACES, *columns)) for row in rows}
        return len(seen) < len(rows)

    if "draw" in rows[0] and repeated(units):
        whole = [key for key in others if key not in units and all(_is_whole(row[key]) for row in rows)]
        if repeated([*units, *whole]):
            raise ValueError(
                f"{path}: has several rows of one draw and channel, expected one, or columns that name a "
                "panel's units"
            )
        units = [*units, *whole]
    return units


def _is_word(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return cell is not None
    return False


def _is_whole(cell: Any) -> bool:
    return not _is_word(cell) and cell is not None and float(cell).is_integer()


def _read_saved(path: Path, model: PymcModel) -> _Fit:
    """All that a saved model says."""
    told = open_group(path).attrs
    for key in ("adstock", "saturation"):
        if key not in told:
            raise ValueError(
                f"{path}: does not say its {key}, expected a model saved by PyMC-Marketing's save"
            )
    if told.get("link", "identity") != "identity":
        raise ValueError(f"{path}: has link {told['link']}, expected identity: its channels do not add up")
    for key, what in (("time_varying_media", "varies over time"), ("cost_per_unit", "has a cost per unit")):
        if str(told.get(key, "null")) not in ("null", "false", "None"):
            warnings.warn(f"{path}: media {what} ({key}), which its curves leave out", stacklevel=2)
    adstock, saturation = json.loads(told["adstock"]), json.loads(told["saturation"])
    model = _agree(
        path,
        model,
        PymcModel(
            name_of(saturation, "Saturation"),
            name_of(adstock, "Adstock"),
            bool(adstock.get("normalize", True)),
            adstock.get("l_max"),
            bool(json.loads(told.get("adstock_first", "true"))),
        ),
    )
    if "lookup_name" in adstock and model.adstock == "weibull_cdf" and model.l_max:
        model = replace(model, l_max=model.l_max + 1)  # 0.19 has one weight more than it says
    prefixes = {"saturation_": saturation.get("prefix"), "adstock_": adstock.get("prefix")}
    constants = open_group(path, "constant_data")
    for name in ("channel_data", "channel_scale", "target_scale"):
        if name not in constants:
            raise ValueError(
                f"{path}: has no {name} in constant_data, expected it, or a table of the posterior and "
                "scales=..."
            )
    return _saved_numbers(open_group(path, "posterior"), constants, model, prefixes)


def _agree(path: Path, asked: PymcModel, told: PymcModel) -> PymcModel:
    """What the file says, which nobody may gainsay."""
    for key in ("saturation", "adstock", "normalize", "l_max", "adstock_first"):
        mine, its = getattr(asked, key), getattr(told, key)
        if mine is not None and mine != its:
            raise ValueError(f"{path}: has {key} {its}, expected no {key}={mine}")
    return replace(told, target_scale=asked.target_scale)


def _saved_numbers(posterior: Any, constants: Any, model: PymcModel, prefixes: dict[str, Any]) -> _Fit:
    """Numbers, scales and spends by project, of the groups of a saved model."""
    import xarray

    wanted = {
        ours + name.removeprefix(f"{theirs or ours[:-1]}_"): posterior[name]
        for ours, theirs in prefixes.items()
        for name in posterior.data_vars
        if name.startswith(f"{theirs or ours[:-1]}_") and "date" not in posterior[name].dims
    }
    spent = constants["channel_data"].mean("date")
    arrays = dict(zip(wanted, xarray.broadcast(*wanted.values(), spent)[:-1], strict=True))
    units = [dim for dim in spent.dims if dim != "channel"]
    units += [d for d in next(iter(arrays.values())).dims if d not in (*units, *PLACES)]
    order = [*units, "channel"]

    def by_project(array: Any) -> dict[str, Any]:
        whole = array.broadcast_like(next(iter(arrays.values())).isel(chain=0, draw=0))
        flat = whole.stack(draws=("chain", "draw")) if "draw" in array.dims else whole
        flat = flat.stack(project=order).transpose("project", ...)
        names = [
            " ".join(map(str, key)) if isinstance(key, tuple) else str(key) for key in flat.project.values
        ]
        return dict(zip(names, flat.values, strict=True))

    spread = {name: by_project(array) for name, array in arrays.items()}
    divisors, targets = by_project(constants["channel_scale"]), by_project(constants["target_scale"])
    return _Fit(
        {p: {name: np.asarray(own[p], float) for name, own in spread.items()} for p in divisors},
        model,
        {project: float(scale) for project, scale in divisors.items()},
        {project: float(scale) for project, scale in targets.items()},
        {project: float(spend) for project, spend in by_project(spent).items()},
    )
