"""What the readers of all packages need: rows of a table, groups of a netCDF file, numbers above 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.files.tables import number, read_table

Row = dict[str, Any]
HDF5, NETCDF3 = b"\x89HDF\r\n\x1a\n", b"CDF"
PARQUET = (".parquet", ".pq")


def is_netcdf(path: Path) -> bool:
    """Whether a file begins as netCDF does, which is HDF5 from version 4 on."""
    return _first_bytes(path).startswith((HDF5, NETCDF3))


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4096)
    except OSError:
        return b""  # whoever reads the file next says what is wrong


def read_rows(path: Path) -> list[Row]:
    """The rows of a CSV or Parquet file, of which there is one at least.

    **Raises:** `ValueError` in one line naming the file.
    """
    if is_netcdf(path):
        raise ValueError(f"{path}: is a netCDF or HDF5 file, expected a CSV or Parquet file")
    first = _first_bytes(path)
    wide = first.startswith((b"\xff\xfe", b"\xfe\xff"))  # UTF-16 has zeros in every other place
    if path.suffix.lower() not in PARQUET and b"\0" in first and not wide:
        raise ValueError(f"{path}: is not text, expected a CSV or Parquet file")
    rows: list[Row] = read_table(path).to_pylist()
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
        raise ValueError(
            f'{path}: is netCDF, and xarray or h5netcdf is missing, expected pip install "engine[netcdf]"'
        ) from None
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
