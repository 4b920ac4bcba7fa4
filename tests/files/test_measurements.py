"""Measurements as users hold them: what is read is right, what is wrong is one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.files.measurements import Measurements, load_measurements

PLAIN = "project,effort,performance\na,1,0.5\na,2,0.75\nb,1,0.25\nb,4,1\nb,2,0.5\n"


def read(folder: Path, text: str | bytes, name: str = "data.csv") -> Measurements:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_measurements(path)


def check_plain(found: Measurements) -> None:
    assert found.names == ("a", "b")
    np.testing.assert_array_equal(found.counts, [2, 3])
    np.testing.assert_array_equal(found.effort, [[1, 2, 0], [1, 2, 4]])
    np.testing.assert_array_equal(found.performance, [[0.5, 0.75, 0], [0.25, 0.5, 1]])


SAME = {
    "commas": PLAIN.encode(),
    "a byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "utf-16": PLAIN.encode("utf-16"),
    "windows line ends": PLAIN.replace("\n", "\r\n").encode(),
    "tabs": PLAIN.replace(",", "\t").encode(),
    "semicolons": PLAIN.replace(",", ";").encode(),
    "decimal commas": PLAIN.replace(",", ";").replace(".", ",").encode(),
    "quotes": PLAIN.replace("a,", '"a",').encode(),
    "spaces around names": PLAIN.replace("a,", " a ,").encode(),
    "blank lines before": b"\n\n" + PLAIN.encode(),
    "other columns": "\n".join(
        f"{line},{'replicate' if i == 0 else i}" for i, line in enumerate(PLAIN.splitlines())
    ).encode(),
}


@pytest.mark.parametrize("what", SAME)
def test_the_same_data_however_they_are_written(tmp_path: Path, what: str) -> None:
    check_plain(read(tmp_path, SAME[what]))


def test_parquet(tmp_path: Path) -> None:
    columns = {
        "project": list("aabbb"),
        "effort": [1, 2, 1, 4, 2],
        "performance": [0.5, 0.75, 0.25, 1.0, 0.5],
    }
    pq.write_table(pa.table(columns), tmp_path / "data.parquet")
    check_plain(load_measurements(tmp_path / "data.parquet"))


def test_latin_names(tmp_path: Path) -> None:
    found = read(tmp_path, "project,effort,performance\nKöln,1,2\nKöln,2,3\n".encode("latin-1"))
    assert found.names == ("Köln",)


def test_replicates_are_averaged_by_their_weights_and_errors(tmp_path: Path) -> None:
    text = "project,effort,performance,weight,standard_error\na,1,1,1,0.1\na,1,4,2,0.2\na,2,5,1,0.1\n"
    found = read(tmp_path, text)
    np.testing.assert_allclose(found.performance, [[3.0, 5.0]])
    # Weights of 3 and 1, mean squares of the errors of .025 and .01.
    np.testing.assert_allclose(found.weight, [[3 / 0.025, 1 / 0.01]])


def test_duplicate_rows_are_replicates(tmp_path: Path) -> None:
    rows = PLAIN.splitlines()
    with pytest.warns(UserWarning, match=r"effort of [ab] falls back and repeats.* say restarts=continue"):
        check_plain(read(tmp_path, "\n".join([*rows, *rows[1:]])))


def test_ten_million_rows(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    project = random.integers(0, 50, 10_000_000)
    effort = random.integers(1, 20, 10_000_000).astype(float)
    table = {"project": pa.array(project).cast(pa.string()), "effort": effort, "performance": np.log(effort)}
    pq.write_table(pa.table(table), tmp_path / "many.parquet")
    found = load_measurements(tmp_path / "many.parquet", restarts="average")
    assert found.effort.shape == (50, 19)
    np.testing.assert_allclose(found.performance, np.log(found.effort), rtol=1e-12)
    assert found.weight.sum() == 10_000_000


BAD = {
    "empty": ("", "is empty"),
    "only a header": ("project,effort,performance\n", "has no rows"),
    "a missing column": ("project,effort\na,1\n", "has no column performance"),
    "no number": ("project,effort,performance\na,1,x\n", "line 2: performance is 'x', expected a number"),
    "blanks": ("project,effort,performance\na,1,\na,,2\n", "has no row with both effort"),
    "not a number": ("project,effort,performance\na,1,nan\n", "has no row with both effort and perform"),
    "infinite": (
        "project,effort,performance\na,1,2\n\na,inf,2\n",
        "line 4 has effort inf, expected",
    ),
    "negative effort": ("project,effort,performance\na,-1,2\n", "line 2 has effort -1, expected a number of"),
    "no project": ("project,effort,performance\n,1,2\n", "line 2 has no project"),
    "no error": (
        "project,effort,performance,standard_error\na,1,2,0\n",
        "standard_error 0, expected a number above",
    ),
    "weight": ("project,effort,performance,weight\na,1,2,-1\n", "weight -1, expected a number above 0"),
    "too few cells": (
        "project,effort,performance\na,1\n",
        "line 2: has 2 cells, expected 3 as in the header",
    ),
    "both decimals": ("project;effort;performance\na;1,5;2\na;1.5;2\n", "mixes decimal points and commas"),
    "binary": (b"\x89PNG\x00\xff\xfe\x00\x00", "is not text"),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_wrong_is_one_line_with_its_place(tmp_path: Path, what: str) -> None:
    text, expected = BAD[what]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        read(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "data.csv"))
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        load_measurements(tmp_path / "none.csv")
    (tmp_path / "none.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"none\.parquet"):
        load_measurements(tmp_path / "none.parquet")
