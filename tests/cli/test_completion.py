"""Completion of command lines: the words themselves, and shells that take them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from engine.cli.candidates import candidates
from engine.cli.completion import SCRIPTS, answers
from engine.cli.main import all_names, command_names
from engine.cli.typed import typed
from tests.cli.conftest import ENGINE, Run

BREAKS = " \t\n\"'@><=;|&(:"  # Bash's own
# What is typed, and what may follow: all of it, or some (after `...`).
WORDS: dict[str, tuple[str, ...]] = {
    "al": ("allocate",),
    "xyzzy ": (),
    "help st": ("status",),
    "completion ": ("bash", "fish", "zsh"),
    "completion bash ": (),
    "--": ("--help", "--version"),
    "allocate --h": ("--help", "--hydra-help"),
    "run --cfg ": ("job", "hydra", "all"),
    "run --config-dir m": ("my/",),
    "run sc": ("scenario.", "scenario="),
    "run run.p": ("run.portfolios=",),
    "run +run.p": ("+run.portfolios=",),
    "run scenario.weight.me": ("scenario.weight.mean=", "scenario.weight.median="),
    "run scenario.upp": ("scenario.upper.",),
    "run scenario.proj": ("scenario.projects=",),
    "sweep gri": ("grid@sweep.grid=",),
    "sweep sweep.grid.scenario.skew": ("sweep.grid.scenario.skew=",),
    "allocate target.v": ("target.value=",),
    "allocate columns.eff": ("columns.effort=",),
    "allocate budget=3 budg": ("budget_by_period=",),
    "allocate solver=gr": ("solver=greedy",),
    "allocate solver=greedy solver.": ("solver.greedy.marginal=",),
    "allocate objective=mean_cvar objective.": ("objective.mean_cvar.aversion=", "objective.mean_cvar.tail="),
    "run 'solver=[greedy,ex": ("solver=[greedy,exact,", "solver=[greedy,exact]"),
    "run solver=[greedy,gr": (),
    "run scenario=ut": (),
    "run --config-dir my scenario=ut": ("scenario=utopia",),
    "run curves@scenario.curves=[hill,po": tuple(
        f"curves@scenario.curves=[hill,power{sign}" for sign in ",]"
    ),
    "sweep grid@sweep.grid=how": ("grid@sweep.grid=how_many_bets",),
    "allocate format=": ("format=table", "format=json"),
    "allocate direction=": ("direction=up", "direction=down"),
    "allocate prices=": ("prices=true", "prices=false"),
    "responses bounded=f": ("bounded=false",),
    "run run.dtype=": ("run.dtype=float32", "run.dtype=float64"),
    "benchmark problems=[log,sta": ("problems=[log,staged,", "problems=[log,staged]"),
    "plan policy=my": ("policy=myopic",),
    "allocate portfolio=mo": ("portfolio=moonshot",),
    "allocate portfolio=my": ("portfolio=my/", "portfolio=my plan.csv"),
    "allocate portfolio=my/scenario/u": ("portfolio=my/scenario/utopia.yaml",),
    "plan draws=unc": ("draws=uncertain",),
    "fit draws=unc": (),
    "demo log=": ("log=true", "log=false"),
    "fit data=my\\ pl": ("data=my plan.csv",),
    "run run.output=m": ("run.output=my/", "run.output=my plan.csv"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my" / "scenario").mkdir(parents=True)
    (tmp_path / "my" / "scenario" / "utopia.yaml").write_text("defaults: [staged]\n")
    (tmp_path / "my plan.csv").touch()
    (tmp_path / ".hidden").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("line", WORDS)
def test_what_may_follow(line: str) -> None:
    assert tuple(answers("fish", f"engine {line}")) == WORDS[line]


def test_commands_and_keys_at_the_beginning() -> None:
    assert candidates([], "") == all_names()
    found = candidates(["allocate"], "")
    assert {"portfolio=", "target.price=", "columns.weight=", "solver=", "objective="} <= set(found)
    assert "schema=" not in found
    assert "portfolio=" not in candidates(["allocate", "portfolio=textbook"], "")
    for name in command_names():
        assert all(word.endswith(("=", ".")) for word in candidates([name], "")), name


def test_a_line_is_taken_apart() -> None:
    assert typed("engine run a=b") == (["engine", "run"], "a=b", None)
    assert typed("engine run ") == (["engine", "run"], "", None)
    assert typed("engine 'a b' \"c") == (["engine", "a b"], "c", 0)
    assert typed("engine a\\ b='c") == (["engine"], "a b=c", 4)
    assert typed("engine '' x") == (["engine", ""], "x", None)


def test_words_as_bash_takes_them() -> None:
    assert answers("bash", "engine al", BREAKS) == ["allocate "]
    assert answers("bash", "engine run run.por", BREAKS) == ["run.portfolios="]
    assert answers("bash", "engine allocate solver=gr", BREAKS) == ["greedy "]
    assert answers("bash", "engine allocate solver=gr", "") == ["solver=greedy "]
    assert answers("bash", "engine run 'solver=[gr", BREAKS) == ["solver=[greedy,", "solver=[greedy]"]
    assert answers("bash", "engine run solver='[gr", BREAKS) == ["[greedy,", "[greedy]"]
    assert answers("bash", "engine sweep grid@sweep.grid=moon", BREAKS) == ["moonshots "]
    assert answers("bash", "engine fit data=my\\ p", BREAKS) == ["my\\ plan.csv "]
    assert answers("zsh", "engine fit data=my") == ["data=my/", "data=my\\ plan.csv "]


def test_what_is_no_shell(engine: Run) -> None:
    for words in (("tcsh",), (), ("words",), ("bsh",)):
        done = engine("completion", *words)
        assert done.returncode == 2
        assert done.stderr.endswith("expected one of bash, zsh, fish\n")
    assert "did you mean bash?" in engine("completion", "bsh").stderr
    assert "usage: engine completion bash|zsh|fish" in engine("completion", "--help").stdout


def in_shell(shell: str, script: str) -> list[str]:
    """The lines that a shell prints, with our script in it."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    options = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    path = os.pathsep.join([str(Path(ENGINE).parent), os.environ["PATH"]])
    done = subprocess.run(
        [shell, *options, "-c", script],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


CASES = {
    "al": ["allocate"],
    "run run.por": ["run.portfolios="],
    "allocate solver=gr": ["solver=greedy"],
    "allocate portfolio=moon": ["portfolio=moonshot"],
    "allocate format=": ["format=json", "format=table"],
    "run solver=[greedy,ex": ["solver=[greedy,exact,", "solver=[greedy,exact]"],
    "xyzzy ": [],
}


@pytest.mark.parametrize("command", ["engine", ENGINE], ids=["by name", "by path"])
@pytest.mark.parametrize("line", CASES)
def test_bash(line: str, command: str) -> None:
    typed_line = f"{command} {line}"
    words = [command, *line.replace("=", " = ").split(" ")]
    shown = in_shell(
        "bash",
        'eval "$(engine completion bash)"\n'
        f"COMP_WORDS=({' '.join(map(shlex.quote, words))}) COMP_CWORD={len(words) - 1}\n"
        f"COMP_LINE={shlex.quote(typed_line)} COMP_POINT={len(typed_line)}\n"
        '_engine; printf "%s\\n" "${COMPREPLY[@]}"; complete -p engine ./scripts/engine',
    )
    *found, by_name, by_path = shown
    head = re.sub("[^=]*$", "", line.split(" ")[-1])  # Bash's own word begins after it
    ended = [word.removeprefix(head) for word in CASES[line]]
    assert sorted(filter(None, found)) == [w if w.endswith(("=", ",")) else f"{w} " for w in ended]
    assert by_name == "complete -o nospace -F _engine engine"
    assert by_path == "complete -o nospace -F _engine ./scripts/engine"


def test_bash_completes_up_to_the_cursor() -> None:
    shown = in_shell(
        "bash",
        'eval "$(engine completion bash)"\n'
        "COMP_WORDS=(engine al budget = 3) COMP_CWORD=1 COMP_LINE='engine al budget=3' COMP_POINT=9\n"
        '_engine; printf "%s\\n" "${COMPREPLY[@]}"',
    )
    assert shown == ["allocate "]


@pytest.mark.parametrize("line", CASES)
def test_zsh(line: str) -> None:
    words = ["engine", *line.split(" ")]
    shown = in_shell(
        "zsh",
        "compdef() { :; }\n"
        'compadd() { while [[ $1 != -- ]]; do shift; done; shift; (( $# )) && print -rl -- "$@" }\n'
        'eval "$(engine completion zsh)"\n'
        f"words=({' '.join(map(shlex.quote, words))}); CURRENT={len(words)}\n"
        f"PREFIX={shlex.quote(words[-1])}; _engine; true",
    )
    assert sorted(shown) == CASES[line]


@pytest.mark.parametrize("line", CASES)
def test_fish(line: str) -> None:
    asked = shlex.quote(f"engine {line}")
    shown = in_shell("fish", f"engine completion fish | source; complete --do-complete {asked}")
    assert sorted(shown) == CASES[line]


@pytest.mark.parametrize("shell", SCRIPTS)
def test_the_example_of_a_shell_works(shell: str) -> None:
    from engine.cli.completion import COMPLETION

    (example,) = (each for each in COMPLETION.examples if f"completion {shell}" in each)
    assert in_shell(shell, example) == []
