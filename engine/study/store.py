"""The study store: a folder that any number of workers write to at once, and that any tool can read.

    manifest.json                            what the study is: configuration, hash, versions, device
    blocks/00001/00001234-<sha256>.parquet   one file a finished block: a row a solver and metric
    failed/00001234.json                     one file a block that could not be solved: what replays it
    logs/<host>-<process>.jsonl              what each worker did when, and how long each block took
    locks                                    no content; its byte n is locked by whoever works on block n
    parts.json                               into how many parts blocks are split to fit each device's memory
    summary.csv, summary.parquet             once every block is there: a row a point, solver and metric

A block is written beside its place, flushed to the disk and renamed into it, so that it is there as a whole
or not at all. Its name carries the start of its content's SHA-256: what was truncated or has a flipped bit
does not match, and is computed again. What a block holds depends on the manifest and its number alone:
whoever computes it writes the same file.

Locks are POSIX record locks: they end with the process that holds them, however it ends, and no clock is
asked. On a file system without locks workers may do a block twice, to the same result.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.files.folders import flush_folder, write_whole

HASH_DIGITS = 16


# A folder of a million files is slow to list.
FILES_A_FOLDER = 1000


BLOCK = re.compile(r"(\d{8,})-([0-9a-f]{16})\.parquet")


# For the rate of a study: blocks that were finished within this time of the last one.
RECENT_SECONDS = 600.0


class StoreError(ValueError):
    """A study folder that cannot be used as asked; one line that names it."""


def canonical(facts: Any) -> str:
    """The JSON of plain data that is the same for the same data."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(facts: Any) -> str:
    """The SHA-256 of plain data."""
    return hashlib.sha256(canonical(facts).encode()).hexdigest()


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:HASH_DIGITS]


def _is_whole(name: str, data: bytes) -> bool:
    """Whether the content of a block is what its name says."""
    match = BLOCK.fullmatch(name)
    return match is not None and match[2] == _checksum(data)


@dataclass(frozen=True)
class Progress:
    """How far a study is: numbers of blocks, and the rate of late in blocks per second (0: not known)."""

    blocks: int
    done: int
    failed: int
    running: int
    rate: float

    @property
    def left(self) -> int:
        """Blocks still to do."""
        return self.blocks - self.done - self.failed

    @property
    def seconds_left(self) -> float:
        """At the rate of late; NaN where that is not known."""
        return self.left / self.rate if self.rate > 0 else (0.0 if not self.left else float("nan"))


class Store:
    """A study's folder.

    **Raises:** `StoreError` if it holds no study, or one that this engine cannot read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blocks, self._failed = folder / "blocks", folder / "failed"
        self._locks: int | None = None
        try:
            self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
            assert isinstance(self.manifest["blocks"], int)
        except FileNotFoundError:
            raise StoreError(f"{folder}: no study, expected a folder with a manifest.json") from None
        except (json.JSONDecodeError, KeyError, TypeError, AssertionError, UnicodeDecodeError):
            raise StoreError(f"{folder}/manifest.json is damaged, expected a study's manifest") from None

    @classmethod
    def open(cls, folder: Path, manifest: dict[str, Any]) -> Store:
        """The store of this study, made if need be.

        **Raises:** `StoreError` if the folder holds another study, naming the first setting that differs,
        or cannot be written.
        """
        try:
            for name in ("blocks", "failed", "logs"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            if not (folder / "manifest.json").exists():
                text = json.dumps(manifest, indent=2, allow_nan=False) + "\n"
                write_whole(folder / "manifest.json", text.encode())
            store = cls(folder)
            store._open_locks()
        except OSError as error:
            raise StoreError(f"run.output {folder}: cannot be written ({error.strerror})") from None
        if difference := first_difference(store.manifest["config"], manifest["config"]):
            key, there, given = difference
            raise StoreError(
                f"{folder} holds a study of {key}={there}, got {key}={given}: expected the same, or another "
                "run.output"
            )
        store._clear_remains()
        return store

    # Blocks.

    def done(self) -> dict[int, Path]:
        """The finished blocks, in order."""
        found: dict[int, Path] = {}
        for folder in sorted(self._blocks.iterdir()):
            found |= self._finished_in(folder)
        return dict(sorted(found.items()))

    def holds(self, block: int) -> bool:
        """Whether a block is finished, by a look at its folder."""
        return block in self._finished_in(self._folder_of(block))

    def _folder_of(self, block: int) -> Path:
        return self._blocks / f"{block // FILES_A_FOLDER:05d}"

    def _finished_in(self, folder: Path) -> dict[int, Path]:
        try:
            names = sorted(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return {int(match[1]): folder / match[0] for n in names if (match := BLOCK.fullmatch(n))}

    def failed(self) -> dict[int, Path]:
        """The blocks that could not be solved."""
        finished = self.done()
        paths = sorted(self._failed.glob("*.json"))
        return {int(path.stem): path for path in paths if int(path.stem) not in finished}

    def gave_up(self, block: int) -> bool:
        """Whether a block could not be solved."""
        return self._failure_of(block).exists()

    def _failure_of(self, block: int) -> Path:
        return self._failed / f"{block:08d}.json"

    def commit(self, block: int, table: pa.Table) -> None:
        """Add a finished block."""
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        data = buffer.getvalue()
        name = f"{block:08d}-{_checksum(data)}.parquet"
        folder = self._folder_of(block)
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            flush_folder(self._blocks)
        write_whole(folder / name, data)
        with contextlib.suppress(OSError):
            self._failure_of(block).unlink(missing_ok=True)

    def fail(self, block: int, facts: dict[str, Any]) -> None:
        """Note that a block could not be solved."""
        write_whole(self._failure_of(block), (json.dumps(facts, indent=2) + "\n").encode())

    def read(self, path: Path) -> pa.Table:
        """A finished block.

        **Raises:** `StoreError` if its content is not what was written.
        """
        data = path.read_bytes()
        if not _is_whole(path.name, data):
            raise StoreError(f"{path}: damaged, its content does not match the checksum in its name")
        # Arrow's threads, if they are still starting when a command ends, end it by SIGABRT.
        return pq.ParquetFile(io.BytesIO(data)).read(use_threads=False)

    def drop_damaged(self) -> list[int]:
        """Remove the finished blocks whose content is not what was written; they count as not done."""
        dropped = []
        for block, path in self.done().items():
            if not _is_whole(path.name, path.read_bytes()):
                path.unlink(missing_ok=True)
                dropped.append(block)
        return dropped

    # What workers tell one another and their users.

    def log(self, facts: dict[str, Any]) -> None:
        """Add a line to this worker's log; a log that cannot be written stops nothing."""
        line = json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **facts})
        path = self.folder / "logs" / f"{socket.gethostname()}-{os.getpid()}.jsonl"
        with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def seconds(self) -> dict[int, dict[str, float]]:
        """How long each solver took for each block, by the logs."""
        found = {}
        for path in sorted((self.folder / "logs").glob("*.jsonl")):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(json.JSONDecodeError, TypeError):
                    facts = json.loads(line)
                    if "seconds" in facts:
                        found[facts["block"]] = facts["seconds"]
        return found

    def parts(self, device: str) -> int:
        """Into how many parts a block is split to fit this device's memory, as far as is known."""
        try:
            return int(json.loads((self.folder / "parts.json").read_text())[device])
        except (OSError, ValueError, KeyError, TypeError):
            return 1

    def remember_parts(self, device: str, parts: int) -> None:
        """Tell later workers into how many parts a block is to be split."""
        known: dict[str, int] = {}
        with contextlib.suppress(OSError, ValueError):
            known = dict(json.loads((self.folder / "parts.json").read_text()))
        write_whole(self.folder / "parts.json", json.dumps({**known, device: parts}).encode())

    def _clear_remains(self) -> None:
        """Remove what writers left that were killed; a writer that lives holds the lock of its block."""
        for path in self._blocks.glob("*/.*.part"):
            block = int(path.name[1:9])
            if self.claim(block):
                path.unlink(missing_ok=True)
                self.release(block)

    # Locks.

    def _open_locks(self) -> None:
        self._locks = os.open(self.folder / "locks", os.O_RDWR | os.O_CREAT, 0o666)

    def claim(self, block: int) -> bool:
        """Take a block, unless another process has it."""
        assert self._locks is not None, "a store that is only read claims nothing"
        try:
            fcntl.lockf(self._locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, block)
        except OSError as error:
            return error.errno not in (errno.EACCES, errno.EAGAIN)
        return True

    def release(self, block: int) -> None:
        """Give a block back."""
        assert self._locks is not None
        with contextlib.suppress(OSError):
            fcntl.lockf(self._locks, fcntl.LOCK_UN, 1, block)

    def close(self) -> None:
        """Let go of all locks."""
        if self._locks is not None:
            os.close(self._locks)
            self._locks = None

    def running(self) -> Iterator[int]:
        """The blocks that other processes have taken, by trying their locks.

        Closing a file drops this process's own locks on it, so this is for stores that are only read.
        """
        assert self._locks is None, "a store that is written to does not ask who else writes"
        try:
            descriptor = os.open(self.folder / "locks", os.O_RDWR)
        except OSError:
            return
        try:
            for block in range(self.manifest["blocks"]):
                try:
                    fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, block)
                    fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, block)
                except OSError:
                    yield block
        finally:
            os.close(descriptor)

    def progress(self) -> Progress:
        """How far the study is, whoever works on it."""
        done = self.done()
        times = sorted(path.stat().st_mtime for path in done.values())
        recent = [t for t in times if times[-1] - t <= RECENT_SECONDS]
        span = recent[-1] - recent[0] if recent else 0.0
        idle = time.time() - times[-1] if times else 0.0
        # A study that nobody works on, or a clock that was set back, has no rate.
        rate = (len(recent) - 1) / span if span > 0 and 0 <= idle <= RECENT_SECONDS else 0.0
        running = sum(block not in done for block in self.running())
        return Progress(self.manifest["blocks"], len(done), len(self.failed()), running, rate)


NOTHING = "nothing"


def first_difference(there: Any, given: Any, where: str = "") -> tuple[str, str, str] | None:
    """(key, what is there, what is given) of the first setting that differs, in the order of the keys."""
    if canonical(there) == canonical(given):
        return None
    if isinstance(there, dict) or isinstance(given, dict):
        one, other = (side if isinstance(side, dict) else {} for side in (there, given))
        for key in sorted({*one, *other}):
            inner = f"{where}.{key}" if where else key
            if found := first_difference(one.get(key, NOTHING), other.get(key, NOTHING), inner):
                return found
    show = lambda value: value if isinstance(value, str) else canonical(value)  # noqa: E731
    return where, show(there), show(given)
