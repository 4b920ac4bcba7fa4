"""`engine responses`: the curves of a marketing mix model in; a portfolio, and draws for a scenario, out."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.cli.command import Command
from engine.cli.words import say, suggest
from engine.files.shipped import MISSING, one_of_these


@dataclass
class ResponsesConfig:
    """`engine responses`."""

    data: str = MISSING
    source: str = one_of_these("robyn", "pymc_marketing", "meridian", "prophetverse")
    model: str | None = MISSING
    saturation: str | None = MISSING
    adstock: str | None = MISSING
    scales: str | None = MISSING
    target_scale: float | None = MISSING
    normalize: bool | None = MISSING
    l_max: int | None = MISSING
    adstock_first: bool | None = MISSING
    metric: str = MISSING
    bounds: str | None = MISSING
    bounded: bool = MISSING
    decimal: str | None = one_of_these("point", "comma")
    sheet: str | None = MISSING
    output: str = MISSING


def responses(config: ResponsesConfig) -> None:
    """`engine responses`."""
    from engine.files.folders import open_folder, write_text
    from engine.files.mix_models.response import bound, portfolio_rows, write_posterior
    from engine.files.portfolios import load_portfolio
    from engine.files.reading import Reading

    bounds = Path(config.bounds) if config.bounds else None
    responses = bound(_load(config), bounds, config.bounded, Reading(decimal=config.decimal))
    folder = open_folder(config.output)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(portfolio_rows(responses))
    write_text(folder / "portfolio.csv", text.getvalue())
    portfolio = load_portfolio(folder / "portfolio.csv")
    say(f"{portfolio.shape[-1]} channels; results in {folder}")
    drawn = all(response.draws for response in responses.values())
    if drawn:
        write_posterior(folder / "draws.parquet", responses)
    spends = [response.spend for response in responses.values()]
    budget = None if None in spends else sum(spend for spend in spends if spend is not None)
    suggest(folder, drawn=drawn, budget=budget, solver="continuous")


def _load(config: ResponsesConfig) -> dict[str, Any]:
    """The responses that the configuration names."""
    from engine.files.mix_models.meridian import load_meridian
    from engine.files.mix_models.prophetverse import load_prophetverse
    from engine.files.mix_models.pymc_marketing import PymcModel, load_pymc_marketing, load_scales
    from engine.files.mix_models.robyn import load_robyn
    from engine.files.reading import Reading

    path, how = Path(config.data), Reading(decimal=config.decimal, sheet=config.sheet)
    scale = config.target_scale
    if scale is not None and not scale > 0:
        raise ValueError(f"target_scale is {scale}, expected a number above 0")
    scales = load_scales(Path(config.scales), Reading(decimal=config.decimal)) if config.scales else {}
    if config.source == "robyn":
        return load_robyn(path, config.model, how)
    if config.source == "pymc_marketing":
        known = ("saturation", "adstock", "normalize", "l_max", "adstock_first", "target_scale")
        return load_pymc_marketing(
            path, PymcModel(**{key: getattr(config, key) for key in known}), scales, how
        )
    if config.source == "meridian":
        return load_meridian(path, config.metric, how)
    return load_prophetverse(path, scales, 1.0 if scale is None else scale, bool(config.normalize), how)


COMMAND = Command(
    "curves from Robyn, PyMC-Marketing, Meridian or Prophetverse",
    (
        "engine responses source=robyn data=robyn model=1_12_3  # Robyn's folder of results, one model of it",
        "engine responses source=pymc_marketing data=summary.csv saturation=logistic  # a table; or model.nc",
        "engine responses source=meridian data=curves.csv bounded=false  # channels without bounds",
    ),
    ResponsesConfig,
    responses,
)
