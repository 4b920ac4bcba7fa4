"""From measurements to a portfolio without a file in between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

import engine
from engine import Fitted, load_measurements
from engine.fitting.fitted import warnings_of
from tests import reference

EFFORT = np.geomspace(5.0, 400.0, 16)
SCALES = {"search": 2.0, "ranking": 3.0, "ads": 0.5}


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    rows = [
        (name, x, 1.0 + scale * np.log1p(0.05 * x)) for name, scale in SCALES.items() for x in EFFORT[::-1]
    ]
    return pd.DataFrame(rows, columns=["project", "effort", "performance"])


@pytest.fixture(scope="module")
def fitted(frame: pd.DataFrame) -> Fitted:
    return engine.fit(frame, ["log"], loss="squares")


def test_a_fit_is_a_portfolio(fitted: Fitted) -> None:
    portfolio = fitted.portfolio(extrapolate=3.0)
    assert portfolio.names == tuple(SCALES)
    np.testing.assert_allclose(portfolio.upper, 3 * 400.0)
    x = np.array([7.0, 90.0, 600.0])
    expected = 1.0 + np.array(list(SCALES.values())) * np.log1p(0.05 * x)
    np.testing.assert_allclose(reference.performance(portfolio.curves, x), expected, rtol=1e-3)
    assert fitted.portfolio(None).upper is None
    np.testing.assert_allclose(fitted.portfolio().upper, 1600.0)
    with pytest.raises(ValueError, match=r"^extrapolate is 0.5, expected a number of at least 1"):
        fitted.portfolio(0.5)
    assert engine.allocate(portfolio, 100.0).proved


def test_files_and_frames_are_the_same_measurements(
    frame: pd.DataFrame, fitted: Fitted, tmp_path: Path
) -> None:
    frame.to_csv(tmp_path / "m.csv", index=False)
    frame.to_parquet(tmp_path / "m.parquet")
    sources = (tmp_path / "m.csv", str(tmp_path / "m.parquet"), pl.from_pandas(frame))
    measured = load_measurements(tmp_path / "m.csv")
    assert measured.names == fitted.measurements.names
    for source in (*sources, measured):
        found = engine.fit(source, ["log"], loss="squares")
        np.testing.assert_array_equal(found.measurements.performance, fitted.measurements.performance)
        for name, values in fitted.families["log"].parameters.items():
            np.testing.assert_array_equal(found.families["log"].parameters[name], values)


def test_it_prints_what_was_chosen(fitted: Fitted) -> None:
    first, *rest = str(fitted).splitlines()
    assert first == "3 curves fitted, of the families log"
    assert [line.split(",")[0] for line in rest] == ["search: log", "ranking: log", "ads: log"]


def test_wrong_measurements_are_one_line(frame: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"^has no column effort, saw project, performance, expected it"):
        engine.fit(frame.drop(columns="effort"))
    with pytest.raises(ValueError, match=r"^expected a data frame or an Arrow table, got int$"):
        engine.fit(3)
    with pytest.raises(ValueError, match=r"^row 1 has effort -1, expected a number of at least 0$"):
        engine.fit(frame.assign(effort=-1.0))


def test_a_curve_that_falls_with_effort_is_told_what_to_say() -> None:
    effort = np.geomspace(100.0, 1e5, 40)
    rows = {"project": "loss", "effort": effort, "performance": 2.0 + 3.0 * effort**-0.3}
    notes = warnings_of(engine.fit(pd.DataFrame(rows)))[0]
    assert (
        "performance falls with effort, from 2.754 to 2.095: where less is better, say direction=down"
        in notes
    )


def test_replicates_of_two_curves_are_remarked_on_and_noise_is_not() -> None:
    random, notes = np.random.default_rng(0), {}
    effort = np.tile(np.arange(1.0, 13.0), 3)
    for name, apart, noise in (("two runs", 0.2, 0.0), ("noise", 0.0, 0.05)):
        shift = np.repeat([apart, 0.0, 0.0], 12)
        values = effort / (effort + 4.0) + shift + noise * random.normal(size=effort.size)
        frame = pd.DataFrame({"project": name, "effort": effort, "performance": values})
        remarks = warnings_of(engine.fit(frame, restarts="average"))[0]
        notes[name] = [note for note in remarks if "replicates" in note]
    (note,) = notes["two runs"]
    assert note.startswith("replicates differ by 0.115, where the residual suggests")
    assert note.endswith(": are they of one curve?")
    assert not notes["noise"]
