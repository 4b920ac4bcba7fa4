"""From tables as they are to measurements: columns by name, rows by value, wide tables, logs of training."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import engine
from engine.files.measurements import Measurements, as_measurements, load_measurements
from engine.files.portfolios import load_portfolio

# The layout that the tools themselves write, cut to a few rows, with short names and rounded numbers. First a
# chart of W&B saved as CSV; a scalar of TensorBoard; metrics of Lightning's CSVLogger, and of two runs from
# MlflowClient.get_metric_history.
WANDB = """\
"Step","bert, lr=1e-4 - val/acc","bert, lr=1e-4 - val/acc__MIN","gru - val/acc"
"10","","","0.34"
"20","0.541","0.541","0.515"
"40","0.632","0.632","0.64"
"""
TENSORBOARD = "Wall time,Step,Value\n1795759937.85,0,0.30000001192\n1795759937.86,500,0.47573593258\n"
LIGHTNING = """\
epoch,step,train/loss,val/loss,val/r2
0,9,27.618,,
0,23,,27.346,0.157
1,29,29.373,,
1,47,,18.323,0.435
"""
MLFLOW = """\
run,key,value,step,timestamp
r2,val/acc,0.58,100,1795759917691
r2,val/acc,0.64,200,1795759917775
r2,val/loss,0.5,100,1795759917740
r2,val/loss,0.43,200,1795759917803
r1,val/acc,0.53,100,1795759917099
r1,val/loss,0.6,100,1795759917125
"""
# Keras 3.15 (CSVLogger, validation_freq=2), trained again with append=True.
KERAS = """\
epoch,accuracy,loss,val_accuracy,val_loss
0,0.375,0.98,NA,NA
1,0.375,0.97,0.39,0.96
2,0.39,0.95,NA,NA
3,0.40,0.94,0.42,0.93
0,0.42,0.92,0.43,0.92
1,0.43,0.91,0.45,0.90
"""
# A Trainer's trainer_state.json of transformers.
TRAINER = {
    "best_metric": None,
    "global_step": 40,
    "log_history": [
        {"epoch": 0.15, "grad_norm": 0.9, "learning_rate": 2.7e-3, "loss": 3.58, "step": 10},
        {"epoch": 0.31, "eval_loss": 2.61, "eval_runtime": 0.04, "step": 20},
        {"epoch": 0.63, "eval_loss": 1.71, "eval_runtime": 0.05, "step": 40},
    ],
    "stateful_callbacks": {"TrainerControl": {"args": {}}},
}
# Optuna 5.0: intermediate values, and trials_dataframe().to_csv().
OPTUNA = "trial,step,value\n0,1,0.38\n0,2,0.53\n1,1,0.36\n"
TRIALS = """\
,number,value,datetime_start,params_lr,state
0,0,0.78,2026-11-29 02:52:47.1,0.004,COMPLETE
1,1,0.37,2026-11-29 02:52:47.2,0.002,PRUNED
2,2,0.79,2026-11-29 02:52:47.3,0.008,COMPLETE
"""
# scikit-learn 1.9: pandas.DataFrame(test_scores, index=train_sizes).to_csv() of learning_curve's three folds.
SKLEARN = ",0,1,2\n20,0.9,0.94,0.84\n50,0.98,0.94,0.92\n100,0.98,0.94,0.98\n"

Options = dict[str, Any]
Curves = dict[str, tuple[list[float], list[float]]]
LOGS: dict[str, tuple[str, str, Options, Curves]] = {
    "wandb": (
        "chart.csv",
        WANDB,
        {"columns": {"effort": "Step", "performance": "* - val/acc"}},
        {"bert, lr=1e-4": ([20, 40], [0.541, 0.632]), "gru": ([10, 20, 40], [0.34, 0.515, 0.64])},
    ),
    "tensorboard": (
        "run-1.csv",
        TENSORBOARD,
        {"columns": {"effort": "Step", "performance": "Value"}},
        {"run-1": ([0, 500], [0.30000001192, 0.47573593258])},
    ),
    "lightning": (
        "metrics.csv",
        LIGHTNING,
        {"columns": {"effort": "step", "performance": "val/loss"}, "direction": "down"},
        {"metrics": ([23, 47], [-27.346, -18.323])},
    ),
    "lightning, both": (
        "metrics.csv",
        LIGHTNING,
        {"columns": {"effort": "step", "performance": "*/loss"}, "direction": "down"},
        {"train": ([9, 29], [-27.618, -29.373]), "val": ([23, 47], [-27.346, -18.323])},
    ),
    "mlflow": (
        "history.csv",
        MLFLOW,
        {
            "columns": {"project": "run", "effort": "step", "performance": "value"},
            "where": {"key": "val/acc"},
        },
        {"r2": ([100, 200], [0.58, 0.64]), "r1": ([100], [0.53])},
    ),
    "keras": (
        "log.csv",
        KERAS,
        {"columns": {"effort": "epoch", "performance": "accuracy"}, "restarts": "continue"},
        {"log": ([0, 1, 2, 3, 4, 5], [0.375, 0.375, 0.39, 0.40, 0.42, 0.43])},
    ),
    "keras, sparse": (
        "log.csv",
        KERAS,
        {"columns": {"effort": "epoch", "performance": "val_accuracy"}, "restarts": "replace"},
        {"log": ([0, 1], [0.43, 0.45])},
    ),
    "trainer": (
        "trainer_state.json",
        json.dumps(TRAINER, indent=2),
        {"columns": {"effort": "step", "performance": "eval_loss"}, "direction": "down"},
        {"trainer_state": ([20, 40], [-2.61, -1.71])},
    ),
    "optuna": (
        "values.csv",
        OPTUNA,
        {"columns": {"project": "trial", "effort": "step", "performance": "value"}},
        {"0": ([1, 2], [0.38, 0.53]), "1": ([1], [0.36])},
    ),
    "optuna, trials": (
        "search.csv",
        TRIALS,
        {"columns": {"effort": "number", "performance": "value"}, "where": {"state": "COMPLETE"}},
        {"search": ([0, 2], [0.78, 0.79])},
    ),
    "scikit-learn": (
        "tree.csv",
        SKLEARN,
        {"columns": {"effort": "index", "performance": "*", "replicate": "*"}},
        {"tree": ([20, 50, 100], [2.68 / 3, 2.84 / 3, 2.9 / 3])},
    ),
}


@pytest.mark.filterwarnings("ignore:.*are left out", "ignore:.*no column project")
@pytest.mark.parametrize("tool", LOGS)
def test_a_log_is_read_as_its_tool_wrote_it(tmp_path: Path, tool: str) -> None:
    name, text, options, expected = LOGS[tool]
    (tmp_path / name).write_text(text)
    same(load_measurements(tmp_path / name, **options), expected)


def same(found: Measurements, expected: Curves) -> None:
    assert found.names == tuple(expected)
    for project, (effort, performance) in enumerate(expected.values()):
        count = found.counts[project]
        np.testing.assert_allclose(found.effort[project, :count], effort)
        np.testing.assert_allclose(found.performance[project, :count], performance)


def read(folder: Path, text: str, **options: Any) -> Measurements:
    (folder / "data.csv").write_text(text)
    return load_measurements(folder / "data.csv", **options)


PLAIN = "project,effort,performance\na,1,0.5\na,2,0.75\n"


def test_rows_left_out_are_counted_aloud(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"data\.csv: 2 of 4 rows have no performance and are left out"):
        same(read(tmp_path, PLAIN + "a,3,\na,4,NA\n"), {"a": ([1, 2], [0.5, 0.75])})
    with pytest.warns(UserWarning, match="1 of 3 rows have no effort and are left out"):
        same(read(tmp_path, PLAIN + "a,,0.8\n"), {"a": ([1, 2], [0.5, 0.75])})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        same(read(tmp_path, PLAIN + "b,3,\n"), {"a": ([1, 2], [0.5, 0.75])})
    said = [str(note.message).partition("data.csv: ")[2] for note in caught]
    assert said == [
        "1 of 3 rows have no performance and are left out",
        "b: no measurement is left, so no project",
    ]


def test_other_columns_are_named_once_and_near_misses_as_such(tmp_path: Path) -> None:
    text = "Project,EFFORT (h),Performance,wieght,colour\na,1,0.5,2,red\na,2,0.75,1,red\n"
    with pytest.warns(UserWarning, match=r"\.csv: ignores columns wieght \(did you mean weight\?\), colour$"):
        same(read(tmp_path, text.replace("EFFORT (h)", "EFFORT")), {"a": ([1, 2], [0.5, 0.75])})
    # Whoever names the performance has chosen among the columns; a near miss is still said.
    with pytest.warns(UserWarning, match=r"ignores column wieght \(did you mean weight\?\)$"):
        read(tmp_path, text, columns={"effort": "effort h", "performance": "Performance"})


RESUMED = "project,effort,performance\n" + "".join(
    f"a,{epoch},{0.3 + 0.02 * run + 0.01 * epoch}\n" for run in (0, 3) for epoch in range(6)
)


def test_a_counter_that_falls_back_is_never_averaged_in_silence(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="effort of a falls back and repeats.* say restarts=continue"):
        same(read(tmp_path, RESUMED), {"a": (list(range(6)), [0.33 + 0.01 * k for k in range(6)])})
    performance = [0.3 + 0.01 * k for k in range(12)]
    same(read(tmp_path, RESUMED, restarts="continue"), {"a": (list(range(12)), performance)})
    same(read(tmp_path, RESUMED, restarts="replace"), {"a": (list(range(6)), performance[6:])})
    same(
        read(tmp_path, RESUMED, restarts="average"),
        {"a": (list(range(6)), [0.33 + 0.01 * k for k in range(6)])},
    )


def test_counters_go_on_by_their_own_step_and_work_is_done_again_from_where_it_was(tmp_path: Path) -> None:
    head = "project,effort,performance\n"
    steps = head + "a,100,1\na,200,2\na,100,3\na,200,4\n"
    same(read(tmp_path, steps, restarts="continue"), {"a": ([100, 200, 300, 400], [1, 2, 3, 4])})
    crashed = head + "a,1,1\na,2,2\na,3,9\nb,1,5\na,2,3\na,3,4\na,4,5\n"
    same(read(tmp_path, crashed, restarts="replace"), {"a": ([1, 2, 3, 4], [1, 3, 4, 5]), "b": ([1], [5])})


def test_replicates_that_are_named_are_averaged_without_a_remark(tmp_path: Path) -> None:
    text = "project,effort,performance,seed\na,1,1,s\na,2,2,s\na,1,3,t\na,2,6,t\n"
    same(read(tmp_path, text, columns={"replicate": "seed"}), {"a": ([1, 2], [2, 4])})
    # A run that was resumed is no replicate, though others are.
    with pytest.warns(UserWarning, match="falls back"):
        read(tmp_path, text + "a,1,5,t\n", columns={"replicate": "seed"})


TWO_METRICS = "project,effort,metric,performance\n" + "".join(
    f"a,{effort},{metric},{value}\n"
    for effort, *values in ((100, 0.4, 1.5), (200, 0.52, 1.2))
    for metric, value in zip(("accuracy", "loss"), values, strict=True)
)


def test_two_metrics_in_one_table_are_asked_for_by_name(tmp_path: Path) -> None:
    message = r"several metric \(accuracy, loss\), expected where\.metric=accuracy, or columns\.replicate"
    with pytest.raises(ValueError, match=message):
        read(tmp_path, TWO_METRICS)
    same(read(tmp_path, TWO_METRICS, where={"metric": "accuracy"}), {"a": ([100, 200], [0.4, 0.52])})
    found = read(tmp_path, TWO_METRICS, where={"METRIC": ["loss"]}, direction="down")
    same(found, {"a": ([100, 200], [-1.5, -1.2])})


def test_a_performance_that_falls_is_turned(tmp_path: Path) -> None:
    text = "project,effort,performance\na,1e9,4\na,2e9,3\na,3e9,2.5\na,4e9,2.2\n"
    found = read(tmp_path, text, direction="down", effort_unit=1e9)
    same(found, {"a": ([1, 2, 3, 4], [-4, -3, -2.5, -2.2])})


def test_several_files_are_projects_by_their_names(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.csv").write_text("step,acc\n1,0.5\n2,0.75\n")
    (tmp_path / "z, 2.csv").write_text("step,acc\n1,0.5\n2,0.75\n")
    columns = {"effort": "step", "performance": "acc"}
    curve = ([1, 2], [0.5, 0.75])
    both = load_measurements(str(tmp_path / "*" / "metrics.csv"), columns=columns)
    same(both, {"x": curve, "y": curve})
    paths = [tmp_path / "x" / "metrics.csv", tmp_path / "z, 2.csv"]
    same(load_measurements(paths, columns=columns), {"metrics": curve, "z, 2": curve})


def test_errors_of_wide_tables_travel_with_their_columns(tmp_path: Path) -> None:
    text = "n,tree mean,tree std,forest mean,forest std\n10,0.5,0.1,0.6,0.2\n20,0.7,0.1,0.8,0.2\n"
    columns = {"effort": "n", "performance": "* mean", "standard_error": "* std"}
    found = read(tmp_path, text, columns=columns)
    same(found, {"tree": ([10, 20], [0.5, 0.7]), "forest": ([10, 20], [0.6, 0.8])})
    np.testing.assert_allclose(found.weight, [[100, 100], [25, 25]])


REFUSED: dict[str, tuple[Options, str]] = {
    "no such column": (
        {"columns": {"effort": "stepp"}},
        "no column 'stepp' for columns.effort, saw project",
    ),
    "no such key": ({"columns": {"efort": "effort"}}, "columns.efort is unknown, expected"),
    "no match": ({"columns": {"performance": "* acc"}}, "no column is '* acc' for columns.performance, saw"),
    "two stars": ({"columns": {"performance": "*a*"}}, "columns.performance is '*a*', expected one * in it"),
    "a star alone": (
        {"columns": {"effort": "* steps"}},
        "columns.effort has a *, expected one in columns",
    ),
    "no such value": ({"where": {"project": "c"}}, "where.project=c leaves no row, saw a"),
    "direction": ({"direction": "left"}, "direction is 'left', expected up or down"),
    "unit": ({"effort_unit": 0}, "effort_unit is 0, expected a number above 0"),
    "restarts": ({"restarts": "go"}, "restarts is 'go', expected one of continue, replace, average"),
    "decimal": ({"decimal": ","}, "decimal is ',', expected point or comma"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_reading_that_cannot_be_is_one_line(tmp_path: Path, what: str) -> None:
    options, message = REFUSED[what]
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        read(tmp_path, PLAIN, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_columns_that_are_missing_are_said_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"no column effort, saw Step, Value, did you mean columns\.effort=Step\?"
    ):
        read(tmp_path, "Step,Value\n1,2\n")
    with pytest.raises(ValueError, match=r"no column project, .* did you mean columns\.project=proyect\?"):
        read(tmp_path, "proyect,effort,performance\na,1,2\n")


def test_frames_are_read_alike() -> None:
    frame = pd.DataFrame({"run": ["a", "a"], "step": [1, 2], "loss": [3.0, 2.0]})
    columns = {"project": "run", "effort": "step", "performance": "loss"}
    same(as_measurements(frame, columns=columns, direction="down"), {"a": ([1, 2], [-3, -2])})
    with pytest.raises(ValueError, match="direction is given, expected none for measurements that are read"):
        as_measurements(as_measurements(frame, columns=columns), direction="down")


def test_portfolios_are_read_by_the_same_keys(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("Step;a loss;b loss\n0;4,5;3\n10;2,5;2\n")
    columns = {"effort": "Step", "performance": "* loss"}
    portfolio = load_portfolio(tmp_path / "p.csv", columns=columns, direction="down", effort_unit=10)
    assert portfolio.names == ("a", "b")
    np.testing.assert_array_equal(portfolio.curves.points, [[0, 1], [0, 1]])
    np.testing.assert_array_equal(portfolio.curves.values, [[-4.5, -2.5], [-3, -2]])
    (tmp_path / "q.csv").write_text("Kanal,family,scale,rate,Kosten\nTV,log,1,1,2\nRadio,log,2,1,3\n")
    named = load_portfolio(tmp_path / "q.csv", columns={"project": "Kanal", "cost": "Kosten"})
    assert named.names == ("TV", "Radio")
    np.testing.assert_array_equal(named.cost, [2, 3])
    with pytest.raises(ValueError, match="has parameters, expected direction"):
        load_portfolio(tmp_path / "q.csv", columns={"project": "Kanal"}, direction="down")


def test_a_fit_reads_by_the_same_keys(tmp_path: Path) -> None:
    rows = [f"{step},{2 + 4 * step**-0.5!r}" for step in (1, 2, 4, 8, 16, 32, 64, 128)]
    (tmp_path / "run.csv").write_text("\n".join(["step,loss", *rows]))
    columns = {"effort": "step", "performance": "loss"}
    fitted = engine.fit(tmp_path / "run.csv", ["power"], columns=columns, direction="down")
    assert fitted.measurements.names == ("run",)
    assert fitted.families["power"].parameters["baseline"][0] < -4  # minus a loss of 6 at one step
