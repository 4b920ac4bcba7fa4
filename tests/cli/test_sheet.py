"""Tables that keep within a width, whatever they hold."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.cli.sheet import Group, Sheet, fold, show

NAMES = st.text(st.sampled_from("abc._ ["), min_size=1, max_size=40).filter(str.strip)


def printed(sheet: Sheet, monkeypatch: pytest.MonkeyPatch, width: int) -> str:
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    with redirect_stdout(out):
        show(sheet)
    return out.getvalue()


def figures(columns: int, rows: int, wide: int) -> Group:
    return Group(
        [f"column {c}" for c in range(columns)],
        [[f"{r}{c}".rjust(wide, "9") for c in range(columns)] for r in range(rows)],
    )


def keys(rows: int) -> Group:
    return Group(["solver"], [[f"solver {r}"] for r in range(rows)])


def test_what_fits_is_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(Sheet(keys(2), [figures(3, 2, 6), figures(2, 2, 6)], "above", "below"), monkeypatch, 80)
    assert text.count("┏") == 1
    assert text.startswith("above\n")
    assert text.endswith("below\n")


def test_groups_that_do_not_fit_stand_below_with_their_rows_named(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(Sheet(keys(2), [figures(4, 2, 12), figures(3, 2, 12)]), monkeypatch, 80)
    assert text.count("┏") == 2
    assert text.count("solver 1") == 2
    first, second = text.split("└", 1)
    assert first.count("column") == 4
    assert second.count("column") == 3
    assert printed(Sheet(keys(2), [figures(4, 2, 12), figures(3, 2, 12)]), monkeypatch, 140).count("┏") == 1


def test_a_group_wider_than_the_page_is_split_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    text = printed(Sheet(keys(3), [figures(20, 3, 9)]), monkeypatch, 80)
    assert max(map(cell_len, text.splitlines())) <= 80
    for row in range(3):
        for column in range(20):
            assert f"{row}{column}".rjust(9, "9") in text


@given(names=st.lists(NAMES, min_size=1, max_size=4), remark=st.text("ab ", max_size=120))
def test_no_line_is_longer_than_the_page(names: list[str], remark: str) -> None:
    sheet = Sheet(
        Group(["scenario.curves.log.parameters.rate", "solver"], [[name, "exact"] for name in names]),
        [
            Group(names, [["1.2345"] * len(names) for _ in names]),
            Group(["remarks"], [[remark] for _ in names], remarks=True),
        ],
    )
    with pytest.MonkeyPatch.context() as patch:
        text = printed(sheet, patch, 80)
    assert max(map(cell_len, text.splitlines())) <= 80


def test_where_nothing_says_a_width_it_is_that_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    out = io.StringIO()
    with redirect_stdout(out):
        show(Sheet(keys(1), [figures(30, 1, 8)]))
    assert 70 < max(map(cell_len, out.getvalue().splitlines())) <= 80


def test_long_words_are_broken_where_they_are_composed() -> None:
    assert fold("multiple_choice_strongly_correlated") == "multiple_choice_\nstrongly_correlated"
    assert fold("knapsack_subset_sum") == "knapsack_subset_sum"
    assert fold("scenario.curves.log.parameters.rate") == "scenario.curves.log.\nparameters.rate"
