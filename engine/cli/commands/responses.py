"""`engine responses`: the curves of a marketing mix model in; a portfolio, and draws for a scenario, out."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.cli.command import Command
from engine.cli.words import say, suggest
from engine.files.shipped import MISSING


@dataclass
class ResponsesConfig:
    """`engine responses`."""

    data: str = MISSING
    source: str = MISSING
    model: str | None = MISSING
    saturation: str | None = MISSING
    scales: str | None = MISSING
    target_scale: float = MISSING
    normalize: bool = MISSING
    l_max: int | None = MISSING
    metric: str = MISSING
    output: str = MISSING


def responses(config: ResponsesConfig) -> None:
    """`engine responses`."""
    from engine.files.folders import open_folder, write_text
    from engine.files.mix_models import portfolio_rows, write_posterior
    from engine.files.portfolios import load_portfolio

    responses = _load(config)
    folder = open_folder(config.output)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(portfolio_rows(responses))
    write_text(folder / "portfolio.csv", text.getvalue())
    portfolio = load_portfolio(folder / "portfolio.csv")
    say(f"{portfolio.shape[-1]} channels; results in {folder}")
    drawn = all(response.draws for response in responses.values())
    if drawn:
        write_posterior(folder / "draws.parquet", responses)
    suggest(folder, drawn=drawn)


def _load(config: ResponsesConfig) -> dict[str, Any]:
    """The responses that the configuration names."""
    from engine.files.mix_models import (
        SOURCES,
        PymcScales,
        load_meridian,
        load_pymc_marketing,
        load_robyn,
        load_scales,
    )

    path = Path(config.data)
    if config.source == "robyn":
        return load_robyn(path, config.model)
    if config.source == "pymc_marketing":
        if not config.target_scale > 0:
            raise ValueError(f"target_scale is {config.target_scale}, expected a number above 0")
        channels = load_scales(Path(config.scales)) if config.scales else {}
        scales = PymcScales(channels, config.target_scale)
        return load_pymc_marketing(path, config.saturation, scales, config.normalize, config.l_max)
    if config.source == "meridian":
        return load_meridian(path, config.metric)
    raise ValueError(f"unknown source {config.source!r}, expected one of {', '.join(SOURCES)}")


COMMAND = Command(
    "curves from Robyn, PyMC-Marketing or Meridian",
    "engine responses source=robyn data=FOLDER",
    ResponsesConfig,
    responses,
)
