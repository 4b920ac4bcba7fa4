"""What is chosen by name: the files of a group of the configuration, those that ship and a user's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from engine.cli.commented import Commented, read_commented
from engine.files.shipped import config_folder

CONFIG_DIR = ("--config-dir", "-cd")
# What stands in a list of defaults and is no choice.
FIXED = ("schema/", "override ", "_self_", "quiet", "reading")
# What the file of an old name says of itself.
OLD_NAME = "by its old name"


class Choice(NamedTuple):
    """A key whose values are names of files, the folder of these, and which is chosen unless told."""

    key: str
    group: str
    default: str
    comment: str


def choices_of(command: Commented) -> Iterator[Choice]:
    """The choices that a command's file leaves."""
    for each in command.defaults:
        if not each.name.startswith(FIXED):
            yield Choice(each.name, each.name.split("@")[0], each.value or "null", each.comment)


def files_in(group: str, own: Sequence[Path] = ()) -> dict[str, Path]:
    """The files of a group by name, of the package and of these folders, but those of old names."""
    folders = (config_folder(), *own)
    found = {path.stem: path for folder in folders for path in (folder / group).glob("*.yaml")}
    return {name: path for name, path in sorted(found.items()) if OLD_NAME not in path.read_text()[:200]}


def kinds_in(group: str, own: Sequence[Path] = ()) -> dict[str, list[str]]:
    """The names in a group by what they are of, where their first comment begins so: `Of bets: ...`."""
    found: dict[str, list[str]] = {}
    for name, path in files_in(group, own).items():
        first, colon, _ = read_commented(path).about.partition(": ")
        kind = first.lower() if colon and first.startswith("Of ") else ""
        found.setdefault(kind, []).append(name)
    return dict(sorted(found.items()))


def named_folders(arguments: Sequence[str]) -> list[Path]:
    """The folder of `--config-dir`, as far as it is among the arguments."""
    named = [
        following if word in CONFIG_DIR else word.partition("=")[2]
        for word, following in zip(arguments, [*arguments[1:], ""], strict=False)
        if word in CONFIG_DIR or word.startswith("--config-dir=")
    ]
    return [Path(name) for name in named if name]
