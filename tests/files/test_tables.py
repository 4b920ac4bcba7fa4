"""Tables as users hold them: numbers in any writing are right or refused, and columns are found."""

from __future__ import annotations

import contextlib
import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engine
from engine.files.extras import how_to_install
from engine.files.tables import Table, read_table, text_table
from tests.files.workbook import workbook


def column(cells: list[str], delimiter: str = ";", decimal: str | None = None, beside: str = "0") -> Table:
    """A table of a column `x` of these cells, and another beside it."""
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    text = "\n".join([f"x{delimiter}y", *(f"{cell}{delimiter}{beside}" for cell in quoted)])
    table = text_table(text)
    return Table(table.columns, table.places, table.unit, table.by_program, decimal)


NUMBERS: dict[str, tuple[list[str], list[float]]] = {
    "plain": (["1", "-2.5", "+3", "4e3", ".5", "6.", "-1E-2"], [1, -2.5, 3, 4000, 0.5, 6, -0.01]),
    "decimal commas": (["1,5", "200", "0,125"], [1.5, 200, 0.125]),
    "thousands by commas": (["1,500", "2,250.5", "12,345,678"], [1500, 2250.5, 12345678]),
    "thousands by points": (["1.500", "2.250,5", "12.345.678"], [1500, 2250.5, 12345678]),
    "thousands by spaces": (["1 500", "2 250,5", "12\u00a0345\u00a0678"], [1500, 2250.5, 12345678]),
    "thousands by apostrophes": (["1'500", "2’250.5"], [1500, 2250.5]),
    "two commas show the point": (["1,500", "1,500,000"], [1500, 1500000]),
    "a nought shows the comma": (["1,500", "0,750"], [1.5, 0.75]),
    "percent": (["45 %", "7%", "12.5%", "0"], [0.45, 0.07, 0.125, 0]),
    "percent with commas": (["45,5 %", "7%"], [0.455, 0.07]),
    "dollars": (["$1,500.50", "-$20", "$ 3"], [1500.5, -20, 3]),
    "euros": (["1.500,50 €", "20 €", "−3 €"], [1500.5, 20, -3]),
    "blanks": (["1", "", "NA", "n/a", "NaN", "null", "None"], [1, *[math.nan] * 6]),
    "infinity": (["inf", "-inf"], [math.inf, -math.inf]),
}


@pytest.mark.parametrize("what", NUMBERS)
def test_numbers_as_people_write_them(what: str) -> None:
    cells, expected = NUMBERS[what]
    np.testing.assert_array_equal(column(cells).numbers("x"), expected)


def test_what_could_be_either_is_decided_by_the_other_columns() -> None:
    np.testing.assert_array_equal(column(["1,500", "2,500"], beside="0,5").numbers("x"), [1.5, 2.5])
    np.testing.assert_array_equal(column(["1,500", "2,500"], beside="0.5").numbers("x"), [1500, 2500])
    np.testing.assert_array_equal(column(["1.500", "2.500"], beside="0,5").numbers("x"), [1500, 2500])
    # A word beside says nothing, though a number stands in it.
    with pytest.raises(ValueError, match="decimal=point or decimal=comma"):
        column(["1,500", "2,500"], beside="v 0.5").numbers("x")


@pytest.mark.parametrize("cells", [["1,500"], ["1,500", "200"], ["1,500", "12,000"], ["-1,500 €"]])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_what_no_cell_decides_is_refused_until_the_user_does(cells: list[str], delimiter: str) -> None:
    with pytest.raises(ValueError, match=r"column x has '.*', which is a thousand times another"):
        column(cells, delimiter).numbers("x")
    first = column(cells, delimiter, "point").numbers("x")[0]
    assert abs(first) == 1500
    assert column(cells, delimiter, "comma").numbers("x")[0] == first / 1000


def test_a_point_is_decimal_between_commas_and_unclear_between_semicolons() -> None:
    np.testing.assert_array_equal(column(["1.500", "2.250"], ",").numbers("x"), [1.5, 2.25])
    with pytest.raises(ValueError, match=r"column x has '1\.500'"):
        column(["1.500", "2.250"], ";").numbers("x")


WRONG = {
    "both marks": (["1,5", "1.5"], "column x mixes decimal points and commas, expected one of them"),
    "a word": (["1", "many"], "line 3: x is 'many', expected a number"),
    "groups of two": (["1,5", "1.50.00,5"], "line 3: x is '1.50.00,5', expected a number"),
    "two currencies": (["$1", "1 €"], "column x mixes $ and €, expected one of them"),
    "percent and not": (["45%", "0.45"], "column x has '0.45' among percentages, expected a % sign"),
    "Python's own": (["1_000"], "line 2: x is '1_000', expected a number"),
    "a date": (["2024-01-02"], "line 2: x is '2024-01-02', expected a number"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_number_is_one_line(what: str) -> None:
    cells, message = WRONG[what]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        column(cells).numbers("x")
    assert str(caught.value) == message


WRITERS = {
    "point": lambda value: f"{value:,.{DIGITS}f}",
    "comma": lambda value: f"{value:,.{DIGITS}f}".translate(str.maketrans(",.", ".,")),
    "spaces": lambda value: f"{value:,.{DIGITS}f}".translate(str.maketrans(",.", " ,")),
}
DIGITS = 3


@pytest.mark.parametrize("how", WRITERS)
@given(values=st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=6))
def test_numbers_are_never_wrong_by_a_thousand(how: str, values: list[int]) -> None:
    """Whatever is written with groups and three digits is read as it was meant, or refused."""
    meant = np.array(values) / 10**DIGITS
    cells = [WRITERS[how](value) for value in meant]
    if max(np.abs(meant)) < 1000:  # a larger one is written with a group and a mark
        with contextlib.suppress(ValueError):
            np.testing.assert_array_equal(column(cells).numbers("x"), meant)
    else:
        np.testing.assert_array_equal(column(cells).numbers("x"), meant)


def test_a_quoted_cell_may_hold_delimiters_quotes_and_line_ends() -> None:
    table = text_table('a,"b, c","d ""e"""\n1,"x, y","two\nlines"\n2,,z\n')
    assert list(table.columns) == ["a", "b, c", 'd "e"']
    assert table.columns["b, c"] == ["x, y", ""]
    assert table.columns['d "e"'] == ["two\nlines", "z"]
    assert [table.place(row) for row in range(2)] == ["line 3", "line 4"]


def test_delimiters_are_told_apart_by_the_rows_where_the_header_does_not() -> None:
    assert list(text_table("a, b\tc, d\n1\t2\n3\t4\n").columns) == ["a, b", "c, d"]
    assert list(text_table("a;b, c\n1;2\n").columns) == ["a", "b, c"]
    assert list(text_table("sep=|\na|b\n1|2\n").columns) == ["a", "b"]


RECORDS = [{"project": "a", "effort": 1, "performance": 0.5}, {"project": "b", "effort": 2}]
JSON = {
    "records": json.dumps(RECORDS),
    "lines": "\n".join(map(json.dumps, RECORDS)),
    "an object that holds them": json.dumps({"best": None, "steps": 2, "log_history": RECORDS, "tags": []}),
    "lists by name": json.dumps({"project": ["a", "b"], "effort": [1, 2], "performance": [0.5, None]}),
}


@pytest.mark.parametrize("what", JSON)
def test_json(tmp_path: Path, what: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(JSON[what])
    table = read_table(path)
    assert table.words("project")[0] == ["a", "b"]
    np.testing.assert_array_equal(table.numbers("effort"), [1, 2])
    np.testing.assert_array_equal(table.numbers("performance"), [0.5, math.nan])


NO_JSON = {
    "text": ("effort: 3", "line 1: is not JSON"),
    "a broken line": ('{"a": 1}\n{"a": \n', "line 2: is not JSON"),
    "a number": ("3", "holds no table, expected records"),
    "numbers": ("[1, 2]", "holds no table, expected records"),
    "nothing": (" \n", "is empty, expected records"),
    "too deep": ("[" * 100_000, "is n"),
}


@pytest.mark.parametrize("what", NO_JSON)
def test_json_that_is_none_is_one_line(tmp_path: Path, what: str) -> None:
    path = tmp_path / "t.json"
    path.write_text(NO_JSON[what][0])
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        read_table(path)
    assert str(caught.value).startswith(f"{path}: {NO_JSON[what][1]}")
    assert "\n" not in str(caught.value)


SPREADSHEET = Path(__file__).parent / "measurements.xlsx"


def test_a_spreadsheet(tmp_path: Path) -> None:
    """The second sheet of a workbook of openpyxl 3.1, the first being empty; blank rows, percent formats."""
    pytest.importorskip("python_calamine")
    table = read_table(SPREADSHEET)
    assert list(table.columns) == ["Project", "Effort", "Performance", "Comment"]
    names, codes = table.words("Project")
    assert names == ["1", "on"]
    np.testing.assert_array_equal(codes, [0, 0, 1, 1])
    np.testing.assert_array_equal(table.numbers("Effort"), [100, 200, 100, 200.5])
    np.testing.assert_array_equal(table.numbers("Performance"), [0.5, 0.75, 0.25, 1])
    assert [table.place(row) for row in range(4)] == ["row 3", "row 4", "row 6", "row 7"]
    (tmp_path / "bad.xlsx").write_bytes(b"PK, but not really")
    with pytest.raises(ValueError, match=r"bad\.xlsx: is no spreadsheet \("):
        read_table(tmp_path / "bad.xlsx")


PLAN = [["project", "family", "scale", "rate"], ["a", "log", "2", "0.5"]]
COSTS = [["project", "family", "scale", "rate"], ["b", "log", "3", "0.5"]]


def test_a_sheet_is_named_or_numbered_and_said(tmp_path: Path) -> None:
    pytest.importorskip("python_calamine")
    path = tmp_path / "book.xlsx"
    path.write_bytes(workbook(notes=[], plan=PLAN, **{"2": COSTS, "last one": PLAN}))
    assert read_table(path).notes == (
        "reads sheet plan of notes, plan, 2, last one; sheet=... names another",
    )
    for sheet, project in {"plan": "a", "2": "b", 3: "b", 4: "a", "last one": "a", None: "a"}.items():
        table = read_table(path, sheet=sheet)
        assert table.words("project")[0] == [project]
        assert (table.notes == ()) == (sheet is not None)
    said = {
        "Plan": "has no sheet 'Plan', saw notes, plan, 2, last one, did you mean plan?",
        "0": "has no sheet '0', saw notes, plan, 2, last one",
        5: "has no sheet '5', saw notes, plan, 2, last one",
        "notes": "sheet notes is empty, expected a header and rows",
    }
    for sheet, line in said.items():
        with pytest.raises(ValueError, match=r".") as error:
            read_table(path, sheet=sheet)
        assert str(error.value) == f"{path}: {line}"
    path.write_bytes(workbook(notes=[], plan=PLAN))
    assert read_table(path).notes == ()


def test_a_sheet_of_what_has_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    with pytest.raises(ValueError, match=r"t.csv: sheet is 1, expected none: only .xlsx, .* have sheets"):
        read_table(tmp_path / "t.csv", sheet=1)
    with pytest.raises(ValueError, match=r"sheet is 'x', expected none for a data frame"):
        engine.portfolio_from(pa.table({"project": ["a"]}), sheet="x")


def test_a_spreadsheet_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    wanted = re.escape(f"python-calamine is missing, expected {how_to_install('excel')}")
    with pytest.raises(ValueError, match=wanted):
        read_table(SPREADSHEET)


def test_parquet_of_what_is_no_number_is_one_line(tmp_path: Path) -> None:
    columns: dict[str, Any] = {
        "lists": [[1], [2]],
        "times": pa.array([0, 1], pa.timestamp("s")),
        "bools": [True, False],
        "texts": ["1,5", "2,5"],
        "codes": pa.array(["3", "4"]).dictionary_encode(),
        "wholes": pa.array([1, None], pa.int8()),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    for name in ("lists", "times", "bools"):
        with pytest.raises(ValueError, match=f"column {name} holds .*, expected numbers"):
            table.numbers(name)
    np.testing.assert_array_equal(table.numbers("texts"), [1.5, 2.5])
    np.testing.assert_array_equal(table.numbers("codes"), [3, 4])
    np.testing.assert_array_equal(table.numbers("wholes"), [1, math.nan])


def test_rows_of_a_table_have_numbers_as_python_writes_them() -> None:
    table = text_table("channel;spend;note\nTV;1.500,5;a, b\nRadio;20,0;1,5 or so\n")
    assert table.to_pylist() == [
        {"channel": "TV", "spend": "1500.5", "note": "a, b"},
        {"channel": "Radio", "spend": "20.0", "note": "1,5 or so"},
    ]
