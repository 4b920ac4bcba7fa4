"""Figures show the numbers that they are given, and nothing in them is cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

import engine
from engine.allocation.budget_curve import budget_curve
from engine.figures.budgets import returns_figure, shares_figure
from engine.figures.curves import curves_figure, effort_to_frontier, gains_figure
from engine.figures.fits import fit_figure
from engine.figures.looks import SOLVERS as LOOKS
from engine.figures.looks import solver_look
from engine.figures.palette import BLUE, DARK, SOFT, YELLOW
from engine.figures.studies import SolverTime, along_figure, loss_figure, phase_figure, time_figure
from engine.figures.style import GAP, save, themed, tint
from engine.files.shipped import config_folder
from engine.fitting.folder import FittedCurve
from engine.simulation.summaries import summarise


@pytest.fixture(scope="module")
def portfolio() -> engine.Portfolio:
    return engine.load_portfolio(config_folder() / "portfolios" / "textbook.csv")


def check_text(axes: Axes) -> None:
    """All text lies within the figure, and no two tick labels of an axis overlap."""
    figure: Any = axes.get_figure(root=True)
    figure.draw_without_rendering()
    width, height = figure.bbox.width, figure.bbox.height
    for one in figure.axes:
        for text in filter(lambda t: t.get_text(), [one.title, one.xaxis.label, one.yaxis.label]):
            box = text.get_window_extent()
            assert min(box.x0, box.y0) >= -1, text
            assert box.x1 <= width + 1, text
            assert box.y1 <= height + 1, text
        for axis in (one.xaxis, one.yaxis):
            low, high = sorted(axis.get_view_interval())
            ticks = [
                t.label1
                for t in axis.get_major_ticks()
                if t.label1.get_visible() and low <= t.get_loc() <= high
            ]
            boxes = [t.get_window_extent() for t in ticks if t.get_text()]
            for i, box in enumerate(boxes):
                assert not any(box.overlaps(other) for other in boxes[i + 1 :]), [t.get_text() for t in ticks]


def test_curves_have_a_mark_where_each_solver_puts_the_effort(portfolio: engine.Portfolio) -> None:
    solutions = {solver: engine.allocate(portfolio, 300, solver) for solver in ("exact", "greedy")}
    panels = curves_figure(portfolio, solutions)
    assert len(panels) == 5
    assert [panel.get_title(loc="left") for panel in panels][1] == "★ dispatching"
    for i, panel in enumerate(panels):
        marks = {
            float(np.asarray(line.get_xdata())[0]) for line in panel.lines if line.get_marker() != "None"
        }
        assert marks == {float(solution.effort[i]) for solution in solutions.values()}
        curve = panel.lines[0]
        reference = np.asarray(portfolio.curves.scale)[i] * np.log(
            np.maximum(np.asarray(portfolio.curves.rate)[i] * np.asarray(curve.get_xdata()), 1.0)
        )
        np.testing.assert_allclose(np.asarray(curve.get_ydata()), reference, rtol=1e-12)
    check_text(panels[0])


def test_the_last_band_is_the_frontier(portfolio: engine.Portfolio) -> None:
    panel = curves_figure(portfolio, {"exact": engine.allocate(portfolio, 300)})[1]
    darkest = panel.patches[-1]
    assert darkest.get_x() == pytest.approx(80, abs=1)  # as the tutorial has it
    np.testing.assert_allclose(effort_to_frontier(portfolio, 140.0), 80, atol=0.5)


@pytest.mark.parametrize("budget", [20, 100, 300])
def test_panels_share_their_axes_as_far_as_the_frontier(portfolio: engine.Portfolio, budget: int) -> None:
    panels = curves_figure(portfolio, {"exact": engine.allocate(portfolio, budget)})
    assert len({(panel.get_xlim(), panel.get_ylim()) for panel in panels}) == 1
    assert panels[0].get_xlim()[1] > 80 or budget == 20  # there it is too far to be shown


def test_the_price_cuts_every_line_at_the_effort(portfolio: engine.Portfolio) -> None:
    answer = engine.allocate(portfolio, 100)
    (axes,) = gains_figure(portfolio, answer)
    lines = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
    assert len(lines) == 5
    for line, effort in zip(lines, answer.effort, strict=True):
        gains = np.asarray(line.get_ydata())
        before, after = gains[int(effort) - 1], gains[int(effort)]
        assert after <= float(answer.price) * (1 + 1e-12) <= before * (1 + 1e-9)
    discs = [line for line in axes.lines if line.get_marker() == "o"]
    assert [float(np.asarray(disc.get_xdata())[0]) for disc in discs] == answer.effort.tolist()
    check_text(axes)


def test_frontiers_apart_are_ticks_and_those_too_far_are_left_out() -> None:
    apart = engine.Portfolio(engine.Log([1.0, 1.0], [0.5, 5.0]), reach=[40.0, 20.0])
    (axes,) = gains_figure(apart, engine.allocate(apart, 20))
    assert [line.get_marker() for line in axes.lines].count("|") == 2
    far = engine.Portfolio(engine.Log([1.0, 1.0], [0.5, 5.0]), reach=[40.0, 1e6], curvature=[0.1, 0.2])
    (axes,) = gains_figure(far, engine.allocate(far, 20))
    assert [line.get_marker() for line in axes.lines].count("|") == 1


def test_lines_that_rise_again_have_panels_of_their_own() -> None:
    staged = engine.Portfolio(engine.Tabulated([[0.0, 0, 0, 9, 9], [0.0, 4, 6, 7, 7]]))
    panels = gains_figure(staged, engine.allocate(staged, 4))
    assert len(panels) == 2
    assert len({(panel.get_xlim(), panel.get_ylim()) for panel in panels}) == 1


def test_shares_add_up_to_the_budget(portfolio: engine.Portfolio) -> None:
    curve = budget_curve(portfolio, 300)
    above, below = shares_figure(portfolio, curve)
    top = max(area.get_paths()[0].vertices[:, 1].max() for area in above.collections)
    assert top == pytest.approx(1.0)
    assert len(above.collections) == 5
    assert len({area.get_hatch() for area in above.collections}) == 5
    labels = [text.get_text() for text in above.texts]
    assert any(label.startswith("dispatching\n★ frontier from budget 2") for label in labels)
    star = next(line for line in above.lines if line.get_marker() == "*")
    assert 265 < float(np.asarray(star.get_xdata())[0]) < 270  # within, rather than on the edge of a jump
    price = np.asarray(below.lines[0].get_ydata())
    np.testing.assert_allclose(price, curve.price)
    check_text(above)


def test_many_projects_are_summed_up(portfolio: engine.Portfolio) -> None:
    random = np.random.default_rng(0)
    many = engine.Portfolio(engine.Log(random.uniform(1, 2, 25), random.uniform(0.1, 1, 25)))
    above, _ = shares_figure(many, budget_curve(many, 60))
    assert len(above.collections) == 10
    assert above.texts[-1].get_text() == "16 others"
    check_text(above)


def test_returns_shade_what_is_missed() -> None:
    budget = np.arange(1.0, 11.0)
    axes = returns_figure(budget, {"exact": budget, "greedy": 0.5 * budget}, at=4.0)
    area = np.asarray(axes.collections[0].get_paths()[0].vertices)
    for number in (1.0, 10.0):
        assert {number, number / 2} <= set(area[area[:, 0] == number, 1])
    assert axes.texts[0].get_text() == "at 4 greedy\nmisses 50 %\nof the optimum"
    same = returns_figure(budget, {"exact": budget, "greedy": budget}, at=4.0)
    assert same.texts[0].get_text() == "at 4 greedy\nmisses nothing\nof the optimum"
    assert not same.collections
    check_text(axes)


def test_the_old_name_of_the_shares_is_told() -> None:
    from engine import figures

    with pytest.warns(FutureWarning, match="is now shares_figure"):
        assert figures.allocation_figure is shares_figure


@pytest.mark.parametrize("shape", [(1, 2), (5, 6), (20, 20)])
def test_phase_diagram_holds_the_values(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(0).random(shape)
    values[0, 0] = np.nan
    rows, columns = (np.linspace(0, 2, n).tolist() for n in shape)
    axes = phase_figure(values, columns, rows, x_label="budget", y_label="skew")
    mesh = axes.collections[0]
    np.testing.assert_array_equal(np.ma.filled(mesh.get_array(), np.nan).reshape(shape), values)
    assert mesh.get_clim() == (0.0, 1.0)
    written = [text.get_text() for text in axes.texts]
    if values.size <= 80:
        assert len(written) == values.size - 1
        assert written[0] == f"{100 * values[0, 1]:.0f}"
    else:
        assert written == []
    check_text(axes)


def test_cells_are_read_on_their_colour() -> None:
    axes = phase_figure(np.array([[0.0, 1.0]]), [1, 2], [1], x_label="x", y_label="y")
    assert [text.get_color() for text in axes.texts] == ["#fefefe", "#010101"]


def test_a_boundary_strikes_no_number() -> None:
    values = np.array([[0.1, 0.2, 0.9], [0.4, 0.6, 0.8]])
    axes = phase_figure(values, [1, 2, 3], [1, 2], x_label="x", y_label="y", line=0.5)
    (lines,) = [one for one in axes.collections if isinstance(one, LineCollection)]
    sides = {tuple(map(tuple, side.tolist())) for side in lines.get_segments()}
    assert sides == {((2, 0), (2, 1)), ((1, 1), (1, 2)), ((1, 1), (2, 1))}


def test_regions_of_a_fine_map_are_named_within_them() -> None:
    x, y = np.linspace(0, 1, 15), np.linspace(0, 1, 11)
    values = np.add.outer(y, x) / 2
    names = ("low", "high")
    axes = phase_figure(values, x.tolist(), y.tolist(), x_label="x", y_label="y", line=0.5, regions=names)
    texts = [text for text in axes.texts if text.get_text() in names]
    assert [text.get_text() for text in texts] == list(names)
    for text, above in zip(texts, (False, True), strict=True):
        column, row = text.get_position()
        assert (values[int(row), int(column)] > 0.5) is np.bool_(above)


def test_levels_of_a_fine_map_are_written_and_noise_has_none() -> None:
    x = np.linspace(0, 1, 15).tolist()
    smooth = np.add.outer(np.linspace(0.3, 0.4, 11), np.linspace(0, 0.3, 15))
    axes = phase_figure(smooth, x, x[:11], x_label="x", y_label="y", chance=False)
    assert {"40 %", "50 %"} <= {text.get_text() for text in axes.texts}
    noise = np.random.default_rng(0).random((11, 15))
    axes = phase_figure(noise, x, x[:11], x_label="x", y_label="y", chance=False)
    assert not axes.texts


def test_colours_follow_the_reader_from_light_to_dark(portfolio: engine.Portfolio) -> None:
    axes = curves_figure(portfolio, {"exact": engine.allocate(portfolio, 100)})[0]
    text = themed(axes).decode()
    assert "@media (prefers-color-scheme:dark)" in text
    assert f"var(--0072b2,{BLUE.lower()})" in text
    assert DARK[BLUE] in text
    missed = returns_figure(np.arange(1.0, 9.0), {"exact": np.arange(1.0, 9.0), "greedy": np.ones(8)})
    grey = "".join(f"{round(255 * share):02x}" for share in tint(SOFT, GAP))
    assert f"--{grey}:" in themed(missed).decode()
    # What is not in the figure is not in its style.
    assert DARK[YELLOW] not in text


def test_loss_is_the_share_that_loses_more() -> None:
    losses = np.array([0.0, 0.0, 0.001, 0.02, 0.5])
    summary = summarise(jnp.asarray(losses), jnp.ones(5, bool))
    axes = loss_figure({"greedy": summary, "exact": summarise(jnp.zeros(5), jnp.ones(5, bool))})
    x, y = (np.asarray(part) for part in axes.lines[0].get_data())
    for threshold, expected in ((1e-4, 0.6), (0.005, 0.4), (0.1, 0.2), (0.9, 0.0)):
        assert y[np.searchsorted(x, threshold)] == pytest.approx(expected)
    assert axes.get_legend_handles_labels()[1] == ["greedy: 60 % miss something", "exact: 0 % miss something"]
    check_text(axes)


def test_times_are_marked_by_solver() -> None:
    times = [SolverTime("greedy", 1e-6, 0.3), SolverTime("exact", 3e-6, 0.0), SolverTime("exact", 4e-6, 0.0)]
    axes = time_figure(times)
    assert np.asarray(axes.lines[1].get_xdata()) == pytest.approx([3.0, 4.0])
    assert np.asarray(axes.lines[0].get_ydata()) == pytest.approx([0.3])
    check_text(axes)


def test_lines_differ_without_colour() -> None:
    names = ["greedy", "density", "cutoff", "waterfilling", "relaxation", "bound", "exact"]
    means = {name: np.arange(3.0) + k for k, name in enumerate(names)}
    axes = along_figure([1, 2, 3], means, {n: np.ones(3) for n in names}, x_label="budget", label="value")
    lines = [container.lines[0] for container in axes.containers]
    assert len({line.get_marker() for line in lines}) == 7
    assert len({str(solver_look(name).dash) for name in names}) == 7
    check_text(axes)


def test_every_solver_has_a_look_and_keeps_it() -> None:
    from engine.simulation.methods import every

    assert set(every()) <= set(LOOKS)
    assert solver_look("exact").filled
    assert solver_look("greedy") != solver_look("exact")
    assert solver_look("mine") == solver_look("mine")
    assert solver_look("mine") not in LOOKS.values()


def test_words_are_places_on_an_axis() -> None:
    axes = along_figure(
        ["staged", "textbook"],
        {"exact": np.array([1.0, 2.0])},
        {"exact": np.zeros(2)},
        x_label="s",
        label="v",
    )
    assert [label.get_text() for label in axes.get_xticklabels()] == ["staged", "textbook"]


def test_fit_shows_the_residuals() -> None:
    effort, performance = np.array([1.0, 2.0, 4.0]), np.array([0.2, 0.4, 0.5])
    grid = np.linspace(0, 8, 9)
    curve = FittedCurve(
        "search", "hill", effort, performance, np.array([0.25, 0.35, 0.5]), grid, grid, grid - 1, grid + 1
    )
    above, below = fit_figure(curve)
    np.testing.assert_allclose(np.asarray(below.lines[-1].get_ydata()), [-0.05, 0.05, 0.0], atol=1e-12)
    assert above.get_title() == "search"
    check_text(above)


def test_files_are_the_same_each_time(tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        save(phase_figure(np.eye(3), [1, 2, 3], [1, 2, 3], x_label="x", y_label="y"), tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    save(phase_figure(np.eye(3), [1, 2, 3], [1, 2, 3], x_label="x", y_label="y"), tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")
