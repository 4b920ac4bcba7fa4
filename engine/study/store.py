"""The study store: a folder that any number of workers write to at once, and that any tool can read.

    manifest.json                            what the study is (see `engine.study.manifest`)
    inputs/<sha256>.parquet                  the files that portfolios are drawn from
    blocks/ab-00001/<name>-<sha256>.parquet  one file a finished block: a row a solver and metric
    records/ab-00001/<name>-<sha256>.parquet with run.records=true: a row a portfolio and solver of the block
    failed/<name>.json                       one file a block that could not be solved: what replays it
    logs/<host>-<process>.jsonl              what each worker did when, and how long each block took
    locks                                    no content; whoever works on a block locks a byte that is its own
    parts.json                               into how many parts blocks are split to fit each device's memory
    summary.csv, summary.parquet             once every block is there: a row a point, solver and metric
    records.parquet                          likewise, and with run.records=true: all records

A block's name is made of the hash of all that it depends on, its index and the number of its portfolios
(`Manifest.name`), so that it stays the same when the study grows. A block is written beside its place,
flushed to the disk and renamed into it, so that it is there as a whole or not at all. Its file carries the
start of its content's SHA-256: what was truncated or has a flipped bit does not match, and is computed again.
Whoever computes it writes the same file.

Locks are POSIX record locks: they end with the process that holds them, however it ends, and no clock is
asked. On a file system without locks workers may do a block twice, to the same result.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.files.folders import flush_folder, write_whole
from engine.study.growth import grow
from engine.study.manifest import Manifest, StoreError

HASH_DIGITS = 16
# A folder of a million files is slow to list.
FILES_A_FOLDER = 1000
BLOCK = re.compile(r"(?P<name>[0-9a-f]{16}-\d{8,}-\d+)-(?P<sum>[0-9a-f]{16})\.parquet")
# For the rate of a study: blocks that were finished within this time of the last one.
RECENT_SECONDS = 600.0


def _checksum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:HASH_DIGITS]


def _is_whole(name: str, data: bytes) -> bool:
    """Whether the content of a block is what its name says."""
    match = BLOCK.fullmatch(name)
    return match is not None and match["sum"] == _checksum(data)


def _place_of(name: str) -> int:
    """The byte that is locked for a block: the same however its study grows."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:15], 16)


def _keep_inputs(folder: Path, manifest: Manifest) -> None:
    """The study draws from its own copies: what becomes of the files changes nothing."""
    for path, sha in manifest.inputs.items():
        (folder / "inputs").mkdir(exist_ok=True)
        kept = folder / "inputs" / f"{sha}.parquet"
        if not kept.exists():
            shutil.copyfile(path, kept)


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
        self._blocks, self._records, self._failed = (folder / n for n in ("blocks", "records", "failed"))
        self._locks: int | None = None
        try:
            self.manifest = Manifest.read((folder / "manifest.json").read_text())
        except (FileNotFoundError, NotADirectoryError):
            raise StoreError(f"{folder}: no study, expected a folder with a manifest.json") from None
        except StoreError as error:
            raise StoreError(f"{folder} {error}") from None
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
            raise StoreError(f"{folder}/manifest.json is damaged, expected a study's manifest") from None

    @classmethod
    def open(cls, folder: Path, manifest: Manifest) -> Store:
        """The store of this study, made if need be, or grown to it.

        **Raises:** `StoreError` if the folder holds another study, naming the first setting that differs,
        or cannot be written.
        """
        try:
            if not (folder / "manifest.json").exists():
                folder.mkdir(parents=True, exist_ok=True)
                _keep_inputs(folder, manifest)
                write_whole(folder / "manifest.json", manifest.write().encode())
            store = cls(folder)
            store._grow(manifest)
            for name in ("blocks", "failed", "logs", *(["records"] if manifest.records else [])):
                (folder / name).mkdir(exist_ok=True)
            store._open_locks()
        except OSError as error:
            raise StoreError(f"run.output {folder}: cannot be written ({error.strerror})") from None
        store._clear_remains()
        return store

    def _grow(self, given: Manifest) -> None:
        """Go on as this study, if it is the same or a larger one."""
        try:
            grown = grow(self.manifest, given)
        except StoreError as error:
            raise StoreError(f"{self.folder} {error}, or another run.output") from None
        same = dataclasses.replace(grown, overrides=self.manifest.overrides) == self.manifest
        if same:
            return
        _keep_inputs(self.folder, grown)
        write_whole(self.folder / "manifest.json", grown.write().encode())
        self.manifest = grown
        for base in (self._blocks, self._records):  # what belongs to no block any more
            for path in base.glob("*/*.parquet"):
                if (match := BLOCK.fullmatch(path.name)) and grown.number(match["name"]) is None:
                    path.unlink(missing_ok=True)

    # Blocks.

    def done(self) -> dict[int, Path]:
        """The finished blocks, in order."""
        found = self._listed(self._blocks)
        if self.manifest.records:
            recorded = self._listed(self._records)
            found = {number: path for number, path in found.items() if number in recorded}
        return dict(sorted(found.items()))

    def recorded(self) -> dict[int, Path]:
        """The records of finished blocks, in order."""
        return dict(sorted(self._listed(self._records).items()))

    def _listed(self, base: Path) -> dict[int, Path]:
        found: dict[int, Path] = {}
        for folder in sorted(base.iterdir()) if base.is_dir() else ():
            found |= self._finished_in(folder)
        return found

    def holds(self, block: int) -> bool:
        """Whether a block is finished, by a look at its folder."""
        bases = [self._blocks, *([self._records] if self.manifest.records else [])]
        return all(block in self._finished_in(base / self._shelf(block)) for base in bases)

    def find(self, block: int) -> Path | None:
        """The file of a block, if it is finished."""
        return self._finished_in(self._blocks / self._shelf(block)).get(block)

    def _shelf(self, block: int) -> str:
        """The folder among the blocks': some hundred for many points, and one a thousand blocks of each."""
        task, index = self.manifest.unit(block)
        return f"{self.manifest.keys_of_tasks[task][:2]}-{index // FILES_A_FOLDER:05d}"

    def _finished_in(self, folder: Path) -> dict[int, Path]:
        try:
            names = sorted(os.listdir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return {}
        found = {}
        for name in names:
            match = BLOCK.fullmatch(name)
            number = self.manifest.number(match["name"]) if match else None
            if number is not None:
                found[number] = folder / name
        return found

    def failed(self) -> dict[int, Path]:
        """The blocks that could not be solved, in order."""
        finished = self.done()
        numbers = {path: self.manifest.number(path.stem) for path in self._failed.glob("*-*-*.json")}
        found = {number: path for path, number in numbers.items() if number is not None}
        return {number: found[number] for number in sorted(found) if number not in finished}

    def gave_up(self, block: int) -> bool:
        """Whether a block could not be solved."""
        return self._failure_of(block).exists()

    def _failure_of(self, block: int) -> Path:
        return self._failed / f"{self.manifest.name(block)}.json"

    def commit(self, block: int, table: pa.Table, records: pa.Table | None = None) -> None:
        """Add a finished block, its records first."""
        if records is not None:
            self._put(self._records, block, records)
        self._put(self._blocks, block, table)
        with contextlib.suppress(OSError):
            self._failure_of(block).unlink(missing_ok=True)

    def _put(self, base: Path, block: int, table: pa.Table) -> None:
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        data = buffer.getvalue()
        folder = base / self._shelf(block)
        if not folder.is_dir():
            folder.mkdir(exist_ok=True)
            flush_folder(base)
        write_whole(folder / f"{self.manifest.name(block)}-{_checksum(data)}.parquet", data)

    def fail(self, block: int, facts: dict[str, Any]) -> None:
        """Note that a block could not be solved."""
        write_whole(self._failure_of(block), (json.dumps(facts, indent=2) + "\n").encode())

    def read(self, path: Path) -> pa.Table:
        """A finished block, or its records.

        **Raises:** `StoreError` if its content is not what was written.
        """
        data = path.read_bytes()
        if not _is_whole(path.name, data):
            raise StoreError(f"{path}: damaged, its content does not match the checksum in its name")
        # Arrow's threads, if they are still starting when a command ends, end it by SIGABRT.
        return pq.ParquetFile(io.BytesIO(data)).read(use_threads=False)

    def drop_damaged(self) -> list[int]:
        """Remove the finished blocks whose content is not what was written; they count as not done."""
        dropped = set()
        for base in (self._blocks, self._records):
            for block, path in self._listed(base).items():
                if not _is_whole(path.name, path.read_bytes()):
                    path.unlink(missing_ok=True)
                    dropped.add(block)
        return sorted(dropped)

    # What workers tell one another and their users.

    def log(self, facts: dict[str, Any]) -> None:
        """Add a line to this worker's log; a log that cannot be written stops nothing."""
        line = json.dumps({"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **facts})
        path = self.folder / "logs" / f"{socket.gethostname()}-{os.getpid()}.jsonl"
        with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def log_seconds(self, block: int, seconds: dict[str, float]) -> None:
        """Tell how long each solver took for a block."""
        self.log({"block": self.manifest.name(block), "seconds": seconds})

    def seconds(self) -> dict[int, dict[str, float]]:
        """How long each solver took for each block, by the logs."""
        found = {}
        for path in sorted((self.folder / "logs").glob("*.jsonl")):
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                with contextlib.suppress(json.JSONDecodeError, TypeError, ValueError, AttributeError):
                    facts = json.loads(line)
                    number = self.manifest.number(facts["block"]) if "seconds" in facts else None
                    if number is not None:
                        found[number] = facts["seconds"]
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
        for base in (self._blocks, self._records):
            for path in base.glob("*/.*.part"):
                place = _place_of(path.name[1:].rsplit("-", 1)[0])
                if self._lock(place):
                    path.unlink(missing_ok=True)
                    self._unlock(place)

    # Locks.

    def _open_locks(self) -> None:
        self._locks = os.open(self.folder / "locks", os.O_RDWR | os.O_CREAT, 0o666)

    def claim(self, block: int) -> bool:
        """Take a block, unless another process has it."""
        return self._lock(_place_of(self.manifest.name(block)))

    def release(self, block: int) -> None:
        """Give a block back."""
        self._unlock(_place_of(self.manifest.name(block)))

    def _lock(self, place: int) -> bool:
        assert self._locks is not None, "a store that is only read claims nothing"
        try:
            fcntl.lockf(self._locks, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError as error:
            return error.errno not in (errno.EACCES, errno.EAGAIN)
        return True

    def _unlock(self, place: int) -> None:
        assert self._locks is not None
        with contextlib.suppress(OSError):
            fcntl.lockf(self._locks, fcntl.LOCK_UN, 1, place)

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
            for block in range(self.manifest.blocks):
                place = _place_of(self.manifest.name(block))
                try:
                    fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, place)
                    fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, place)
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
        return Progress(self.manifest.blocks, len(done), len(self.failed()), running, rate)
