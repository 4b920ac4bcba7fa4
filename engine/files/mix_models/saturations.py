"""PyMC-Marketing's saturations and carry-overs by its own names, 0.19 and 1.3 (`mmm.transformers`).

    logistic                 β·(1 − e^(−λx)) / (1 + e^(−λx))
    inverse_scaled_logistic  the same, with ln 3/λ for λ
    tanh                     b·tanh(x / (b c))
    tanh_baselined           β·(g x₀/r)·tanh(artanh(r)·x/x₀)
    michaelis_menten         α·x / (λ + x)
    hill                     β·x^s / (κ^s + x^s)
    hill_sigmoid             σ/(1 + e^(−β(x − λ))) − σ/(1 + e^(βλ))
    root                     β·x^α
    log                      β·log(1 + x), 1.x only
    no_saturation            β·x

Weights of carry-over at lag l < L: geometric α^l; delayed α^((l − θ)²); binomial (1 − l/(L + 1))^(1/α − 1);
weibull_pdf its density at l + 1, brought to [0, 1]; weibull_cdf the products of its survivals. From 1.x a
half-life h may stand for α: 2^(−1/h), and 2^(−1/h²) in the delayed one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.files.mix_models.shapes import Numbers

LONGEST_CARRY_OVER = 10_000


@dataclass(frozen=True)
class Saturation:
    """The numbers it has in files, its shape, and that shape's numbers from them."""

    needs: tuple[str, ...]
    shape: str
    numbers: Callable[..., dict[str, Any]]


SATURATIONS = {
    "logistic": Saturation(
        ("lam", "beta"),
        "logistic",
        lambda lam, beta: {"scale": beta, "rate": lam, "midpoint": 0.0 * lam},
    ),
    "inverse_scaled_logistic": Saturation(
        ("lam", "beta"),
        "logistic",
        lambda lam, beta: {"scale": beta, "rate": np.log(3.0) / lam, "midpoint": 0.0 * lam},
    ),
    "tanh": Saturation(
        ("b", "c"),
        "logistic",
        lambda b, c: {"scale": b, "rate": 2.0 / (b * c), "midpoint": 0.0 * b},
    ),
    "tanh_baselined": Saturation(
        ("x0", "gain", "r", "beta"),
        "logistic",
        lambda x0, gain, r, beta: {
            "scale": beta * gain * x0 / r,
            "rate": 2.0 * np.arctanh(r) / x0,
            "midpoint": 0.0 * r,
        },
    ),
    "michaelis_menten": Saturation(
        ("alpha", "lam"),
        "hill",
        lambda alpha, lam: {"scale": alpha, "half": lam, "exponent": 1.0 + 0.0 * lam},
    ),
    "hill": Saturation(
        ("slope", "kappa", "beta"),
        "hill",
        lambda slope, kappa, beta: {"scale": beta, "half": kappa, "exponent": slope},
    ),
    "hill_sigmoid": Saturation(
        ("sigma", "beta", "lam"),
        "logistic",
        lambda sigma, beta, lam: {
            "scale": sigma / (1.0 + np.exp(-beta * lam)),
            "rate": beta,
            "midpoint": lam,
        },
    ),
    "root": Saturation(("alpha", "beta"), "root", lambda alpha, beta: {"scale": beta, "exponent": alpha}),
    "log": Saturation(("beta",), "log", lambda beta: {"scale": beta, "rate": 1.0 + 0.0 * beta}),
    "no_saturation": Saturation(("beta",), "linear", lambda beta: {"scale": beta}),
}
# The numbers that each carry-over has in files; the first three may have a half-life for alpha.
ADSTOCKS = {
    "geometric": {"alpha"},
    "binomial": {"alpha"},
    "delayed": {"alpha", "theta"},
    "weibull_pdf": {"lam", "k"},
    "weibull_cdf": {"lam", "k"},
    "no_adstock": set(),
}


def choose_saturation(where: str, present: set[str], named: str | None) -> tuple[str, Saturation]:
    """(name, saturation): the one that is named, or the only one that has these numbers.

    **Raises:** `ValueError` that begins with `where`, if there is none, or several have them.
    """
    if named is not None and named not in SATURATIONS:
        raise ValueError(f"unknown saturation {named!r}, expected one of {', '.join(SATURATIONS)}")
    fit = [name for name, saturation in SATURATIONS.items() if set(saturation.needs) == present]
    if named is None and len(fit) == 1:
        named = fit[0]
    if named is None and fit:
        raise ValueError(
            f"{where}: has saturation {', '.join(sorted(present))}, which {' and '.join(fit)} share, "
            "expected saturation=... to name one"
        )
    if named is None:
        raise ValueError(
            f"{where}: has saturation {', '.join(sorted(present))}, expected the numbers of one of "
            f"{', '.join(SATURATIONS)}"
        )
    return named, SATURATIONS[named]


def choose_adstock(where: str, present: set[str], named: str | None) -> str:
    """The carry-over that is named, or the only one that has these numbers.

    **Raises:** as `choose_saturation` does.
    """
    if named is not None and named not in ADSTOCKS:
        raise ValueError(f"unknown adstock {named!r}, expected one of {', '.join(ADSTOCKS)}")
    present = {"alpha" if name == "halflife" else name for name in present}
    fit = [name for name, needs in ADSTOCKS.items() if needs == present]
    if named is None and len(fit) != 1:
        some = " or ".join(fit) or ", ".join(ADSTOCKS)
        raise ValueError(
            f"{where}: has adstock {', '.join(sorted(present)) or 'numbers of none'}, which may be {some}, "
            "expected adstock=... to name it"
        )
    named = named or fit[0]
    if missing := ADSTOCKS[named] - present:
        raise ValueError(f"{where}: has no adstock_{min(missing)}, which {named} carry-over needs")
    return named


def carry_over(adstock: str, numbers: Numbers, l_max: int | None) -> Any:
    """How many times a steady budget counts after un-normalised carry-over over `l_max` periods, by draw.

    **Raises:** `ValueError` in one line, without a number of periods.
    """
    if adstock == "no_adstock":
        return 1.0
    if l_max is None or not 1 <= l_max <= LONGEST_CARRY_OVER:
        raise ValueError(f"l_max is {l_max}, expected the adstock's number of periods, from 1")
    lag = np.arange(l_max, dtype=float)
    values = {name: numbers[name][:, None] for name in numbers}
    if "halflife" in values:
        values["alpha"] = 2.0 ** (-1.0 / values["halflife"] ** (2 if adstock == "delayed" else 1))
    if adstock == "geometric":
        weights = values["alpha"] ** lag
    elif adstock == "binomial":
        weights = (1.0 - lag / (l_max + 1.0)) ** (1.0 / values["alpha"] - 1.0)
    elif adstock == "delayed":
        weights = values["alpha"] ** ((lag - values["theta"]) ** 2)
    else:
        weights = _weibull(adstock, values["lam"], values["k"], lag)
    return np.sum(weights, axis=1)


def _weibull(adstock: str, lam: np.ndarray, k: np.ndarray, lag: np.ndarray) -> np.ndarray:
    hazard = ((lag + 1.0) / lam) ** k
    if adstock == "weibull_cdf":
        survival = np.exp(-hazard[:, :-1])
        return np.cumprod(np.concatenate([np.ones_like(lam), survival], axis=1), axis=1)
    density = k / (lag + 1.0) * hazard * np.exp(-hazard)
    low, high = density.min(axis=1, keepdims=True), density.max(axis=1, keepdims=True)
    return (density - low) / (high - low)


def name_of(transformation: dict[str, Any], kind: str) -> str:
    """The name of a transformation as a saved model describes it: `lookup_name` in 0.19, its class in 1.x."""
    if "lookup_name" in transformation:
        return str(transformation["lookup_name"])
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+", str(transformation.get("__type__", "")).split(".")[-1])
    name = "_".join(word.lower() for word in words if word != kind)
    return f"no_{kind.lower()}" if name == "no" else name
