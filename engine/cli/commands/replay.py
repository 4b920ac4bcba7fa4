"""`engine replay`: one block of a study again, with every portfolio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.cli.command import Command
from engine.files.shipped import MISSING


@dataclass
class ReplayConfig:
    """`engine replay`."""

    study: str = MISSING
    block: int = MISSING
    output: str | None = MISSING


def replay(config: ReplayConfig) -> None:
    """`engine replay`: solve one block of a study again, store every portfolio, show those that failed."""
    import jax
    import numpy as np

    from engine.cli.words import say, settings_text
    from engine.files.folders import open_folder, write_parquet
    from engine.simulation.blocks import Simulation
    from engine.simulation.methods import aim
    from engine.solvers.solution import Status
    from engine.study.records import tabulate_records
    from engine.study.study import open_study

    study = open_study(config.study)
    manifest = study.manifest
    if not 0 <= config.block < manifest.blocks:
        raise ValueError(f"block is {config.block}, expected one of 0 to {manifest.blocks - 1}")
    folder = open_folder(config.output or study.folder / "replay" / f"{config.block:08d}")
    with jax.enable_x64(True):
        point, index = study.point(manifest.point_of(config.block)), manifest.unit(config.block)[1]
        (block,) = Simulation(point, records=True).blocks([(point, index)])
    first, settings = index * point.block, manifest.settings_of(config.block)
    write_parquet(folder / "records.parquet", tabulate_records(settings, block, first))
    say(f"block {config.block}: {settings_text(settings)}")
    say(f"portfolios {first} to {first + block.count - 1} of seed {point.seed}")
    for solver, columns in block.records.items():
        unsolved = np.flatnonzero(columns["status"]) + first
        solved = f"{block.count - unsolved.size} of {block.count} solved"
        print(f"{solver}: {solved}{_worst_of(columns, first, aim(block.records))}")
        for portfolio in unsolved[:10]:
            status = Status(int(columns["status"][portfolio - first]))
            print(f"  portfolio {portfolio}: {status.message}")
    say(f"records in {folder}")


def _worst_of(columns: dict[str, Any], first: int, best: str) -> str:
    """Which portfolio of a block is furthest from the best, or else from its bound."""
    import numpy as np

    known = np.isfinite(columns["loss"])
    missed = np.where(known, columns["loss"], columns["gap"])
    if not np.any(np.isfinite(missed)) or np.nanmax(missed) <= 0:
        return ""
    worst = int(np.nanargmax(missed))
    what = f"the {best}" if known[worst] else "its bound"
    return f"; portfolio {first + worst} misses most, {missed[worst]:.2%} of {what}"


COMMAND = Command(
    "one block of a study again, with every portfolio",
    (
        "engine replay study=outputs/sweep/staged block=7  # the eighth block of an engine sweep",
        "engine replay study=outputs/sweep/staged block=0 output=again  # the first, into again/",
        "engine replay study=outputs/textbook/concave block=3  # of a study of engine textbook",
    ),
    ReplayConfig,
    replay,
)
