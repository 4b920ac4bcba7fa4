"""Portfolio files: what they may hold, that it equals what Python builds, and every error in one line."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.files.bets import load_bet
from engine.files.portfolios import load_portfolio
from engine.model.curves.base import Curve
from engine.model.curves.concave import Exponential, Log, Power, PureLog
from engine.model.curves.mixture import Mixture
from engine.model.curves.s_shaped import Hill, Logistic, Weibull
from engine.model.curves.staged import Lifecycle, Tabulated
from engine.model.portfolio import Portfolio
from engine.model.validation import normalise

SHIPPED = Path(__file__).parents[2] / "configs" / "portfolios"
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a portfolio file of given text or bytes."""

    def write_file(text: str | bytes, name: str = "portfolio.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write_file


EFFORTS = (0.0, 0.5, 1.0, 3.3, 8.0, 25.0, 400.0)


def assert_same(found: Portfolio, expected: Portfolio) -> None:
    """Equal parts, and equal returns and gains at several efforts."""
    expected = normalise(expected)
    assert found.shape == expected.shape
    assert found.dtype == np.float64
    for name in Portfolio.optional_fields():
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert (ours is None) == (theirs is None), name
        if ours is not None:
            np.testing.assert_array_equal(ours, theirs, err_msg=name)
    both = jax.jit(lambda p, x: (p.returns(x), p.gain(x), p.slope(x)))
    for effort in EFFORTS:
        x = jnp.full(found.shape, effort)
        for ours, theirs in zip(both(found, x), both(expected, x), strict=True):
            # Compiled apart, exp and log may round otherwise.
            np.testing.assert_allclose(ours, theirs, rtol=1e-14, atol=1e-14)


def assert_projects(together: Portfolio, alone: tuple[Curve, ...]) -> None:
    """Every project of a portfolio has the values, slopes and gains of a curve that stands alone."""
    rows = np.array(EFFORTS)[:, None]
    every = jax.jit(jax.vmap(lambda c, x: (c.value(x), c.slope(x), c.gain(x)), in_axes=(None, 0)))
    found = every(together.curves, np.tile(rows, len(alone)))
    expected = zip(*(every(curve, rows) for curve in alone), strict=True)
    for ours, theirs in zip(found, expected, strict=True):
        # Compiled apart, log may round otherwise; differences of table values round absolutely.
        np.testing.assert_allclose(ours, np.concatenate(theirs, axis=1), rtol=1e-14, atol=1e-14)


def full(*numbers: float) -> np.ndarray:
    return np.array(numbers, float)


# CSV, one row a project.


def test_shipped_textbook_portfolio_loads() -> None:
    portfolio = load_portfolio(SHIPPED / "textbook.csv")
    assert isinstance(portfolio.curves, PureLog)
    assert portfolio.shape == (5,)
    assert portfolio.names[0] == "dynamic pricing"
    np.testing.assert_array_equal(portfolio.curves.scale, [25, 30, 12, 20, 13])
    np.testing.assert_array_equal(portfolio.reach, np.full(5, 140.0))


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.*")), ids=lambda path: path.name)
def test_every_shipped_portfolio_loads_without_a_warning(path: Path) -> None:
    assert load_bet(path).shape[-1] >= 1


ONE_FAMILY: dict[str, tuple[str, str, Curve]] = {
    "log": ("scale,rate", "2,0.5;30,0.1", Log(full(2, 30), full(0.5, 0.1))),
    "purelog": ("scale,rate", "2,0.5;30,0.1", PureLog(full(2, 30), full(0.5, 0.1))),
    "power": (
        "scale,exponent,shift",
        "2,0.5,1;-3,-0.7,4",
        Power(full(2, -3), full(0.5, -0.7), full(1, 4)),
    ),
    "exponential": ("rate,scale", "2,0.5;30,0.1", Exponential(full(0.5, 0.1), full(2, 30))),
    "hill": ("scale,half,exponent", "2,5,3;9,20,0.5", Hill(full(2, 9), full(5, 20), full(3, 0.5))),
    "weibull": ("scale,rate,exponent", "2,5,3;9,.02,0.5", Weibull(full(2, 9), full(5, 0.02), full(3, 0.5))),
    "logistic": (
        "scale,rate,midpoint",
        "2,.5,3;9,.2,-0.5",
        Logistic(full(2, 9), full(0.5, 0.2), full(3, -0.5)),
    ),
}


@pytest.mark.parametrize("family", ONE_FAMILY)
def test_csv_of_each_family_is_its_constructor(write: Write, family: str) -> None:
    columns, cells, curve = ONE_FAMILY[family]
    rows = [f"P{i},{family},{row}" for i, row in enumerate(cells.split(";"))]
    portfolio = load_portfolio(write("\n".join([f"project,family,{columns}", *rows])))
    assert type(portfolio.curves) is type(curve)
    assert portfolio.names == ("P0", "P1")
    assert_same(portfolio, Portfolio(curve))


def test_csv_of_several_families_is_a_mixture(write: Write) -> None:
    portfolio = load_portfolio(
        write("""\
project,family,scale,rate,half,exponent,baseline,weight,cost,lower,upper,startup,success,curvature,threshold
A,hill,9,,20,2.5,,2,,,,,,,
B,log,2,0.5,,,1.5,,3,1,10,,,,
C,hill,4,,10,0.5,-1,,,,,2,0.5,,
D,exponential,7,0.2,,,,,,,,,,0.1,2
""")
    )
    assert isinstance(portfolio.curves, Mixture)
    assert [f.family for f in portfolio.curves.families] == ["log", "exponential", "hill"]
    assert portfolio.curves.choice.tolist() == [2, 0, 2, 1]
    curves = Mixture(
        (
            Log(full(1, 2, 1, 1), full(1, 0.5, 1, 1), full(0, 1.5, 0, 0)),
            Exponential(full(1, 1, 1, 7), full(1, 1, 1, 0.2)),
            Hill(full(9, 1, 4, 1), full(20, 1, 10, 1), full(2.5, 1, 0.5, 1), full(0, 0, -1, 0)),
        ),
        np.array([2, 0, 2, 1]),
    )
    expected = Portfolio(
        curves,
        weight=full(2, 1, 1, 1),
        cost=full(1, 3, 1, 1),
        lower=full(0, 1, 0, 0),
        upper=full(math.inf, 10, math.inf, math.inf),
        startup=full(0, 0, 2, 0),
        success=full(1, 1, 0.5, 1),
        curvature=full(0, 0, 0, 0.1),
        threshold=full(-math.inf, -math.inf, -math.inf, 2),
    )
    assert_same(portfolio, expected)


def test_blank_columns_are_absent_parts(write: Write) -> None:
    portfolio = load_portfolio(write("project,family,scale,rate,weight,cost\nA,log,1,1,,\nB,log,2,1,,\n"))
    assert all(getattr(portfolio, name) is None for name in Portfolio.optional_fields())
    assert portfolio.curves.baseline is None


STAGED = """\
project,family,start,base,scale,rate
A,lifecycle,0;5.5;20.25,0;1;2.5,0.5;1.5;4,2;0.5;0.125
B,lifecycle,2.5;6.5;30,-0.5;0.25;0,1;2;3,1;0.25;2
"""


def test_csv_lifecycle_takes_semicolons(write: Write) -> None:
    portfolio = load_portfolio(write(STAGED))
    curve = Lifecycle(
        start=np.array([[0, 5.5, 20.25], [2.5, 6.5, 30.0]]),
        base=np.array([[0, 1, 2.5], [-0.5, 0.25, 0]]),
        scale=np.array([[0.5, 1.5, 4], [1.0, 2, 3]]),
        rate=np.array([[2, 0.5, 0.125], [1, 0.25, 2]]),
    )
    assert_same(portfolio, Portfolio(curve))


def test_projects_may_have_different_numbers_of_stages(write: Write) -> None:
    together = load_portfolio(
        write("""\
project,family,start,base,scale,rate
A,lifecycle,0; 5.5; 20.25,0;1;2.5,0.5;1.5;4,2;0.5;0.125
B,lifecycle,2.5;6.5,-0.5;0.25,1;2,1;0.25
C,lifecycle,3,1,2,0.5
""")
    )
    alone = (
        Lifecycle([[0, 5.5, 20.25]], [[0, 1, 2.5]], [[0.5, 1.5, 4]], [[2, 0.5, 0.125]]),
        Lifecycle([[2.5, 6.5]], [[-0.5, 0.25]], [[1, 2]], [[1, 0.25]]),
        Lifecycle([[3]], [[1]], [[2]], [[0.5]]),
    )
    assert_projects(together, alone)


@pytest.mark.parametrize(
    ("effort", "expected"),
    # A is in its third stage from 20.25 on; B in its second and last from some 6.5 on; C in its only one.
    [(1.0, [False, False, False]), (10.0, [False, True, True]), (60.0, [True, True, True])],
)
def test_project_of_fewer_stages_reaches_its_own_last_one(
    write: Write, effort: float, expected: list[bool]
) -> None:
    """The frontier is a project's own last stage, however many the others have."""
    portfolio = load_portfolio(
        write("""\
project,family,start,base,scale,rate
A,lifecycle,0;5.5;20.25,0;1;9.5,0.5;1.5;4,2;0.5;0.125
B,lifecycle,2.5;6.5,-0.5;2.25,1;2,1;0.25
C,lifecycle,3,1,2,0.5
""")
    )
    _, frontier = portfolio.stage(jnp.full(3, effort))
    assert frontier.tolist() == expected


def test_csv_tabulated_rows(write: Write) -> None:
    portfolio = load_portfolio(
        write("""\
project,family,values,points
A,tabulated,0;3;5;6,0;2;4;10
B,tabulated,1;2;4,
C,tabulated,2,
""")
    )
    alone = (
        Tabulated([[0, 3, 5, 6]], [[0, 2, 4, 10]]),
        Tabulated([[1, 2, 4]]),
        Tabulated([[2]]),
    )
    assert_projects(portfolio, alone)
    np.testing.assert_allclose(portfolio.curves.ceiling(), [6.0, 3.0, 0.0])


def test_csv_of_tables_stages_and_closed_forms(write: Write) -> None:
    """Parameters of the same name, here scale and rate, are lists for one family and numbers for another."""
    portfolio = load_portfolio(
        write("""\
project,family,scale,rate,start,base,values
A,log,2,0.5,,,
B,lifecycle,1;2,1;0.25,0;6,0;3,
C,tabulated,,,,,0;4;5
""")
    )
    alone = (Log([2], [0.5]), Lifecycle([[0, 6]], [[0, 3]], [[1, 2]], [[1, 0.25]]), Tabulated([[0, 4, 5]]))
    assert_projects(portfolio, alone)


PLAIN = "project,family,scale,rate\nA,log,1,2\nB,log,3,4\n"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.encode("utf-8-sig"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.rstrip("\n").encode(),
        PLAIN.replace("\n", "\n\n").encode(),
        PLAIN.replace("\n", "\n,,,\n").encode(),
        PLAIN.replace("\n", "\n   \n").encode(),
        ("\n" + PLAIN).encode(),
        PLAIN.replace(",", " , ").encode(),
        PLAIN.replace(",", ", ").replace("\nA", "\n  A").encode(),
        b'"project","family","scale","rate"\n"A","log","1","2"\n"B","log","3","4"\n',
        b"rate,project,scale,family\n2,A,1,log\n4e0,B,3.,log\n",
        PLAIN.encode("utf-16"),
        PLAIN.replace(",", ";").encode("utf-16-le"),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace("project,family", "Project, FAMILY").encode(),
        PLAIN.replace("rate\n", "rate,\n").replace("2\n", "2,\n").replace("4\n", "4,\n").encode(),
        b",project,family,scale,rate\n0,A,log,1,2\n1,B,log,3,4\n",
        "project;family;scale;rate\nA;log;1,0;200,0%\nB;log;3,0;400,0 %\n".encode("cp1252"),
        "project;family;scale;rate\nA;log;1,0 €;2\nB;log;3,0 €;4\n".encode("cp1252"),
    ],
    ids=[
        "byte-order-mark",
        "crlf",
        "no-last-newline",
        "blank-lines",
        "blank-cells",
        "lines-of-spaces",
        "blank-first-line",
        "spaces-around-cells",
        "spaces-before-cells",
        "quotes",
        "other-order",
        "utf-16",
        "utf-16-without-a-mark",
        "tabs",
        "capitals",
        "a-comma-at-every-end",
        "an-index",
        "decimal-commas-and-percent",
        "euros",
    ],
)
def test_csv_in_other_hands_is_the_same_portfolio(write: Write, text: bytes) -> None:
    portfolio = load_portfolio(write(text))
    assert portfolio.names == ("A", "B")
    assert_same(portfolio, Portfolio(Log(full(1, 3), full(2, 4))))


@pytest.mark.parametrize("name", ["Straße & Café", "仕入れ", 'say "hi"', "A, B and C", "née 🙂", "it's 5 %"])
def test_names_may_be_any_text(write: Write, name: str) -> None:
    quoted = name.replace('"', '""')
    portfolio = load_portfolio(write(f'project,family,scale,rate\n"{quoted}",log,1,2\nB,log,3,4\n'))
    assert portfolio.names == (name, "B")


def test_path_may_be_text_and_its_suffix_in_capitals(write: Write) -> None:
    assert load_portfolio(str(write(PLAIN, "P.CSV"))).names == ("A", "B")
    yaml = "projects: {A: {family: log, scale: 1, rate: 2}}"
    assert load_portfolio(str(write(yaml, "P.YAML"))).names == ("A",)


# CSV, long-form measurements.

LONG = """\
project,effort,performance,weight,cost
A,0,1.5,2,
B,4,9,,0.5
A,10,4,2,
A,2.5,3,,
B,0,1,,0.5
"""


def test_long_form_rows_make_tables_in_any_order(write: Write) -> None:
    portfolio = load_portfolio(write(LONG))
    assert portfolio.names == ("A", "B")
    curve = Tabulated(np.array([[1.5, 3, 4], [1, 9, 9]]), np.array([[0, 2.5, 10], [0, 4, 5.0]]))
    assert_same(portfolio, Portfolio(curve, weight=full(2, 1), cost=full(1, 0.5)))


def test_long_form_baseline_is_the_performance_at_no_effort(write: Write) -> None:
    portfolio = load_portfolio(write("project,effort,performance,baseline\nA,2,5,1\nA,4,6,1\n"))
    assert_same(portfolio, Portfolio(Tabulated(full(1, 5, 6)[None], full(0, 2, 4)[None])))


@given(order=st.permutations(range(6)))
def test_order_of_measurements_is_of_no_matter(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    rows = [
        f"A,{effort},{performance}"
        for effort, performance in ((0, 1), (1, 1), (2.5, 3), (4, 3), (9, 7), (10, 8))
    ]
    path = tmp_path_factory.mktemp("order") / "portfolio.csv"
    path.write_text("\n".join(["project,effort,performance", *(rows[k] for k in order)]))
    curve = load_portfolio(path).curves
    np.testing.assert_array_equal(curve.points, [[0, 1, 2.5, 4, 9, 10]])
    np.testing.assert_array_equal(curve.values, [[1, 1, 3, 3, 7, 8]])


# YAML.


def test_yaml_of_several_families_equals_the_csv(write: Write) -> None:
    csv = load_portfolio(
        write("""\
project,family,scale,rate,start,base,half,exponent,baseline,weight,upper
A,log,2,0.5,,,,,1,3,
B,lifecycle,1;2,1;0.25,0;6,0;3,,,,,7
C,hill,9,,,,20,2.5,,,
""")
    )
    yaml = load_portfolio(
        write(
            """\
projects:
  A: {family: log, scale: 2, rate: 0.5, baseline: 1, weight: 3}
  B:
    family: lifecycle
    start: [0, 6]
    base: [0, 3]
    scale: [1, 2]
    rate: [1, 0.25]
    upper: 7
  C: {family: hill, scale: 9, half: 20, exponent: 2.5, weight: null}
""",
            "portfolio.yaml",
        )
    )
    assert yaml.names == csv.names
    assert jax.tree.structure(yaml) == jax.tree.structure(csv)
    for ours, theirs in zip(jax.tree.leaves(yaml), jax.tree.leaves(csv), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_yaml_measurements_equal_the_long_form(write: Write) -> None:
    csv = load_portfolio(write(LONG))
    yaml = load_portfolio(
        write(
            """\
projects:
  A:
    weight: 2
    points: [[0, 1.5], [10, 4], [2.5, 3]]
  B: {cost: 0.5, family: tabulated, points: [[4, 9]], baseline: 1}
""",
            "portfolio.yml",
        )
    )
    for ours, theirs in zip(jax.tree.leaves(yaml), jax.tree.leaves(csv), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_yaml_table_of_values_and_points(write: Write) -> None:
    text = "projects:\n  A: {family: tabulated, values: [0, 3, 5], points: [0, 2, 4]}\n"
    portfolio = load_portfolio(write(text, "portfolio.yaml"))
    assert_same(portfolio, Portfolio(Tabulated(full(0, 3, 5)[None], full(0, 2, 4)[None])))


def test_yaml_with_byte_order_mark_and_carriage_returns(write: Write) -> None:
    text = "projects:\r\n  Café: {family: log, scale: 1, rate: 2}\r\n"
    portfolio = load_portfolio(write(text.encode("utf-8-sig"), "portfolio.yaml"))
    assert portfolio.names == ("Café",)


def test_yaml_infinity_is_no_upper_bound(write: Write) -> None:
    text = "projects:\n  A: {family: log, scale: 1, rate: 2, upper: .inf}\n"
    assert load_portfolio(write(text, "portfolio.yaml")).upper.tolist() == [math.inf]


def test_yaml_names_are_the_text_that_stands_there(write: Write) -> None:
    names = ("on", "yes", "NO", "true", "True", "1", "0x1", "1e3", "1000", "null", "~", "2026-01-01", "1:30")
    rows = [f"  {name}: {{family: log, scale: {k + 1}, rate: 2}}" for k, name in enumerate(names)]
    portfolio = load_portfolio(write("\n".join(["projects:", *rows]), "portfolio.yaml"))
    assert portfolio.names == names
    np.testing.assert_array_equal(portfolio.curves.scale, np.arange(1, len(names) + 1))
    with pytest.raises(ValueError, match="line 1: has a key of several parts, expected a word"):
        load_portfolio(write("projects: {[a, b]: {family: log}}", "portfolio.yaml"))


def test_yaml_projects_may_share_what_they_have(write: Write) -> None:
    text = "projects:\n  on: &on {family: log, scale: 30, rate: 0.1}\n  yes: {<<: *on, scale: 20}\n"
    portfolio = load_portfolio(write(text, "portfolio.yaml"))
    assert portfolio.names == ("on", "yes")
    np.testing.assert_array_equal(portfolio.curves.scale, [30, 20])


# Warnings.

FALLING = "project,effort,performance\nA,0,1\nA,2,5\nA,4,3\n"
NO_ORIGIN = "project,effort,performance\nA,2,5\nA,4,6\n"


def test_measurements_that_fall_are_taken_with_a_warning(write: Write) -> None:
    path = write(FALLING)
    with pytest.warns(UserWarning, match=r"^A: performance falls as effort rises") as caught:
        portfolio = load_portfolio(path)
    assert len(caught) == 1
    assert caught[0].filename == __file__  # the caller's line is the one to look at
    assert_same(portfolio, Portfolio(Tabulated(full(1, 5, 3)[None], full(0, 2, 4)[None])))


def test_measurements_without_an_origin_ask_what_no_effort_attains(write: Write) -> None:
    with pytest.raises(
        ValueError, match=r"A: has no point at effort 0, expected one, or a baseline"
    ) as error:
        load_portfolio(write(NO_ORIGIN))
    assert "first for that of the first point, 5" in str(error.value)
    with pytest.raises(ValueError, match=r"A: has no point at effort 0"):
        load_portfolio(write("projects: {A: {points: [[2, 5], [4, 6]]}}", "p.yaml"))


@pytest.mark.parametrize(
    ("baseline", "before", "between"), [("first", 5.0, 5.0), ("0", 0.0, 2.5), ("1", 1.0, 3.0)]
)
def test_measurements_without_an_origin_take_the_baseline(
    write: Write, baseline: str, before: float, between: float
) -> None:
    texts = {
        "p.csv": f"project,effort,performance,baseline\nA,2,5,{baseline}\nA,4,6,{baseline}\n",
        "p.yaml": f"projects: {{A: {{points: [[2, 5], [4, 6]], baseline: {baseline}}}}}",
    }
    for name, text in texts.items():
        portfolio = load_portfolio(write(text, name))
        found = [float(portfolio.value(jnp.array([effort]))) for effort in (0.0, 1.0, 3.0)]
        assert found == [before, between, 5.5]


def test_values_that_fall_warn_in_any_form(write: Write) -> None:
    texts = {
        "rows.csv": "project,family,values\nA,tabulated,1;5;3\n",
        "values.yaml": "projects: {A: {family: tabulated, values: [1, 5, 3]}}",
        "points.yaml": "projects: {A: {points: [[0, 1], [1, 5], [2, 3]]}}",
    }
    for name, text in texts.items():
        with pytest.warns(UserWarning, match="falls"):
            load_portfolio(write(text, name))


def test_good_measurements_give_no_warning(write: Write) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_portfolio(write(LONG))
        load_portfolio(write("project,effort,performance,baseline\nA,2,5,1\nA,4,6,1\n"))


def test_columns_that_are_not_read_are_said(write: Write) -> None:
    text = "project,family,scale,rate,wieght,colour\nA,log,1,2,3,red\n"
    with pytest.warns(UserWarning, match=r"\.csv: ignores columns wieght \(did you mean weight\?\), colour$"):
        assert load_portfolio(write(text)).weight is None
    text = "project,effort,performance,scale,standard_error\nA,0,1,3,0.1\nA,2,2,3,0.1\n"
    with pytest.warns(UserWarning, match=r"ignores column scale$"):
        load_portfolio(write(text))


# Errors: each in one line that starts with the file and names the place, what is wrong, what was expected.

HEAD = "project,family,scale,rate,weight,cost,lower,upper,startup,success,curvature,threshold,reach,baseline"


def row(**cells: Any) -> str:
    """A CSV of one good project B and a project A with some cells of its own."""
    columns = HEAD.split(",")
    good = {"project": "A", "family": "log", "scale": "1", "rate": "2"}
    lines = [good | {"project": "B", "reach": "9"}, good | {"reach": "9"} | cells]
    return "\n".join([HEAD, *(",".join(str(line.get(c, "")) for c in columns) for line in lines)])


CSV_ERRORS: dict[str, tuple[str, str]] = {
    "empty": ("", "is empty, expected a header and rows"),
    "blank": ("\n\n", "is empty, expected a header and rows"),
    "header-only": ("project,family,scale,rate\n", "has no projects, expected at least one"),
    "blank-rows-only": ("project,family,scale,rate\n,,,\n", "has no projects, expected at least one"),
    "no-project-column": ("family,scale,rate\nlog,1,2\n", "has no column project"),
    "no-family-column": ("project,scale,rate\nA,1,2\n", "neither a column family nor the columns effort"),
    "effort-alone": ("project,effort\nA,1\n", "has no column performance, saw project, effort, expected it"),
    "near-miss": (
        "project,family,scale,rates\nA,log,1,2\n",
        "A: has no rate, which family log needs; ignores column rates (did you mean rate?)",
    ),
    "effort-misspelt": (
        "project,efort,performance\nA,1,2\n",
        "has no column effort, saw project, efort, performance, did you mean columns.effort=efort?",
    ),
    "two-columns-alike": (
        "project,Effort,EFFORT,performance\nA,1,2,3\n",
        "has columns Effort, EFFORT for effort, expected one of them",
    ),
    "column-twice": ("project,family,scale,rate,scale\nA,log,1,2,1\n", "column scale occurs twice"),
    "too-few-cells": (
        "project,family,scale,rate\nA,log,1\n",
        "line 2: has 3 cells, expected 4 as in the header",
    ),
    "too-many-cells": (
        "project,family,scale,rate\nA,log,1,2\nB,log,1,2,3\n",
        "line 3: has 5 cells, expected 4 as in the header",
    ),
    "decimal-commas": ("project,family,scale,rate\nA,log,1,5,2\n", "line 2: has 5 cells, expected 4"),
    "no-project": ("project,family,scale,rate\n,log,1,2\n", "line 2: has no project, expected its name"),
    "project-twice": (
        "project,family,scale,rate\nA,log,1,2\nB,log,1,2\n\nA,log,3,4\n",
        "line 5: project A occurs twice, expected one row a project",
    ),
    "unknown-family": (row(family="logs"), "A: unknown family 'logs', expected one of log, purelog,"),
    "no-family": (row(family=""), "A: unknown family None, expected one of log"),
    "missing-parameter": (row(rate=""), "A: has no rate, which family log needs"),
    "missing-values": ("project,family,values\nA,tabulated,\n", "A: has no values, which family tabulated"),
    "parameter-of-another-family": (
        "project,family,scale,rate,half\nA,log,1,2,3\n",
        "A: unknown key 'half' for family log",
    ),
    "not-a-number": (row(scale="many"), "A: scale is 'many', expected a number"),
    "not-a-number-weight": (row(weight="1 or 2"), "A: weight is '1 or 2', expected a number"),
    "not-a-number-baseline": (row(baseline="-"), "A: baseline is '-', expected a number"),
    "list-for-a-number": (row(scale="1;2"), "A: scale is '1;2', expected a number"),
    "gap-in-a-list": ("project,family,values\nA,tabulated,0;;2\n", "A: values is '', expected a number"),
    "nan": (row(scale="nan"), "A: scale is NaN, expected a number"),
    "nan-upper": (row(upper="NaN"), "A: upper is NaN, expected a number"),
    "infinite-scale": (row(scale="inf"), "A: scale is inf, expected a number of at least 0"),
    "negative-scale": (row(scale="-1"), "A: scale is -1, expected a number of at least 0"),
    "zero-rate": (row(rate="0"), "A: rate is 0, expected a number above 0"),
    "negative-cost": (row(cost="-1"), "A: cost is -1, expected a number of at least 0"),
    "negative-startup": (row(startup="-1"), "A: startup is -1, expected a number of at least 0"),
    "negative-curvature": (row(curvature="-1"), "A: curvature is -1, expected a number of at least 0"),
    "negative-threshold": (row(threshold="-1"), "A: threshold is -1, expected a number of at least 0"),
    "negative-weight": (row(weight="-2"), "A: weight is -2, expected a number of at least 0"),
    "success-above-1": (row(success="1.5"), "A: success is 1.5, expected a probability from 0 to 1"),
    "lower-above-upper": (row(lower="3", upper="2"), "A: lower is 3, expected at most the upper limit"),
    "reach-for-some": (row(reach=""), "A: has no reach, expected one for every project or for none"),
    "points-and-values": (
        "project,family,values,points\nA,tabulated,0;1;2,0;1\n",
        "A: has 3 values, 2 points",
    ),
    "points-out-of-order": (
        "project,family,values,points\nA,tabulated,0;1;2,0;2;1\n",
        "A: points is 2, expected efforts that increase strictly",
    ),
    "stages-of-different-number": (
        "project,family,start,base,scale,rate\nA,lifecycle,0;5,0,1;2,1;1\n",
        "A: ",
    ),
    "stages-of-different-number-elsewhere": (
        "project,family,start,base,scale,rate\nB,lifecycle,0;5,0;1,1;2,1;1\nA,lifecycle,0;5,0,1;2,1;1\n",
        "A: ",
    ),
    "cell-beyond-all-measure": (f"project,family,scale,rate\n{'A' * 140_000},log,1,2\n", "field larger"),
    "long-two-performances": (
        "project,effort,performance\nA,0,1\nA,2,5\nA,2,6\n",
        "A: has two performances, 5 and 6, for effort 2",
    ),
    "long-baseline-and-origin": (
        "project,effort,performance,baseline\nA,0,1,2\nA,2,5,2\n",
        "A: has two performances, 1 and 2, for effort 0",
    ),
    "long-negative-effort": (
        "project,effort,performance\nA,-1,1\nA,2,5\n",
        "A: points is -1, expected efforts of at least 0",
    ),
    "long-not-a-number": (
        "project,effort,performance\nA,0,1\nA,two,5\n",
        "line 3: effort is 'two', expected",
    ),
    "long-no-effort": ("project,effort,performance\nA,,1\n", "has no row with both effort and performance"),
    "long-no-performance": ("project,effort,performance\nA,0,\n", "has no row with both effort and perf"),
    "long-nan": ("project,effort,performance\nA,0,nan\n", "has no row with both effort and performance"),
    "long-infinite": ("project,effort,performance\nA,0,inf\n", "A: values is inf, expected a finite number"),
    "long-no-project": ("project,effort,performance\n,0,1\n", "line 2: has no project, expected its name"),
    "long-two-weights": (
        "project,effort,performance,weight\nA,0,1,2\nA,1,2,3\n",
        "line 3: weight of A is 3, expected 2 as before",
    ),
}
YAML_ERRORS: dict[str, tuple[str, str]] = {
    "empty": ("", "has no mapping `projects`"),
    "a-list": ("- A\n- B\n", "has no mapping `projects`"),
    "no-projects-key": ("A: {family: log, scale: 1, rate: 2}\n", "has no mapping `projects`"),
    "projects-none": ("projects:\n", "has no mapping `projects`"),
    "projects-a-list": ("projects: [A, B]\n", "has no mapping `projects`"),
    "project-a-number": ("projects: {A: 3}\n", "has no mapping `projects`"),
    "projects-empty": ("projects: {}\n", "has no projects, expected at least one"),
    "syntax": ("projects:\n  A: {family: log\n  B: 3\n", "line 3: is not YAML"),
    "syntax-indent": ("projects:\n  A:\n   x: 1\n  y\n", "is not YAML"),
    "control-character": ("projects:\n  A: \x01\n", "is not YAML"),
    "python-object": ("projects: !!python/object:os.system {}\n", "line 1: is not YAML"),
    "unknown-key": (
        "projects: {A: {family: log, scale: 1, rate: 2, half: 3}}\n",
        "A: unknown key 'half' for family log",
    ),
    "unknown-family": ("projects: {A: {family: logs, scale: 1}}\n", "A: unknown family 'logs', expected one"),
    "no-family": ("projects: {A: {scale: 1}}\n", "A: unknown family None, expected one of log"),
    "family-a-list": ("projects: {A: {family: [log], scale: 1, rate: 1}}\n", "A: unknown family ['log']"),
    "family-a-mapping": ("projects: {A: {family: {log: 1}, scale: 1, rate: 1}}\n", "A: unknown family"),
    "missing-parameter": ("projects: {A: {family: log, scale: 1}}\n", "A: has no rate, which family log"),
    "null-parameter": ("projects: {A: {family: log, scale: 1, rate: }}\n", "A: has no rate, which family"),
    "text": ("projects: {A: {family: log, scale: much, rate: 2}}\n", "A: scale is 'much', expected a number"),
    "truth": ("projects: {A: {family: log, scale: yes, rate: 2}}\n", "A: scale is True, expected a number"),
    "list": ("projects: {A: {family: log, scale: [1], rate: 2}}\n", "A: scale is [1], expected a number"),
    "nan": ("projects: {A: {family: log, scale: .nan, rate: 2}}\n", "A: scale is NaN, expected a number"),
    "negative": (
        "projects: {A: {family: log, scale: -1, rate: 2}}\n",
        "A: scale is -1, expected a number of at least 0",
    ),
    "no-points": ("projects: {A: {points: []}}\n", "A: has no points, expected [effort, performance] pairs"),
    "points-not-a-list": ("projects: {A: {points: 3}}\n", "A: unknown family None"),
    "point-of-three": (
        "projects: {A: {points: [[0, 1, 2]]}}\n",
        "A: point [0, 1, 2], expected [effort, performance]",
    ),
    "point-a-number": ("projects: {A: {points: [0, 1]}}\n", "A: point 0, expected [effort, performance]"),
    "point-of-text": ("projects: {A: {points: [[0, up]]}}\n", "A: performance is 'up', expected a number"),
    "points-twice": (
        "projects: {A: {points: [[0, 1], [3, 2], [3, 2.5]]}}\n",
        "A: has two performances, 2 and 2.5, for effort 3",
    ),
    "points-and-family": (
        "projects: {A: {family: log, points: [[0, 1], [3, 2]]}}\n",
        "A: has measured points and family log, expected tabulated",
    ),
    "points-and-parameter": (
        "projects: {A: {scale: 3, points: [[0, 1], [3, 2]]}}\n",
        "A: unknown key 'scale' for family tabulated",
    ),
    "points-and-values": (
        "projects: {A: {family: tabulated, values: [0, 1, 2], points: [0, 1]}}\n",
        "A: has 3 values, 2 points",
    ),
    "no-values": ("projects: {A: {family: tabulated, values: []}}\n", "A: "),
    "no-values-beside-others": (
        "projects: {B: {family: tabulated, values: [1, 2]}, A: {family: tabulated, values: []}}\n",
        "A: ",
    ),
    "no-stages": ("projects: {A: {family: lifecycle, start: [], base: [], scale: [], rate: []}}\n", "A: "),
    "project-twice": (
        "projects:\n  A: {family: log, scale: 1, rate: 2}\n  A: {family: log, scale: 3, rate: 4}\n",
        "twice",
    ),
}


def message_of(path: Path) -> str:
    """The error's one line, with the file's path taken off its beginning."""
    with pytest.raises(ValueError, match=r".") as caught:
        load_portfolio(path)
    message = str(caught.value)
    assert type(caught.value) is ValueError
    assert "\n" not in message
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("wrong", CSV_ERRORS)
def test_csv_error(write: Write, wrong: str) -> None:
    text, expected = CSV_ERRORS[wrong]
    assert expected in message_of(write(text))


@pytest.mark.parametrize("wrong", YAML_ERRORS)
def test_yaml_error(write: Write, wrong: str) -> None:
    text, expected = YAML_ERRORS[wrong]
    message = message_of(write(text, "portfolio.yaml"))
    assert expected in message


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    assert re.fullmatch(r"cannot be read \(.+\), expected a file", message_of(tmp_path / "nowhere.csv"))


def test_directory_is_an_error(tmp_path: Path) -> None:
    assert re.fullmatch(r"cannot be read \(.+\), expected a file", message_of(tmp_path))


@pytest.mark.parametrize("name", ["portfolio.csv", "portfolio.yaml"])
def test_binary_file_is_an_error(write: Write, name: str) -> None:
    data = b"\x89PNG\r\n\x1a\n\x00\xff\xfe"
    assert message_of(write(data, name)) == "is not text, expected a table or YAML"


def test_python_sees_only_the_error_in_words(write: Write) -> None:
    """No chain of inner exceptions for a mistake in a file."""
    with pytest.raises(ValueError, match="expected a number") as caught:
        load_portfolio(write(row(scale="many")))
    assert caught.value.__suppress_context__


def test_error_names_the_place_in_a_file_of_many_projects(write: Write) -> None:
    rows = [f"P{i},log,{i},2" for i in range(60)]
    rows[41] = "P41,log,x,2"
    assert message_of(write("\n".join(["project,family,scale,rate", *rows]))).startswith("P41: scale is 'x'")


# Round trips.


@given(
    data=st.lists(
        st.tuples(
            st.sampled_from(["log", "exponential", "hill", "weibull"]),
            *(st.floats(1e-3, 1e3) for _ in range(3)),
            st.floats(0, 50),
            st.floats(-9, 9),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_numbers_come_back_as_they_were_written(tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    """Seventeen digits in, the same float64 out, by either format."""
    columns = {"log": "scale rate", "exponential": "scale rate", "hill": "scale half exponent"}
    columns["weibull"] = "scale rate exponent"
    projects = {}
    for i, (family, *numbers, weight, baseline) in enumerate(data):
        parameters = dict(zip(columns[family].split(), numbers, strict=False))
        projects[f"P{i}"] = {"family": family, **parameters, "weight": weight, "baseline": baseline}
    folder = tmp_path_factory.mktemp("round")
    keys = ["family", "scale", "rate", "half", "exponent", "weight", "baseline"]
    lines = [",".join([name, *(str(p.get(k, "")) for k in keys)]) for name, p in projects.items()]
    (folder / "p.csv").write_text("\n".join([",".join(["project", *keys]), *lines]))
    blocks = [f"  {n}:\n" + "".join(f"    {k}: {v}\n" for k, v in p.items()) for n, p in projects.items()]
    (folder / "p.yaml").write_text("projects:\n" + "".join(blocks))
    for portfolio in (load_portfolio(folder / "p.csv"), load_portfolio(folder / "p.yaml")):
        curves = portfolio.curves
        families = curves.families if isinstance(curves, Mixture) else (curves,)
        for i, wanted in enumerate(projects.values()):
            curve = next(c for c in families if c.family == wanted["family"])
            found = {k: float(getattr(curve, k)[i]) for k in (*curve.parameters(), "baseline")}
            assert found | {"weight": float(portfolio.weight[i])} == {
                k: v for k, v in wanted.items() if k != "family"
            }
