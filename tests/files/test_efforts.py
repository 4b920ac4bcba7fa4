"""Plans of one's own as files: read, or refused in one line."""

from __future__ import annotations

import warnings
from pathlib import Path

import pandas as pd
import pytest

from engine import load_efforts

PLAN = {"search": 10.0, "ads": 2.5}
SAME = {
    "plan.csv": "project,effort\nsearch,10\nads,2.5\n",
    "capitals.csv": "Project;Effort\nsearch;10\nads;2,5\n",
    "plan.yaml": "search: 10\nads: 2.5\n",
    "answer.yaml": "effort: {search: 10, ads: 2.5}\nvalue: 3\n",
    "plan.json": '[{"project": "search", "effort": 10}, {"project": "ads", "effort": 2.5}]',
}


@pytest.mark.parametrize("name", SAME)
def test_each_kind_of_file_says_the_same(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(SAME[name])
    assert load_efforts(tmp_path / name) == PLAN


def test_frames_and_columns_of_other_names() -> None:
    frame = pd.DataFrame({"Channel": ["search", "ads"], "Spend": [10_000, 2_500]})
    columns = {"project": "Channel", "effort": "Spend"}
    assert load_efforts(frame, columns=columns, effort_unit=1000) == PLAN


WRONG = {
    "p.csv": ("project,units\na,1\n", "has no column effort, saw project, units"),
    "q.csv": ("project,effort\na,1\na,2\n", "line 3: project a occurs twice"),
    "r.csv": ("project,effort\na,\n", "line 2: a has no effort"),
    "s.csv": ("project,effort\na,much\n", "effort is 'much', expected a number"),
    "t.yaml": ("- a\n- b\n", "has no mapping of project names to efforts"),
    "u.yaml": ("a: much\n", "a: effort is 'much', expected a finite number"),
    "v.yaml": ("a: [1\n", "is not YAML"),
    "w.yaml": ("a: 1\na: 2\n", "a occurs twice"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be(name: str, tmp_path: Path) -> None:
    text, words = WRONG[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=words) as error, warnings.catch_warnings():
        load_efforts(tmp_path / name)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(ValueError, match=r"none\.yaml: cannot be read"):
        load_efforts("none.yaml")
