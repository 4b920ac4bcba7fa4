"""`engine replay`: one block of a sweep again, with every portfolio."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.cli.command import Command
from engine.files.shipped import MISSING


@dataclass
class ReplayConfig:
    """`engine replay`."""

    study: str = MISSING
    block: int = MISSING
    output: str | None = None


def replay(config: ReplayConfig) -> None:
    """`engine replay`: solve one block of a study again, store every portfolio, show those that failed."""
    import jax
    import numpy as np

    from engine.cli.compose import stored_sweep
    from engine.cli.words import say, settings_text
    from engine.files.folders import open_folder
    from engine.simulation.blocks import Simulation
    from engine.solvers.solution import Status
    from engine.study.records import Records
    from engine.study.store import Store

    store = Store(Path(config.study))
    blocks = store.manifest["blocks"]
    if not 0 <= config.block < blocks:
        raise ValueError(f"block is {config.block}, expected one of 0 to {blocks - 1}")
    folder = open_folder(config.output or store.folder / "replay" / f"{config.block:08d}")
    with jax.enable_x64(True):
        sweep = stored_sweep(store)
        study, index = sweep.unit(config.block)
        simulation = Simulation(study, records=True)
        (block,) = simulation.blocks([(study, index)])
        with Records(folder) as records:
            records.append(block, index * study.block)
    say(f"block {config.block}: {settings_text(sweep.settings[config.block // sweep.blocks_per_point])}")
    say(f"portfolios {index * study.block} to {index * study.block + block.count - 1} of seed {study.seed}")
    for solver, columns in block.records.items():
        unsolved = np.flatnonzero(columns["status"]) + index * study.block
        solved = f"{block.count - unsolved.size} of {block.count} solved"
        print(f"{solver}: {solved}{_worst_of(columns, index * study.block)}")
        for portfolio in unsolved[:10]:
            status = Status(int(columns["status"][portfolio - index * study.block]))
            print(f"  portfolio {portfolio}: {status.message}")
    say(f"records in {folder}")


def _worst_of(columns: dict[str, Any], first: int) -> str:
    """Which portfolio of a block is furthest from the optimum, or else from its bound."""
    import numpy as np

    known = np.isfinite(columns["loss"])
    missed = np.where(known, columns["loss"], columns["gap"])
    if not np.any(np.isfinite(missed)) or np.nanmax(missed) <= 0:
        return ""
    worst = int(np.nanargmax(missed))
    what = "the optimum" if known[worst] else "its bound"
    return f"; portfolio {first + worst} misses most, {missed[worst]:.2%} of {what}"


COMMAND = Command(
    "one block of a sweep again, with every portfolio",
    "engine replay study=FOLDER block=7",
    ReplayConfig,
    replay,
)
