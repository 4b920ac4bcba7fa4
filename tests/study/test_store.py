"""The store keeps whole blocks through damage, crashes, full disks and several writers."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from engine.files import folders
from engine.files.folders import write_whole
from engine.study.grid import Grid
from engine.study.growth import first_difference
from engine.study.manifest import Manifest, StoreError, digest
from engine.study.store import Store

BLOCKS = 12


def manifest(blocks: int = BLOCKS, solver: tuple[str, ...] = ("greedy",), **run: Any) -> Manifest:
    """Of one point with so many blocks of 10 portfolios."""
    common = {"portfolios": 10 * blocks, "block": 10, "seed": 0, "dtype": "float64", "records": False}
    config = {"run": common | run, "solver": {name: {} for name in solver}}
    return Manifest("run", config, Grid(()), (solver,))


def table(block: int) -> pa.Table:
    return pa.table({"block": [block] * 3, "value": [1.0, 2.0, float(block)]})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "study", manifest())


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert Manifest.read(manifest().write()) == manifest()


def test_what_is_committed_is_read_back(tmp_path: Path) -> None:
    store = Store.open(tmp_path / "study", manifest(blocks=1004))
    for block in (3, 1, 1003):
        store.commit(block, table(block))
    done = store.done()
    assert list(done) == [1, 3, 1003], "in order, whatever the order they came in"
    for block, path in done.items():
        assert store.read(path).equals(table(block))
        assert store.holds(block)
    assert not store.holds(2)


def test_the_same_block_is_the_same_file(store: Store) -> None:
    store.commit(5, table(5))
    (before,) = store.done().values()
    store.commit(5, table(5))
    assert list(store.done().values()) == [before]
    assert len(list(before.parent.iterdir())) == 1


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "a flipped bit at the start": lambda data: bytes([data[0] ^ 1]) + data[1:],
    "a flipped bit in the middle": lambda data: (
        data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 16]) + data[len(data) // 2 + 1 :]
    ),
    "a flipped bit at the end": lambda data: data[:-1] + bytes([data[-1] ^ 128]),
    "longer": lambda data: data + b"\0",
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_blocks_are_noticed_and_dropped(store: Store, what: str) -> None:
    for block in range(4):
        store.commit(block, table(block))
    path = store.done()[2]
    path.write_bytes(DAMAGE[what](path.read_bytes()))
    with pytest.raises(StoreError, match="does not match the checksum"):
        store.read(path)
    assert store.drop_damaged() == [2]
    assert list(store.done()) == [0, 1, 3]
    store.commit(2, table(2))
    assert store.drop_damaged() == []


def test_failed_blocks_count_as_failed_until_they_are_done(store: Store) -> None:
    store.fail(4, {"error": "not finite"})
    assert list(store.failed()) == [4]
    assert store.gave_up(4)
    assert json.loads(store.failed()[4].read_text()) == {"error": "not finite"}
    store.commit(4, table(4))
    assert store.failed() == {}


def test_another_study_is_refused_by_the_key_that_differs(store: Store) -> None:
    with pytest.raises(StoreError, match=r"holds a study of run\.seed=0, got run\.seed=7"):
        Store.open(store.folder, manifest(seed=7))
    with pytest.raises(StoreError, match=r"solver\.greedy=\{\}, got solver\.greedy=nothing"):
        Store.open(store.folder, manifest(solver=("exact",)))
    with pytest.raises(StoreError, match=r"run\.portfolios=120, got run\.portfolios=110"):
        Store.open(store.folder, manifest(blocks=BLOCKS - 1))
    Store.open(store.folder, manifest())


def test_differences_are_found_wherever_they_are() -> None:
    there = {"a": {"b": [1, 2]}, "c": 1.0}
    assert first_difference(there, {"a": {"b": [1, 2]}, "c": 1}) == ("c", "1.0", "1")
    assert first_difference(there, {"a": {"b": [1, 3]}, "c": 1.0}) == ("a.b", "[1,2]", "[1,3]")
    assert first_difference(there, json.loads(json.dumps(there))) is None
    assert digest(there) == digest({"c": 1.0, "a": {"b": [1, 2]}})


def test_another_format_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format": 1, "config": {}, "blocks": 3}')
    with pytest.raises(StoreError, match=r"is a study of format 1, expected 2") as caught:
        Store(tmp_path)
    assert str(caught.value).startswith(str(tmp_path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"config": 1}', "\xff"])
def test_a_damaged_manifest_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(StoreError, match=r"manifest\.json is damaged"):
        Store(tmp_path)


def test_a_folder_without_a_study_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no study"):
        Store(tmp_path)


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        Store.open(tmp_path / "file", manifest())


def test_a_full_disk_leaves_what_was_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.commit(0, table(0))

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(folders.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.commit(1, table(1))
    monkeypatch.undo()
    assert list(store.done()) == [0]
    assert list(store.folder.rglob("*.part")) == []
    assert store.read(store.done()[0]).equals(table(0))


def test_a_file_is_there_as_a_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_whole(path, b"before")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "cut")))
    with pytest.raises(OSError, match="cut"):
        write_whole(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def _hold(folder: Path, block: int, ready: Any, leave: Any) -> None:
    store = Store.open(folder, manifest())
    assert store.claim(block)
    ready.set()
    leave.wait(30)
    os._exit(0)  # as if killed: nothing is released by us


def test_a_claim_keeps_others_away_and_ends_with_its_process(store: Store) -> None:
    context = multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(store.folder, 3, ready, leave))
    other.start()
    assert ready.wait(30)
    assert not store.claim(3)
    assert store.claim(4)
    store.close()
    assert list(Store(store.folder).running()) == [3]
    leave.set()
    other.join(30)
    again = Store.open(store.folder, manifest())
    assert again.claim(3)


def test_remains_of_killed_writers_are_cleared_and_those_of_living_ones_are_not(store: Store) -> None:
    folder = store.folder / "blocks" / "ab-00000"
    folder.mkdir(parents=True)
    (folder / f".{store.manifest.name(3)}-abc.parquet.99999.part").write_bytes(b"half")
    Store.open(store.folder, manifest())
    assert list(folder.iterdir()) == []


def test_progress_counts_and_knows_a_rate(store: Store) -> None:
    for block in range(6):
        store.commit(block, table(block))
        path = store.done()[block]
        moment = path.stat().st_mtime - 10.0 * (6 - block)
        os.utime(path, (moment, moment))
    store.fail(7, {"error": ""})
    store.close()
    progress = Store(store.folder).progress()
    assert (progress.blocks, progress.done, progress.failed, progress.left) == (BLOCKS, 6, 1, 5)
    assert progress.rate == pytest.approx(0.1, rel=0.05)
    assert progress.seconds_left == pytest.approx(50.0, rel=0.05)


@pytest.mark.parametrize("shift", [-1e6, 1e6])
def test_a_clock_that_jumps_only_hides_the_rate(store: Store, shift: float) -> None:
    for block in range(4):
        store.commit(block, table(block))
        path = store.done()[block]
        moment = path.stat().st_mtime + (shift if block >= 2 else 0.0) + block
        os.utime(path, (moment, moment))
    store.close()
    progress = Store(store.folder).progress()
    assert progress.done == 4
    assert progress.rate == 0.0


def test_logs_tell_what_took_how_long_and_survive_half_a_line(store: Store) -> None:
    store.log_seconds(2, {"exact": 0.5})
    store.log({"message": "ends"})
    (path,) = (store.folder / "logs").iterdir()
    with path.open("a") as file:
        file.write(f'{{"block": "{store.manifest.name(3)}", "seco')
    assert store.seconds() == {2: {"exact": 0.5}}


def test_other_tools_read_the_blocks(store: Store) -> None:
    import pandas as pd
    import polars as pl

    for block in range(3):
        store.commit(block, table(block))
    assert len(pd.read_parquet(store.folder / "blocks")) == 9
    assert pl.read_parquet(f"{store.folder}/blocks/*/*.parquet")["value"].sum() == 9.0 + 0 + 1 + 2


def test_parts_are_remembered_for_a_device(store: Store) -> None:
    assert store.parts("cpu") == 1
    store.remember_parts("cpu", 4)
    store.remember_parts("gpu", 2)
    assert Store(store.folder).parts("cpu") == 4
    (store.folder / "parts.json").write_text("{")
    assert store.parts("cpu") == 1


def test_a_read_only_folder_is_one_line() -> None:
    with pytest.raises(StoreError, match="cannot be written"):  # not even root writes there
        Store.open(Path("/proc/study"), manifest())
