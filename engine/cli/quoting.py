"""What a user types, as Hydra reads it: names of files and columns in quotes, keys of one's own marked.

Hydra's grammar gives commas, brackets, tildes and equals signs meanings of their own, so that
`portfolio=plan, v2.csv` would be a sweep and `data=q3=final.csv` an error. A value of text is text here.
"""

from __future__ import annotations

import re
from dataclasses import is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

# Where any key may stand, which Hydra asks to be marked.
OPEN = ("columns.", "where.", "sweep.grid.")
# The same where it may be a number, or a mapping.
BUDGET = "budget"
# Keys of text, or of a list of texts.
SEVERAL = ("data",)
PLAIN = re.compile(r"[A-Za-z_./][\w./-]*", re.ASCII)


def as_hydra_reads(schema: type, arguments: list[str]) -> list[str]:
    """The arguments of a command, with texts in quotes wherever Hydra would read something else."""
    many = any(argument in ("-m", "--multirun") for argument in arguments)
    return [
        argument if argument.startswith("-") else _quoted(schema, argument, many) for argument in arguments
    ]


def _quoted(schema: type, argument: str, many: bool) -> str:
    prefix, key, value = _parts(argument)
    if value is None or "hydra" in key.split(".")[0]:
        return argument
    mapped = key.startswith(f"{BUDGET}.") and get_type_hints(schema).get(BUDGET) is Any
    if (mapped or key.startswith(OPEN)) and not prefix:
        group, name = key.rsplit(".", 1) if key.startswith("sweep.") else key.split(".", 1)
        prefix = "++"
        key = key if group.startswith("sweep") else f"{group}.{re.sub(r'[^a-z0-9]+', '_', name.lower())}"
    if not _is_text(schema, key) or _is_meant(value, key, many):
        return f"{prefix}{key}={value}"
    quoted = re.sub(r"(\\*)'", r"\1\1\\'", value)
    quoted = re.sub(r"(\\+)$", r"\1\1", quoted)
    return f"{prefix}{key}='{quoted}'"


def _parts(argument: str) -> tuple[str, str, str | None]:
    """The marks before a key, the key, and its value: of `where.a=b=c`, b=c."""
    key, equals, value = argument.partition("=")
    name = key.lstrip("+~")
    return key[: len(key) - len(name)], name, value if equals else None


def _is_meant(value: str, key: str, many: bool) -> bool:
    """Whether Hydra reads a value of text as it is meant: a word, null, in quotes, interpolated, a list."""
    several = key in SEVERAL or key.startswith("where.")
    return (
        value in ("", "null", "???")
        or (PLAIN.fullmatch(value) is not None and value.lower() not in ("true", "false", "inf", "nan"))
        or value[0] in "'\""
        or "${" in value
        or (several and value.startswith("["))
        or (many and "," in value)
    )


def _is_text(schema: type, key: str) -> bool:
    """Whether a key holds text."""
    if key in SEVERAL or key.startswith(("columns.", "where.")):
        return True
    kind: Any = schema
    for name in key.split("."):
        kind = get_type_hints(kind).get(name) if is_dataclass(kind) else None
    return kind is str or (get_origin(kind) is not None and set(get_args(kind)) == {str, type(None)})
