"""Logs of spending: read by row, refused by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import engine
from engine.files.spending import load_spending

LOG = """project,period,effort,seen
search,1,10,2.5
ads,1,5,
search,2,7.5,3
search,0,4,
"""
NAMES = ("ads", "search", "video")


def written(folder: Path, text: str) -> Path:
    path = folder / "log.csv"
    path.write_text(text)
    return path


def test_a_log_by_period(tmp_path: Path) -> None:
    log = load_spending(written(tmp_path, LOG))
    assert log.last == 2
    found = log.by_period(NAMES, 3)
    np.testing.assert_array_equal(found.effort, [[0, 4, 0], [5, 10, 0], [0, 7.5, 0], [0, 0, 0]])
    assert found.seen[1, 1] == 2.5
    assert found.seen[2, 1] == 3
    assert np.isnan(found.seen).sum() == 10
    assert np.all(np.isnan(found.error))


def test_a_log_of_nothing(tmp_path: Path) -> None:
    log = load_spending(written(tmp_path, "project,period,effort,seen\n"))
    assert log.last == 0
    assert not log.by_period(NAMES, 3).effort.any()


def test_columns_units_and_direction_are_as_of_other_tables(tmp_path: Path) -> None:
    path = written(tmp_path, "Run;Week;Tokens;Loss;Std Error\nsearch;1;2e9;2,5;0,1\nads;1;0;;\n")
    columns = {
        "project": "Run",
        "period": "Week",
        "effort": "Tokens",
        "seen": "Loss",
        "standard_error": "Std Error",
    }
    log = load_spending(path, columns=columns, effort_unit=1e9, direction="down")
    assert log.project == ("search", "ads")
    np.testing.assert_array_equal(log.effort, [2.0, 0.0])
    np.testing.assert_array_equal(log.seen, [-2.5, np.nan])
    np.testing.assert_array_equal(log.error, [0.1, np.nan])


def test_a_data_frame_is_a_log() -> None:
    frame = pd.DataFrame({"project": ["ads"], "period": [1], "effort": [3.0], "seen": [None]})
    log = load_spending(frame)
    assert log.project == ("ads",)
    assert np.isnan(log.seen[0])
    with pytest.raises(ValueError, match=r"^row 1 has effort -3, expected a number of at least 0$"):
        load_spending(frame.assign(effort=-3.0))


def test_a_period_without_a_row_is_said(tmp_path: Path) -> None:
    path = written(tmp_path, "project,period,effort,seen,who\nads,1,3,1,me\nads,3,3,1,me\n")
    with pytest.warns(UserWarning, match=r"log\.csv: ") as said:
        engine.load_spending(path)
    texts = [str(each.message) for each in said]
    assert texts == [
        f"{path}: ignores column who",
        f"{path}: has no row of period 2: nothing was spent then",
    ]


HEADER = "project,period,effort,seen,standard_error\n"
BAD = {
    "a fraction of a period": (
        "ads,1.5,3,,",
        "line 2 has period 1.5, expected a whole number from 1 to 1,000",
    ),
    "a negative period": ("ads,-1,3,,", "line 2 has period -1, expected a whole number"),
    "no period": ("ads,,3,,", "line 2 has no period, expected a whole number"),
    "no project": (",1,3,,", "line 2 has no project, expected its name"),
    "no effort": ("ads,1,,1,", "line 2 has no effort, expected a number of at least 0"),
    "negative effort": ("ads,1,-3,,", "line 2 has effort -3, expected a number of at least 0"),
    "infinite effort": ("ads,1,inf,,", "line 2 has effort inf, expected a number of at least 0"),
    "seen without effort": ("ads,1,0,2,", "line 2 has seen 2 and no effort, expected none"),
    "seen before the plan": ("ads,0,3,2,", "line 2 has seen 2 in period 0, expected none"),
    "seen without end": ("ads,1,3,inf,", "line 2 has seen inf, expected a finite number"),
    "an error of nothing": ("ads,1,3,2,0", "line 2 has standard_error 0, expected a number above 0"),
    "a word for effort": ("ads,1,much,2,", "line 2: effort is 'much', expected a number"),
    "twice": (
        "ads,1,3,2,\nsearch,1,1,,\nads,1,4,2,",
        "line 4 has ads in period 1 again, expected one row a project and period: see line 2",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_what_cannot_be_names_file_and_row(tmp_path: Path, what: str) -> None:
    rows, named = BAD[what]
    path = written(tmp_path, f"{HEADER}{rows}\n")
    with pytest.raises(ValueError, match=r"log\.csv") as refused:
        load_spending(path)
    assert str(refused.value).startswith(f"{path}: {named}")


def test_what_the_plan_does_not_have_names_file_and_row(tmp_path: Path) -> None:
    path = written(tmp_path, LOG)
    log = load_spending(path)
    with pytest.raises(ValueError, match=r"log.csv: line 2 has project search, .* did you mean searching\?$"):
        log.by_period(("ads", "searching"), 3)
    with pytest.raises(
        ValueError, match=r"log.csv: line 4 has period 2, the plan has 1: expected one of them"
    ):
        log.by_period(NAMES, 1)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "project,week,effort,seen\nads,1,3,1\n")
    with pytest.raises(ValueError, match=r"log.csv: has no column period, .* columns.period=week"):
        load_spending(path)
    with pytest.raises(ValueError, match="restarts is 'continue', expected none"):
        load_spending(path, restarts="continue")
