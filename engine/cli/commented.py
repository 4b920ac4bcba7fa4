"""YAML with its comments: what a key is by default, and what the file says of it.

PyYAML reads values and drops comments. The files of `configs/` are plain enough to be read line by line:
mappings, one line a value, lists on one line or one line an item. A comment belongs to the key on whose line
it ends, and goes on in lines of comment at the same column; or it stands in lines above its key, at the
key's own column or further right. What stands before all keys is about the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# Text in quotes, a comment to the line's end, or a sign; in this order.
PIECES = re.compile(r"""'(?:[^']|'')*'|"(?:[^"\\]|\\.)*"|(?:^|\s+)#.*$|.""")
KEY = re.compile(r"([^\s:'\"\[{#-][^:'\"]*):(?:\s+(.*))?$")
# What Hydra reads in a comment.
PACKAGE = "@package"


@dataclass
class Key:
    """A key, dotted; its value as it stands in the file, None of a mapping on lines below; what is said."""

    name: str
    value: str | None
    comment: str


@dataclass
class Commented:
    """What a file is about, the items of its list of defaults, and its other keys, in order."""

    about: str = ""
    defaults: list[Key] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)


@dataclass
class _Line:
    indent: int
    text: str
    comment: str
    column: int  # of the comment, -1 without one


def read_commented(path: Path) -> Commented:
    """A file of the configuration with its comments."""
    return parse(path.read_text(encoding="utf-8"))


def parse(text: str) -> Commented:
    """The text of such a file with its comments."""
    found, about = Commented(), list[str]()
    lines = list(_lines(text))
    while lines and not lines[0].text:
        about.append(lines.pop(0).comment)
    found.about = _joined(about)
    above: list[str] = []
    open_keys: list[tuple[int, str]] = []
    last: Key | None = None  # whose comment may go on, at this column
    column = -1
    for line in lines:
        if not line.text:
            if last is not None and line.column == column:
                last.comment = _joined([last.comment, line.comment])
            else:
                above.append(line.comment)
            continue
        comment, above = _joined([*above, line.comment]), []
        last, column = _take(found, open_keys, line, comment), line.column
    _settle(found)
    return found


def _take(found: Commented, open_keys: list[tuple[int, str]], line: _Line, comment: str) -> Key:
    """Enter what a line says: a key, or an item of the list that the last key is."""
    if line.text.startswith("- "):
        item = line.text[2:].strip()
        if found.keys and open_keys[0][1] != "defaults":
            return _add_item(found.keys[-1], item, comment)
        name, _, value = item.partition(": ")
        found.defaults.append(Key(name, value or None, comment))
        return found.defaults[-1]
    matched = KEY.match(line.text)
    if matched is None:
        raise ValueError(f"{line.text!r} is neither a key nor an item")
    while open_keys and open_keys[-1][0] >= line.indent:
        open_keys.pop()
    open_keys.append((line.indent, matched[1]))
    key = Key(".".join(name for _, name in open_keys), matched[2], comment)
    if key.name != "defaults":
        found.keys.append(key)
    return key


def _add_item(key: Key, item: str, comment: str) -> Key:
    """One item more of a list that stands on several lines, as of one that stands on one."""
    key.value = f"{key.value[:-1]}, {item}]" if key.value else f"[{item}]"
    key.comment = _joined([key.comment, comment])
    return key


def _settle(found: Commented) -> None:
    """A key without a value and without keys below it is null."""
    groups = {key.name.rpartition(".")[0] for key in found.keys}
    for key in found.keys:
        if not key.value:
            key.value = None if key.name in groups else "null"


def _lines(text: str) -> Iterator[_Line]:
    """The lines that are not empty, taken apart."""
    for raw in text.splitlines():
        at = next((p.start() for p in PIECES.finditer(raw) if p[0].lstrip().startswith("#")), len(raw))
        comment = raw[at:].strip().removeprefix("#").strip()
        if not raw.strip() or comment.startswith(PACKAGE):
            continue
        before = raw[:at]
        column = raw.index("#", at) if at < len(raw) else -1
        yield _Line(len(before) - len(before.lstrip()), before.strip(), comment, column)


def _joined(parts: list[str]) -> str:
    return " ".join(filter(None, parts))
