"""The live page's model: the numbers of engine.allocate, one compilation a portfolio, nonsense refused."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import zipfile
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import engine
from engine.live.controls import decimals
from engine.live.model import (
    MOST_UPLOAD,
    SAMPLES,
    Live,
    Picture,
    draw_portfolio,
    nice_above,
    read_upload,
)
from engine.simulation.catalogue import scenario_names, shipped_scenario
from engine.simulation.config import PriorConfig
from tests.files.workbook import workbook
from tests.simulation.test_scenarios import SHIPPED


def live(name: str = "s_shaped", budget: float | None = None, seed: int = 0) -> Live:
    config = shipped_scenario(name)
    return Live(draw_portfolio(config, seed), config.budget if budget is None else budget)


def same_as_allocate(model: Live, picture: Picture, *also: str) -> None:
    portfolio = model.portfolio_of(picture.state)
    for solver in ("exact", "greedy"):
        shown, expected = getattr(picture, solver), engine.allocate(portfolio, picture.state.budget, solver)
        for name in ("effort", "value", "spent", "proved", "status", *also):
            np.testing.assert_array_equal(
                getattr(shown, name), getattr(expected.solution, name), err_msg=name
            )
    # The bound's sum runs over the lattice of the slider's end, whose length moves its last digit.
    np.testing.assert_allclose(
        picture.exact.bound, engine.allocate(portfolio, picture.state.budget).bound, 1e-14
    )


def same_as_solve(model: Live, picture: Picture) -> None:
    """All of it, on the lattice of the slider's end: bounds and multipliers may differ on another."""
    portfolio, budgets = (
        model.portfolio_of(picture.state),
        np.array([picture.state.budget, model.most_budget]),
    )
    both = jax.tree.map(lambda a: np.stack([a, a]), portfolio)
    for solver in ("exact", "greedy"):
        expected = jax.tree.map(lambda a: a[0], engine.allocate(both, budgets, solver).solution)
        jax.tree.map(np.testing.assert_array_equal, getattr(picture, solver), expected)


DRAGS: dict[str, list[tuple[str, float, int | None]]] = {
    "nothing": [],
    "no budget": [("budget", 0.0, None)],
    "a budget between units": [("budget", 87.5, None)],
    "the largest budget": [("budget", 300.0, None)],
    "a project worth nothing": [("weight", 0.0, 2)],
    "all worth nothing": [("weight", 0.0, project) for project in range(8)],
    "a start-up cost": [("startup", 12.5, 0), ("budget", 60.0, None)],
    "a curvature": [("curvature", 1.5, 1)],
    "everything": [("weight", 5.0, 7), ("startup", 3.0, 7), ("curvature", 0.7, 7), ("budget", 201.0, None)],
}


@pytest.fixture(scope="module")
def s_shaped() -> Live:
    return live()


@pytest.mark.parametrize("drags", DRAGS.values(), ids=DRAGS)
def test_a_drag_shows_what_allocate_gives(s_shaped: Live, drags: list[tuple[str, float, int | None]]) -> None:
    state = s_shaped.start
    for drag in drags:
        state = s_shaped.moved(state, *drag)
    picture = s_shaped.answer(state)
    same_as_allocate(s_shaped, picture, "multiplier")
    assert picture.effort.shape == picture.returns.shape == picture.stage.shape == (8, SAMPLES)
    assert np.all(picture.effort[:, -1] >= picture.exact.effort)  # no dot outside its panel
    assert np.all(picture.effort[:, -1] >= picture.greedy.effort)
    assert np.sum(picture.exact_return) == pytest.approx(float(picture.exact.value), rel=1e-12)
    portfolio = s_shaped.portfolio_of(state)
    np.testing.assert_array_equal(picture.exact_frontier, portfolio.stage(picture.exact.effort)[1])


# Unequal costs; bounds; stages with start-up costs. Others have no other parts, and each compiles for long.
@pytest.mark.parametrize("name", ["independent_division", "product_embedded", "staged"])
def test_scenarios_are_shown(name: str) -> None:
    model = live(name)
    picture = model.answer(model.start)
    same_as_allocate(model, picture)
    same_as_solve(model, picture)
    assert bool(picture.exact.proved)
    assert 0.0 <= picture.loss <= 1.0


def test_a_drag_never_compiles(compilations: list[str]) -> None:
    model = live("staged")
    model.answer(model.start)
    compilations.clear()
    state = model.start
    for number in range(20):
        state = model.moved(state, "budget", 10.0 * number)
        state = model.moved(state, "weight", 0.1 * number, number % 8)
        state = model.moved(state, "startup", 0.5 * number, number % 8)
        state = model.moved(state, "curvature", 0.01 * number, number % 8)
        model.answer(state)
    assert compilations == []
    config = shipped_scenario("staged")  # and no other draw of the same scenario does
    drawn = draw_portfolio(config, 1)
    compilations.clear()
    again = Live(drawn, config.budget)
    again.answer(again.start)
    assert compilations == []


def test_only_what_was_moved_moves(s_shaped: Live) -> None:
    start = s_shaped.answer(s_shaped.start)
    moved = s_shaped.answer(s_shaped.moved(s_shaped.start, "weight", 1.0, 3))
    changed = np.any(start.returns != moved.returns, axis=1)
    assert changed.tolist() == [False, False, False, True, False, False, False, False]


NONSENSE: list[tuple[str, Any, Any, str]] = [
    ("budget", -1.0, None, "budget is -1, expected a number from 0 to 300"),
    ("budget", 301.0, None, "budget is 301"),
    ("budget", math.nan, None, "budget is nan"),
    ("budget", math.inf, None, "budget is inf"),
    ("budget", "all", None, "budget is 'all', expected a number"),
    ("budget", None, None, "budget is None"),
    ("budget", True, None, "budget is True"),
    ("budget", 10**400, None, "budget is inf"),
    ("budget", [1.0] * 100, None, "budget is [1.0"),
    ("weight", -0.5, 0, "project 0: weight is -0.5, expected a number from 0"),
    ("startup", math.nan, 7, "project 7: startup is nan"),
    ("curvature", 1e9, 7, "project 7: curvature is 1e+09"),
    ("weight", 1.0, 8, "project is 8, expected a number from 0 to 7"),
    ("weight", 1.0, -1, "project is -1"),
    ("weight", 1.0, None, "project is None"),
    ("colour", 1.0, 0, "unknown slider 'colour', expected one of budget, weight"),
]


@pytest.mark.parametrize(("key", "value", "project", "message"), NONSENSE)
def test_nonsense_is_refused(s_shaped: Live, key: str, value: Any, project: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r"expected") as error:
        s_shaped.moved(s_shaped.start, key, value, project)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def curves(projects: int) -> engine.Portfolio:
    return engine.Portfolio(engine.Log(np.ones(projects), np.ones(projects)))


TOO_MUCH: dict[str, tuple[engine.Portfolio, dict[str, float], str]] = {
    "projects": (curves(41), {}, "41 projects, expected at most 40"),
    "budget": (curves(3), {"budget": 1e5}, "too long"),
    "lower limits": (
        dataclasses.replace(curves(2), lower=np.array([3.0, 4.0])),
        {"budget": 5.0},
        "budget is 5, expected a number from 7",
    ),
    "numbers": (dataclasses.replace(curves(2), weight=np.array([1e308, 1e308])), {}, "not a finite number"),
    "NaN": (curves(2), {"budget": math.nan}, "budget is nan"),
    "a slider's end below its budget": (curves(2), {"budget": 9.0, "most_budget": 8.0}, "budget is 9"),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_what_cannot_be_dragged_is_refused(what: str) -> None:
    portfolio, budgets, message = TOO_MUCH[what]
    with pytest.raises(ValueError, match=message):
        Live(portfolio, **budgets)


def test_the_end_of_the_budget_moves_and_the_rest_stays() -> None:
    portfolio = dataclasses.replace(curves(2), names=("search", "ads"))
    model = Live(portfolio, 9.0)
    state = model.moved(model.start, "weight", 0.5, 1)
    again = model.resized(state, 8.0)
    assert (again.names, again.most_budget, again.start.budget) == (("search", "ads"), 8.0, 8.0)
    np.testing.assert_array_equal(again.start.weight, [1.0, 0.5])


def test_a_scenario_is_drawn_as_it_ships() -> None:
    assert scenario_names() == SHIPPED
    with pytest.raises(ValueError, match="unknown scenario 'utopia'"):
        shipped_scenario("utopia")
    with pytest.raises(ValueError, match="seed is -1, expected a whole number"):
        draw_portfolio(shipped_scenario("staged"), -1)
    config = shipped_scenario("product_embedded")
    config.projects, config.names, config.weight = 500, None, PriorConfig(value=1.0)
    with pytest.raises(ValueError, match=r"scenario.projects is 500, expected at most 40"):
        draw_portfolio(config, 0)


CSV = "project,family,scale,rate\nsearch,log,2,0.5\n<b>ads</b>,log,1,0.1\n"


def test_an_upload_is_the_file(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(CSV)
    portfolio, notes = read_upload("mine.CSV", CSV.encode())
    assert portfolio.names == ("search", "<b>ads</b>")
    assert notes == []
    expected = engine.allocate(engine.load_portfolio(tmp_path / "p.csv"), 20.0)
    model = Live(portfolio, 20.0)
    np.testing.assert_array_equal(model.answer(model.start).exact.effort, expected.effort)


def test_what_there_is_to_note_of_an_upload_is_told() -> None:
    _, notes = read_upload("m.csv", b"project,effort,performance\na,0,1\na,5,3\na,9,2\n")
    assert len(notes) == 1
    assert "falls" in notes[0]
    _, notes = read_upload("m.csv", b"project,family,scale,rate,colour\na,log,1,1,red\n")
    assert notes == ["m.csv: ignores column colour"]


def test_an_upload_is_of_any_kind_that_is_read() -> None:
    curves = "project,family,scale,rate\nsearch,log,2,0.5\n"
    rows = [line.split(",") for line in curves.splitlines()]
    records = dict(zip(*rows, strict=True))
    table = pa.table(
        {key: [float(cell) if key in ("scale", "rate") else cell] for key, cell in records.items()}
    )
    written = io.BytesIO()
    pq.write_table(table, written)
    kinds = {
        "p.parquet": written.getvalue(),
        "p.json": json.dumps([records]).encode(),
        "p.tsv": curves.replace(",", "\t").encode(),
        "p.XLSX": workbook(curves=rows, more=rows),
    }
    for name, content in kinds.items():
        portfolio, notes = read_upload(name, content)
        assert portfolio.names == ("search",)
        np.testing.assert_array_equal(portfolio.curves.rate, [0.5])
        assert notes == (
            ["p.XLSX: reads sheet curves of curves, more; sheet=... names another"] if "XLSX" in name else []
        )


def packed(content: bytes) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/workbook.xml", content)
    return written.getvalue()


def parquet(rows: int) -> bytes:
    written = io.BytesIO()
    pq.write_table(
        pa.table({name: np.zeros(rows, np.int8) for name in ("project", "effort", "performance")}), written
    )
    return written.getvalue()


UPLOADS: dict[str, tuple[str, bytes, str]] = {
    "no portfolio": ("p.exe", b"MZ", "p.exe: is no portfolio file, expected a name that ends in .yaml"),
    "no name": ("", b"", "is no portfolio file"),
    "empty": ("p.csv", b"", "p.csv: is empty, expected a header and rows"),
    "no text": ("p.csv", bytes(range(256)), "p.csv: is not text"),
    "a bad number": ("p.csv", CSV.replace("0.5", "fast").encode(), "p.csv: search: rate is 'fast'"),
    "large": ("p.csv", b"a" * (MOST_UPLOAD + 1), f"expected at most {MOST_UPLOAD:,}"),
    "no YAML": ("p.yaml", b"{", "p.yaml: line"),
    "YAML that grows": ("p.yml", b"a: &a [1, 1]\nb: &b [*a, *a]\nprojects: {x: *b}\n", "YAML aliases"),
    "deep YAML": ("p.yml", b"[" * 5000, "p.yml: "),
    "no spreadsheet": ("p.xlsx", b"PK, but not really", "p.xlsx: is no spreadsheet"),
    "a spreadsheet that grows": ("p.xlsx", packed(b" " * 6_000_000), "p.xlsx: holds 6,000,000 bytes"),
    "Parquet that grows": ("p.parquet", parquet(2_000_000), "p.parquet: holds 6,000,000 bytes or cells"),
    "no Parquet": ("p.parquet", b"PAR1", "p.parquet: "),
    "a name like a path": ("../../p.csv", b"x\n", "../../p.csv: has no column project"),
}


@pytest.mark.parametrize("what", UPLOADS)
def test_a_nonsense_upload_is_one_line(what: str) -> None:
    name, content, message = UPLOADS[what]
    with pytest.raises(ValueError, match=r".") as error:
        read_upload(name, content)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("number", "above"), [(0.0, 1.0), (1.0, 1.0), (1.01, 1.5), (64.0, 80.0), (0.13, 0.15), (8.1e6, 1e7)]
)
def test_round_numbers(number: float, above: float) -> None:
    assert nice_above(number) == above


DOLLARS = (
    "project,effort,performance,upper\n"
    + "".join(f"search,{e},{p},3e6\n" for e, p in ((0, 0), (7e5, 24150), (2.7e6, 85150), (3e6, 93430)))
    + "".join(f"radio,{e},{p},3e6\n" for e, p in ((0, 0), (1e6, 40000), (3e6, 70000)))
    + "".join(f"print,{e},{p},2e6\n" for e, p in ((0, 0), (5e5, 1000), (2e6, 60000)))
)


def test_efforts_of_millions_open_at_budgets_of_millions() -> None:
    portfolio, _ = read_upload("dollars.csv", DOLLARS.encode())
    model = Live(portfolio)
    attained = 3e6 + 3e6 + 2e6
    assert 0.3 * attained <= model.budget <= 0.6 * attained
    assert model.most_budget == nice_above(2 * model.budget)
    assert model.unit > 1
    assert np.all(model.limits["startup"] == nice_above(0.1 * model.most_budget))
    picture = model.answer(model.start)
    assert np.all(picture.effort[:, -1] >= 1.5e6)  # panels as wide as the measurements
    expected = engine.allocate(portfolio, model.budget, unit=model.unit)
    np.testing.assert_array_equal(picture.exact.effort, expected.effort)
    assert picture.exact.value == pytest.approx(float(expected.value), rel=1e-12)
    assert picture.exact.multiplier == pytest.approx(
        float(expected.solution.multiplier), rel=1e-6
    )  # of another lattice
    assert bool(picture.exact.proved)
    moved = model.answer(model.moved(model.start, "budget", 0.5 * model.budget))
    expected = engine.allocate(portfolio, 0.5 * model.budget, unit=model.unit)
    assert float(moved.exact.value) == pytest.approx(float(expected.value), rel=1e-12)


def test_a_frontier_out_of_all_proportion_leaves_the_budget_alone() -> None:
    text = "project,family,scale,rate\na,exponential,1,0.1\nb,exponential,1,0.2\nc,exponential,1,{}\n"
    near, far = (Live(read_upload("p.csv", text.format(rate).encode())[0]) for rate in (0.1, 1e-9))
    assert (near.unit, far.unit) == (1.0, 1.0)
    assert far.most_budget <= near.most_budget


@pytest.mark.parametrize(("end", "shown"), [(8.0, 3), (3e6, 3), (0.2, 4), (5e-5, 8)])
def test_sliders_show_as_many_decimals_as_tell_their_steps_apart(end: float, shown: int) -> None:
    assert decimals(end) == shown
