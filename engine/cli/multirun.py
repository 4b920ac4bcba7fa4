"""What `--multirun` leaves: Hydra makes a folder before it looks at a job, which is kept for launchers."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

_begun: list[Path] = []


class Noted(Callback):
    """Hydra tells where the folder of a multirun will be: `hydra.callbacks` of `configs/quiet.yaml`."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Remember the folder."""
        _begun.append(Path(config.hydra.sweep.dir).absolute())


@contextlib.contextmanager
def leaving_nothing_unused() -> Iterator[None]:
    """Remove the folder of a multirun afterwards, unless a launcher has kept a file there: commands write
    elsewhere, and one that is refused leaves nothing."""
    _begun.clear()
    try:
        yield
    finally:
        for folder in _begun:
            if all(path.is_dir() or path == folder / "multirun.yaml" for path in folder.rglob("*")):
                shutil.rmtree(folder, ignore_errors=True)
                with contextlib.suppress(OSError):  # up to the first that holds something else
                    for each in folder.parents:
                        if each == Path.cwd() or each in Path.cwd().parents:
                            break
                        each.rmdir()
