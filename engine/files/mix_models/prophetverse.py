"""Prophetverse: its effects, from a table of posterior samples, one row a draw and one column a site.

    HillEffect             m·x^s / (k^s + x^s)     half_max, slope, max_effect
    MichaelisMentenEffect  m·x / (k + x)           half_saturation, max_effect
    LogEffect              a·log(1 + b x)          log_scale, log_rate
    LinearEffect           c·x                     coefs
    GeometricAdstockEffect, chained before one of them: 1/(1 − decay) times the spend, or once if normalised

A site is CHANNEL/NAME, or CHANNEL/STEP/NAME in a chain. Effects are shares of the target's scale.

Source: Prophetverse 0.12 (`prophetverse.effects`, `posterior_samples_`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engine.files.mix_models.exports import read_rows
from engine.files.mix_models.response import Response, response_of
from engine.files.mix_models.shapes import Numbers, stretch
from engine.files.reading import AS_IT_IS, Reading
from engine.files.tables import number

EFFECTS: dict[tuple[str, ...], tuple[str, Callable[..., dict[str, Any]]]] = {
    ("half_max", "max_effect", "slope"): (
        "hill",
        lambda half_max, max_effect, slope: {"scale": max_effect, "half": half_max, "exponent": slope},
    ),
    ("half_saturation", "max_effect"): (
        "hill",
        lambda half_saturation, max_effect: {
            "scale": max_effect,
            "half": half_saturation,
            "exponent": 1.0 + 0.0 * max_effect,
        },
    ),
    ("log_rate", "log_scale"): (
        "log",
        lambda log_rate, log_scale: {"scale": log_scale, "rate": log_rate},
    ),
    ("coefs",): ("linear", lambda coefs: {"scale": coefs}),
}
NAMES = {name for effect in EFFECTS for name in effect} | {"decay"}
# Carry-over by a Weibull density, which is normalised: its sum is 1 whatever these are.
NEUTRAL = {"scale", "concentration"}
LARGEST_MULTIPLE = 10.0


def load_prophetverse(
    path: Path,
    scales: dict[str, float] | None = None,
    target_scale: float = 1.0,
    normalize: bool = False,
    how: Reading = AS_IT_IS,
) -> dict[str, Response]:
    """The channels whose effects the samples have.

    **Arguments:** `scales`, the `input_scale` of a channel's Hill effect, or what its spend was divided by;
    `target_scale`, the model's scale, times the trend for multiplicative effects; `normalize`, whether
    geometric carry-over is; `how` a table is read.

    **Raises:** `ValueError` in one line naming the file, what is wrong and what was expected.
    """
    sites: dict[str, dict[str, np.ndarray]] = {}
    rows = read_rows(path, how)
    for key in rows[0]:
        channel, _, rest = key.partition("/")
        name = rest.split("/")[-1].split("[")[0]
        if name in NAMES | NEUTRAL and not channel.startswith(("trend", "seasonality")):
            values = [number(row[key], f"{path}: {key}", finite=True) for row in rows]
            sites.setdefault(channel, {})[name] = np.array(values)
    effects = {channel: tuple(sorted(set(own) - NEUTRAL - {"decay"})) for channel, own in sites.items()}
    found = {channel: effect for channel, effect in effects.items() if effect in EFFECTS}
    if not found:
        raise ValueError(
            f"{path}: has no CHANNEL/half_max, CHANNEL/log_scale, CHANNEL/coefs, ..., expected the "
            "samples of one effect at least"
        )
    for name in scales or {}:
        if name not in found:
            raise ValueError(f"scales has channel {name!r}, expected one of {', '.join(found)}")
    responses = {}
    for channel, effect in found.items():
        shape, formula = EFFECTS[effect]
        own, divisor = sites[channel], (scales or {}).get(channel, 1.0)
        gain = _gain(f"{path}: {channel}", own) if "decay" in own and not normalize else np.ones(1)
        ours: Numbers = stretch(shape, formula(**{name: own[name] for name in effect}), gain / divisor)
        ours["scale"] = ours["scale"] * target_scale
        responses[channel] = response_of(f"{path}: {channel}", shape, ours, LARGEST_MULTIPLE * divisor, None)
    return responses


def _gain(where: str, own: dict[str, np.ndarray]) -> np.ndarray:
    decay = own["decay"]
    if np.any((decay < 0) | (decay >= 1)):
        raise ValueError(f"{where} has decay {decay.max():g}, expected shares below 1")
    return 1.0 / (1.0 - decay)
