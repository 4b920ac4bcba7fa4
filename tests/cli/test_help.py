"""`engine COMMAND --help`: of the command's own file, every key with its comment, within the terminal."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hydra
import pytest
import yaml
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from engine.cli.choices import choices_of, files_in, kinds_in
from engine.cli.command import ReadingConfig
from engine.cli.commented import parse, read_commented
from engine.cli.compose import register_schema
from engine.cli.main import all_names, command_names, command_of, word_commands
from engine.cli.quoting import as_hydra_reads
from engine.files.shipped import config_folder
from tests.cli.conftest import Run
from tests.cli.test_configuration import GROUPS, leaves

FILES = [path for path in sorted(config_folder().rglob("*.yaml")) if path.parent.name != "portfolios"]


def place(path: Path) -> str:
    return str(path.relative_to(config_folder()))


def flat(tree: dict[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    """All keys of a mapping, dotted, with their values."""
    for key, value in tree.items():
        yield f"{where}{key}", value
        if isinstance(value, dict):
            yield from flat(value, f"{where}{key}.")


@pytest.mark.parametrize("path", FILES, ids=place)
def test_keys_and_values_are_those_that_yaml_reads(path: Path) -> None:
    found = read_commented(path)
    tree = yaml.safe_load(path.read_text()) or {}
    defaults = [f"{k}: {v}" for k, v in map(_one, tree.pop("defaults", []))]
    assert [f"{each.name}: {yaml.safe_load(each.value or 'null')}" for each in found.defaults] == defaults
    expected = dict(flat(tree))
    for key in found.keys:
        if key.value is None:
            assert isinstance(expected[key.name], dict), key
        else:
            assert yaml.safe_load(key.value) == expected[key.name], key
    whole = tuple(f"{key.name}." for key in found.keys if key.value is not None)
    assert {name for name in expected if not name.startswith(whole)} == {key.name for key in found.keys}
    assert found.about


def _one(default: Any) -> tuple[str, Any]:
    """An item of a list of defaults as a pair."""
    return next(iter(default.items())) if isinstance(default, dict) else (default, None)


def test_comments_beside_above_and_going_on() -> None:
    found = parse(
        "# What it is,\n# in two lines.\n# @package _global_\ndefaults:\n  - a: b  # chosen\n\n"
        "one: 'it''s # 1'  # the first,\n                  # which goes on\n"
        "group:  # of keys\n  # stands above\n  two: [1, 2]\n  three:\n    - x  # of x\n    - y\nlast:\n"
    )
    assert found.about == "What it is, in two lines."
    assert [(key.name, key.value, key.comment) for key in (*found.defaults, *found.keys)] == [
        ("a", "b", "chosen"),
        ("one", "'it''s # 1'", "the first, which goes on"),
        ("group", None, "of keys"),
        ("group.two", "[1, 2]", "stands above"),
        ("group.three", "[x, y]", "of x"),
        ("last", "null", ""),
    ]
    with pytest.raises(ValueError, match="neither a key nor an item"):
        parse("words alone\n")


@pytest.mark.parametrize("name", command_names())
def test_every_key_has_a_comment(name: str) -> None:
    keys = {key.name: key for key in read_commented(config_folder() / f"{name}.yaml").keys}
    if issubclass(command_of(name).schema, ReadingConfig):
        keys |= {key.name: key for key in read_commented(config_folder() / "reading.yaml").keys}
    for key, _ in leaves(command_of(name).schema):
        assert keys[key].comment, f"{key} of {name}"
        assert all(keys[group].comment for group in _groups(key)), f"{key} of {name}"
    choices = choices_of(read_commented(config_folder() / f"{name}.yaml"))
    chosen = {choice.key.split("@")[-1] for choice in choices}
    assert chosen - {"planning"} <= GROUPS


def _groups(key: str) -> list[str]:
    parts = key.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


@pytest.mark.parametrize("columns", ["80", "50", "20", "300"])
@pytest.mark.parametrize("name", all_names())
def test_a_page_fits_the_terminal(engine: Run, name: str, columns: str) -> None:
    shown = engine(name, "--help", COLUMNS=columns)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert max(map(len, lines)) <= min(max(int(columns), 42), 110)
    assert lines[0].startswith(f"engine {name}: ")


@pytest.mark.parametrize("name", command_names())
def test_a_page_says_all_there_is(engine: Run, name: str) -> None:
    shown = engine(name, "-h", COLUMNS="80").stdout
    assert engine("help", name, COLUMNS="80").stdout == shown
    assert "???" not in shown
    words = " ".join(shown.split())
    read = read_commented(config_folder() / f"{name}.yaml")
    reads = [*read.keys, *read_commented(config_folder() / "reading.yaml").keys]
    reading = issubclass(command_of(name).schema, ReadingConfig)
    for key in reads if reading else read.keys:
        if not key.name.startswith("hydra"):
            assert " ".join(key.comment.split()) in words, key
            assert key.value is None or re.search(rf"^  {re.escape(key.name)}=", shown, re.MULTILINE), key
    for key in read.keys:
        assert key.value != "???" or f"required: {key.comment}" in words
    for choice in choices_of(read):
        assert f"  {choice.key}={choice.default}\n" in shown
        assert all(re.search(rf"\b{known}\b", shown) for known in files_in(choice.group))
    assert "--config-dir" in shown
    assert "--multirun" in shown
    assert "--cfg job" in shown
    assert "--hydra-help" in shown


def test_a_choice_of_the_users_own_is_shown(engine: Run, tmp_path: Path) -> None:
    (tmp_path / "my" / "scenario").mkdir(parents=True)
    (tmp_path / "my" / "scenario" / "utopia.yaml").write_text("# Mine.\ndefaults: [staged]\n")
    assert "utopia" in engine("run", "--config-dir", "my", "--help").stdout
    assert "utopia" not in engine("run", "--help").stdout
    assert set(kinds_in("solver")) >= {"", "of bets", "of plans"}


def test_help_of_help_and_of_what_is_not_there(engine: Run) -> None:
    assert engine("help").stdout == engine("--help").stdout == engine().stdout
    assert "usage: engine help [COMMAND]" in engine("help", "--help").stdout
    for arguments in (("help", "alocate"), ("alocate", "--help")):
        done = engine(*arguments)
        assert done.returncode == 2
        assert done.stderr.startswith("engine: unknown command 'alocate': did you mean allocate? expected ")


@pytest.mark.parametrize("name", command_names())
def test_examples_can_be_composed(name: str) -> None:
    command = command_of(name)
    register_schema(name, command)
    assert len(command.examples) == 3
    for example in command.examples:
        line, _, word = example.partition("  # ")
        assert word
        assert len(line) <= 78
        words = shlex.split(line)
        assert shlex.split(example, comments=True) == words
        assert words[:2] == ["engine", name]
        GlobalHydra.instance().clear()
        with initialize_config_dir(str(config_folder()), version_base="1.3"):
            hydra.compose(name, as_hydra_reads(command.schema, words[2:]))


def test_the_usage_shows_the_first_examples(engine: Run) -> None:
    shown = engine("--help").stdout
    for name in all_names():
        entry = word_commands().get(name) or command_of(name)
        assert f"  {name:12} {entry.summary}\n               {entry.examples[0].split('  # ')[0]}\n" in shown
