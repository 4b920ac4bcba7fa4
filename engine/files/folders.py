"""Folders that commands write into, and whole files in them."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def open_folder(path: str | Path, key: str = "output") -> Path:
    """The folder that a key of the configuration names, made if need be and known to be writable.

    **Raises:** `ValueError` naming the key and the folder, if it cannot be written.
    """
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"{key} {folder}: cannot be written ({error.strerror})") from None
    return folder


def check_folder(path: str | Path, key: str = "output") -> None:
    """Know that `open_folder` could make this folder, and leave no trace of it.

    **Raises:** `ValueError` naming the key and the folder, if it cannot be written.
    """
    folder = Path(path)
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    open_folder(folder, key)
    with contextlib.suppress(OSError):  # somebody else has begun to use it
        for each in missing:
            each.rmdir()


def write_text(path: Path, text: str) -> None:
    """Write a whole file, or leave what was there."""
    write_whole(path, text.encode())


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write a whole file, or leave what was there."""
    data = pa.BufferOutputStream()
    pq.write_table(table, data)
    write_whole(path, data.getvalue().to_pybytes())


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there as a whole or not at all, also after a power cut.

    **Raises:** `OSError`; what is there stays as it was.
    """
    if path.exists() and not path.is_file():  # a device would be replaced by a file
        raise OSError(errno.EINVAL, "cannot be written, it is no file", str(path))
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise
    flush_folder(path.parent)


def flush_folder(folder: Path) -> None:
    """What a folder lists is on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
