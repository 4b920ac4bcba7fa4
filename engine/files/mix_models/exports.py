"""What the readers of all packages need: rows of a table, groups of a netCDF file, numbers above 0."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from engine.files.extras import how_to_install
from engine.files.reading import AS_IT_IS, Reading
from engine.files.tables import number, read_table

Row = dict[str, Any]
HDF5, NETCDF3 = b"\x89HDF\r\n\x1a\n", b"CDF"


def is_netcdf(path: Path) -> bool:
    """Whether a file begins as netCDF does, which is HDF5 from version 4 on."""
    return _first_bytes(path).startswith((HDF5, NETCDF3))


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4096)
    except OSError:
        return b""  # whoever reads the file next says what is wrong


def read_rows(path: Path, how: Reading = AS_IT_IS) -> list[Row]:
    """The rows of a table, of which there is one at least.

    **Arguments:** `how`, whose `decimal` and `sheet` are heeded.

    **Raises:** `ValueError` in one line naming the file.
    """
    if is_netcdf(path):
        raise ValueError(f"{path}: is a netCDF or HDF5 file, expected a table")
    table = read_table(path, how.decimal, how.sheet)
    for note in table.notes:
        warnings.warn(f"{path}: {note}", stacklevel=2)
    try:
        rows: list[Row] = table.to_pylist()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if not rows:
        raise ValueError(f"{path}: has no rows, expected one at least")
    return rows


def open_group(path: Path, group: str | None = None) -> Any:
    """One group of a netCDF file as an `xarray.Dataset` in memory; the root without a name.

    **Raises:** `ValueError` in one line, without `engine[netcdf]` too.
    """
    try:
        import h5netcdf  # noqa: F401
        import xarray
    except ImportError:
        what = f"{path}: is netCDF, and xarray or h5netcdf is missing"
        raise ValueError(f"{what}, expected {how_to_install('netcdf')}") from None
    try:
        with xarray.open_dataset(path, group=group, engine="h5netcdf") as data:
            return data.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0][:80]
        place = f"group {group}" if group else "its root"
        raise ValueError(f"{path}: {place} cannot be read ({reason}), expected netCDF with it") from None


def positive(row: Row, key: str, path: Path) -> float:
    """The number above 0 in this column."""
    if key not in row:
        raise ValueError(f"{path}: has no column {key}, expected a number above 0")
    value = number(row[key], f"{path}: {key}", finite=True)
    if value <= 0:
        raise ValueError(f"{path}: {key} is {value:g}, expected a number above 0")
    return value


def is_blank(cell: Any) -> bool:
    """Whether a cell says nothing: empty, NaN or R's NA."""
    return cell is None or cell != cell or str(cell).strip().lower() in ("", "na", "nan")
