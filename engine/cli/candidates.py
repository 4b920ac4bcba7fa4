"""The words that may stand at the cursor: commands, options, keys, and the values of keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from engine.cli.choices import choices_of, files_in, kinds_in, named_folders
from engine.cli.command import ReadingConfig
from engine.cli.commented import Commented, read_commented
from engine.cli.completion import SCRIPTS
from engine.cli.main import all_names, command_names, command_of
from engine.files.shipped import config_folder, portfolio_names

OPTIONS = ("--help", "--config-dir", "--multirun", "--cfg", "--hydra-help")
# Keys whose values are files or folders, and those of them that are portfolios that ship too.
PATHS = ("bounds", "data", "draws", "log", "output", "plan", "rules", "scales", "study")
SHIPPED = ("portfolio", "draws")
# Groups of keys that are as many as a screen holds: offered a part at a time.
DEEP = ("scenario.", "sweep.grid.")
CURVES = "curves@scenario.curves"


def candidates(before: Sequence[str], current: str) -> list[str]:
    """What may stand after these words, beginning as the current word does."""
    if not before:
        known = [*all_names(), *(["--help", "--version"] if current.startswith("-") else [])]
    elif before[0] in command_names():
        return _of_command(before[0], list(before[1:]), current)
    else:
        words = {"help": all_names(), "completion": sorted(SCRIPTS)}
        known = words.get(before[0], []) if len(before) == 1 else []
    return [name for name in known if name.startswith(current)]


def _of_command(name: str, given: list[str], current: str) -> list[str]:
    if given[-1:] == ["--cfg"]:
        return [each for each in ("job", "hydra", "all") if each.startswith(current)]
    if given[-1:] == ["--config-dir"]:
        return [path for path in _paths(current) if path.endswith("/")]
    if current.startswith("-"):
        return [option for option in OPTIONS if option.startswith(current)]
    marks = current[: len(current) - len(current.lstrip("+~"))]
    key, equals, value = current.removeprefix(marks).partition("=")
    if equals:
        return [f"{marks}{key}={each}" for each in _values(name, key, value, named_folders(given))]
    known = [each for each in _keys(name, given) if not any(word.startswith(f"{each}=") for word in given)]
    return [f"{marks}{each}" for each in _by_part(known, key)]


def _by_part(keys: Sequence[str], begin: str) -> list[str]:
    """The keys that begin so; of those of which there are many, as far as the next dot."""
    found: dict[str, None] = {}
    for key in keys:
        if key.startswith(begin):
            rest = key[len(begin) :]
            deep = key.startswith(DEEP) and "." in rest
            found[f"{begin}{rest.partition('.')[0]}." if deep else f"{key}="] = None
    return sorted(found)


def _files_of(name: str) -> Iterator[Commented]:
    """A command's file, and that of reading tables if it reads some."""
    yield read_commented(config_folder() / f"{name}.yaml")
    if issubclass(command_of(name).schema, ReadingConfig):
        yield read_commented(config_folder() / "reading.yaml")


def _keys(name: str, given: Sequence[str]) -> Iterator[str]:
    """The keys of a command, of its scenario, and of the solvers that are chosen."""
    own, *reading = _files_of(name)
    for read in (own, *reading):
        yield from (
            key.name for key in read.keys if key.value is not None and key.name.split(".")[0] != "hydra"
        )
    for choice in choices_of(own):
        yield choice.key
        if choice.key in ("solver", "objective"):
            yield from _options(choice.group, _chosen(choice.key, choice.default, given))
        if choice.key == "scenario":
            nested = list(_nested(get_type_hints(command_of(name).schema)["scenario"], "scenario."))
            yield from (CURVES, *nested)
            if name == "sweep":
                yield from (f"sweep.grid.{key}" for key in ("budget", *nested))


def _chosen(key: str, default: str, given: Sequence[str]) -> list[str]:
    value = next((word.partition("=")[2] for word in reversed(given) if word.startswith(f"{key}=")), default)
    return [each.strip() for each in value.strip("[]").split(",")]


def _options(group: str, chosen: Sequence[str]) -> Iterator[str]:
    files = files_in(group)
    for name in chosen:
        if name in files:
            keys = read_commented(files[name]).keys
            yield from (f"{group}.{key.name}" for key in keys if "." in key.name)


def _nested(schema: Any, where: str) -> Iterator[str]:
    """The keys of a schema that are no schemas themselves."""
    for name, kind in get_type_hints(schema).items():
        if is_dataclass(kind):
            yield from _nested(kind, f"{where}{name}.")
        else:
            yield f"{where}{name}"


def _values(name: str, key: str, value: str, own: Sequence[Path]) -> list[str]:
    """The values of a key that begin so; after a bracket or a comma one more of a list."""
    at = 1 + max(value.rfind("["), value.rfind(","))
    head, item = value[:at], value[at:]
    there = set(head.strip("[").split(","))
    known = [each for each in _known_values(name, key, own) if each.startswith(item) and each not in there]
    found = [f"{head}{each}" for each in [*known, *(_paths(item) if _is_path(name, key) else [])]]
    # A shell that has but one word to offer takes it for the end, and closes what quote is open.
    return [f"{found[0]}{sign}" for sign in ",]"] if head.startswith("[") and len(found) == 1 else found


def _known_values(name: str, key: str, own: Sequence[Path]) -> list[str]:
    group = key.split("@")[0]
    own_file = next(_files_of(name))
    if key == CURVES or key in [choice.key for choice in choices_of(own_file)]:
        return list(files_in(group, own))
    if key == "policy":
        return kinds_in("solver")["of plans"]
    kind, words = _typed(command_of(name).schema, key)
    if kind is bool or bool in get_args(kind):
        return ["true", "false"]
    if words:
        return list(words)
    if key in SHIPPED and _is_path(name, key):
        return portfolio_names()
    default = next((each.value for each in own_file.keys if each.name == key), None) or ""
    items = default[1:-1].split(", ") if default.startswith("[") else []
    return [item for item in items if item.isidentifier()]


def _is_path(name: str, key: str) -> bool:
    """Whether the values of a key are files or folders: `draws` is a number to some commands."""
    kind, _ = _typed(command_of(name).schema, key)
    return key.split(".")[-1] in (*PATHS, *SHIPPED) and kind not in (None, bool, int)


def _typed(schema: Any, key: str) -> tuple[Any, Sequence[str]]:
    """The type of a key, and the words that it may be."""
    words: Sequence[str] = ()
    for part in key.split("."):
        found = {each.name: each for each in fields(schema)} if is_dataclass(schema) else {}
        if part not in found:
            return None, ()
        words = found[part].metadata.get("values", ())
        schema = get_type_hints(schema)[part]
    return schema, words


def _paths(begin: str) -> list[str]:
    """Files and folders whose path begins so."""
    folder = begin.rpartition("/")[0] + "/" if "/" in begin else ""
    try:
        inside = sorted(Path(folder or ".").expanduser().iterdir())
    except OSError:
        return []
    shown = [f"{folder}{path.name}{'/' if path.is_dir() else ''}" for path in inside]
    hidden = begin[len(folder) :].startswith(".")
    return [each for each in shown if each.startswith(begin) and (hidden or each[len(folder)] != ".")]
