"""`engine COMMAND --help`: what a command does, examples, and its keys with what its YAML file says."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.cli.choices import Choice, choices_of, kinds_in, named_folders
from engine.cli.command import Command, Entry, WordCommand
from engine.cli.commented import Commented, Key, read_commented
from engine.files.shipped import MISSING, config_folder

# Columns of a page: not below, nor above what is easily read; and where what is said of a key begins.
LEAST_WIDTH, MOST_WIDTH, MARGIN = 42, 110, 28
HYDRA = (
    "--config-dir FOLDER adds choices of your own; --multirun runs each of key=a,b.",
    "--cfg job prints all keys as composed; --hydra-help, all other options.",
)
OPTIONS = {
    "scenario": "scenario.KEY=... changes a key of the scenario; --cfg job prints them all.",
    "solver": "solver.NAME.OPTION=... sets an option of a solver; --cfg job prints them.",
}


def page(name: str, command: Command | WordCommand, arguments: Sequence[str] = ()) -> str:
    """The help of a command, at most as wide as the terminal.

    **Arguments:** `arguments`, its command line, which may name a folder of the user's own choices.
    """
    width = page_width()
    if isinstance(command, WordCommand):
        about = f"engine {name}: {command.summary}."
        sections = [_filled(about, width), [f"usage: {command.usage}"], _examples(command, width)]
    else:
        read = read_commented(config_folder() / f"{name}.yaml")
        sections = [_filled(read.about, width), [f"usage: engine {name} [key=value ...]"]]
        sections += [_examples(command, width), *_keys("keys", read, width)]
        if any(each.name == "reading" for each in read.defaults):
            reading = read_commented(config_folder() / "reading.yaml")
            sections += _keys("how tables are read", reading, width)
        sections.append(_choices(list(choices_of(read)), named_folders(arguments), width))
        sections.append(["options of Hydra:", *(line for each in HYDRA for line in _filled(each, width, 2))])
    return "\n\n".join("\n".join(lines) for lines in sections if lines)


def page_width() -> int:
    """The columns of the terminal, 80 where there is none, within reason."""
    return min(max(shutil.get_terminal_size().columns, LEAST_WIDTH), MOST_WIDTH)


def _filled(text: str, width: int, indent: int = 0, first: int | None = None) -> list[str]:
    """Lines of text, the first indented as it is told to be."""
    begin = " " * (indent if first is None else first)
    return textwrap.wrap(
        text, width, initial_indent=begin, subsequent_indent=" " * indent, break_on_hyphens=False
    )


def _examples(command: Entry, width: int) -> list[str]:
    lines = ["examples:"]
    for example in command.examples:
        line, _, word = example.partition("  # ")
        lines += [*_filled(line, width, 6, 2), *_filled(word, width, 6)]
    return lines


def _keys(title: str, read: Commented, width: int) -> Iterator[list[str]]:
    """A section of keys that stand alone, and one for each group of keys."""
    keys = [key for key in read.keys if key.name.split(".")[0] != "hydra"]
    groups = {key.name: key for key in keys if key.value is None}
    alone = [key for key in keys if key.value is not None and key.name.split(".")[0] not in groups]
    if alone:
        yield [f"{title}:", *(line for key in alone for line in _key(key, width))]
    for name, group in groups.items():
        own = [key for key in keys if key.value is not None and key.name.startswith(f"{name}.")]
        heading = f"{title}, {name}" if title != "keys" else name
        lines = _filled(f"{heading}: {group.comment}", width, 2, 0)
        yield [*lines, *(line for key in own for line in _key(key, width))]


def _key(key: Key, width: int) -> Iterator[str]:
    """A key with its default, and beside it, or below where there is no room, what is said of it."""
    required = key.value == MISSING
    left = _filled(f"{key.name}={'' if required else key.value}", width, 6, 2)
    said = f"required: {key.comment}" if required else key.comment
    margin = min(MARGIN, width // 3)
    right = _filled(said, width, margin)
    if right and len(left) == 1 and len(left[0]) < margin - 1:
        right[0] = left.pop().ljust(margin) + right[0].lstrip()
    yield from left
    yield from right


def _choices(choices: list[Choice], own: Sequence[Path], width: int) -> list[str]:
    if not choices:
        return []
    lines = ["choices, of files by name:"]
    for choice in choices:
        lines += _filled(f"{choice.key}={choice.default}", width, 6, 2)
        lines += _filled(choice.comment, width, 6)
        for kind, names in kinds_in(choice.group, own).items():
            text = ", ".join(names)
            lines += _filled(f"{kind}: {text}", width, 8, 6) if kind else _filled(text, width, 6)
        lines += _filled(OPTIONS.get(choice.key, ""), width, 6)
    return lines
