"""Figures show the numbers that they are given, and nothing in them is cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.axes import Axes

import engine
from engine.allocation.frontier import budget_frontier
from engine.figures.allocations import allocation_figure, curves_figure
from engine.figures.fits import fit_figure
from engine.figures.looks import SOLVERS as LOOKS
from engine.figures.looks import solver_look
from engine.figures.studies import SolverTime, along_figure, loss_figure, phase_figure, time_figure
from engine.figures.style import save
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
    assert [panel.get_title() for panel in panels][1] == "dispatching (frontier)"
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


def test_allocation_adds_up_to_what_is_spent(portfolio: engine.Portfolio) -> None:
    frontier = budget_frontier(portfolio, 300)
    above, below = allocation_figure(portfolio, frontier)
    top = max(area.get_paths()[0].vertices[:, 1].max() for area in above.collections)
    assert top == pytest.approx(300)
    assert len(above.collections) == 5
    assert len({area.get_hatch() for area in above.collections}) == 5
    labels = above.get_legend_handles_labels()[1]
    assert any(label.startswith("dispatching\nfrontier from 2") for label in labels)
    price = np.asarray(below.lines[0].get_ydata())
    np.testing.assert_allclose(price, frontier.price)
    check_text(above)


def test_many_projects_are_summed_up(portfolio: engine.Portfolio) -> None:
    random = np.random.default_rng(0)
    many = engine.Portfolio(engine.Log(random.uniform(1, 2, 25), random.uniform(0.1, 1, 25)))
    above, _ = allocation_figure(many, budget_frontier(many, 60))
    assert len(above.collections) == 10
    assert above.get_legend_handles_labels()[1][-1] == "16 others"
    check_text(above)


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
    if values.size <= 150:
        assert len(written) == values.size - 1
        assert written[0] == f"{100 * values[0, 1]:.0f}"
    else:
        assert written == []
    check_text(axes)


def test_cells_are_read_on_their_colour() -> None:
    axes = phase_figure(np.array([[0.0, 1.0]]), [1, 2], [1], x_label="x", y_label="y")
    assert [text.get_color() for text in axes.texts] == ["white", "black"]


def test_loss_is_the_share_that_loses_more() -> None:
    losses = np.array([0.0, 0.0, 0.001, 0.02, 0.5])
    summary = summarise(jnp.asarray(losses), jnp.ones(5, bool))
    axes = loss_figure({"greedy": summary, "exact": summarise(jnp.zeros(5), jnp.ones(5, bool))})
    x, y = (np.asarray(part) for part in axes.lines[0].get_data())
    for threshold, expected in ((1e-4, 0.6), (0.005, 0.4), (0.1, 0.2), (0.9, 0.0)):
        assert y[np.searchsorted(x, threshold)] == pytest.approx(expected)
    assert axes.get_legend_handles_labels()[1] == ["greedy", "exact (never)"]
    check_text(axes)


def test_times_are_marked_by_solver() -> None:
    times = [SolverTime("greedy", 1e-6, 0.3), SolverTime("exact", 3e-6, 0.0), SolverTime("exact", 4e-6, 0.0)]
    axes = time_figure(times)
    assert np.asarray(axes.lines[1].get_xdata()) == pytest.approx([3.0, 4.0])
    assert np.asarray(axes.lines[0].get_ydata()) == pytest.approx([0.3])
    check_text(axes)


def test_lines_differ_without_colour() -> None:
    names = ["greedy", "density", "threshold", "waterfilling", "relaxation", "bound", "exact"]
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
