"""`engine status`: how far a study is, also while it runs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

from engine.cli.command import Command
from engine.cli.words import blocks_text, settings_text, time_text
from engine.files.shipped import MISSING


@dataclass
class StudyConfig:
    """`engine status`."""

    study: str = MISSING


def status(config: StudyConfig) -> None:
    """`engine status`."""
    from engine.study.store import Store

    store = Store(Path(config.study))
    progress = store.progress()
    rate = progress.rate * store.manifest.block
    manifest = store.manifest
    each = manifest.blocks_per_point * len(manifest.groups)
    print(f"{store.folder}: {manifest.points} point{'s' * (manifest.points > 1)} of {blocks_text(each)}")
    print(f"done      {progress.done:,} of {blocks_text(progress.blocks)}")
    print(f"to do     {progress.left:,}, {progress.running:,} of them in hand")
    print(f"failed    {progress.failed:,}")
    if progress.left:
        known = not math.isnan(progress.seconds_left)
        time_left = (
            f"{rate:,.0f} portfolios/s, {time_text(progress.seconds_left)} left" if known else "not known"
        )
        print(f"rate      {time_left}")
    for block, path in store.failed().items():
        print(f"failed block {block}: {_error_of(path)}")


def _error_of(path: Path) -> str:
    from engine.study.manifest import StoreError

    try:
        facts = json.loads(path.read_text())
        return f"{settings_text(facts['settings'])}: {facts['error']}"
    except (OSError, ValueError, KeyError):
        raise StoreError(f"{path} is damaged, expected what a worker noted of a block") from None


COMMAND = Command(
    "how far a study is, also while it runs",
    (
        "engine status study=outputs/sweep/staged  # of an engine sweep",
        "engine status study=outputs/sweep/textbook  # of another scenario",
        "engine status study=outputs/textbook/concave  # of a study of engine textbook",
    ),
    StudyConfig,
    status,
)
