"""Numbers as people write them: which mark is the decimal one is seen from a whole column, or refused.

A cell may have a currency sign, a percent sign (45 % is 0.45) and thousands in groups of three, parted by
points, commas, spaces or apostrophes. What its points and commas mean is decided for the column:

- a mark that occurs twice in a cell, or before another mark, parts thousands, and the other is decimal;
- a mark that occurs once is decimal unless just three digits follow one to three others, and the first is no
  0: so in 0.125, 12,5 and 1234.567;
- where every cell could be either, as 1,500 could, the other columns of the file that are numbers decide;
- where they do not, a point is decimal in files in which programs write so (commas between cells, JSON,
  Parquet), and anything else is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

MARKS = {"point": ".", "comma": ","}
CURRENCY = "$¢£¤¥฿৳₠-⃀"
SPACES = " \u00a0\u2009\u202f"
NOTHING = frozenset(("", "na", "n/a", "nan", "#n/a", "<na>", "null", "none"))
_CELL = re.compile(
    rf"(?P<sign>[+\-−]?)[{SPACES}]*(?P<before>[{CURRENCY}]?)[{SPACES}]*(?P<inner>[+\-−]?)"
    rf"(?P<digits>(?:\d|[.,]\d)[\d.,'’{SPACES}]*?)(?P<power>[eE][+-]?\d+)?"
    rf"[{SPACES}]*(?P<after>[{CURRENCY}%]?)"
)


def is_nothing(cell: str) -> bool:
    """Whether a cell holds nothing: it is blank, or says so, as NA and NaN do."""
    return cell.strip().lower() in NOTHING


def looks_like_number(cell: str) -> bool:
    """Whether a cell is a number in some writing."""
    return _CELL.fullmatch(cell.strip()) is not None


def decimal_marks(cells: Iterable[str]) -> tuple[set[str], set[str]]:
    """The marks that some cell shows to be decimal, and those in cells that could be read either way."""
    shown, unclear = set(), set()
    for cell in cells:
        found = _CELL.fullmatch(cell.strip())
        marks = [char for char in found["digits"] if char in ".,"] if found else []
        if not marks or found is None:
            continue
        last, other = marks[-1], "," if marks[-1] == "." else "."
        before, after = found["digits"].rsplit(last, 1)
        if marks.count(last) > 1:
            shown.add(other)
        elif other in marks or len(after) != 3 or found["power"] or not _could_be_group(before):
            shown.add(last)
        else:
            unclear.add(last)
    return shown, unclear


def _could_be_group(digits: str) -> bool:
    return 1 <= len(digits) <= 3 and not digits.startswith("0")


def plain_texts(cells: Sequence[str], mark: str, what: str) -> list[str]:
    """The cells as Python writes numbers, those that hold none as they are.

    **Raises:** `ValueError` that begins with `what` the column is, where units are mixed.
    """
    signs = {sign for cell in cells for sign in _signs(cell)}
    if len(signs) > 1:
        raise ValueError(f"{what} mixes {' and '.join(sorted(signs))}, expected one of them")
    if signs == {"%"}:
        for cell in cells:
            if not cell.rstrip().endswith("%") and not is_nothing(cell) and cell.strip().strip("0.,"):
                raise ValueError(f"{what} has {cell.strip()[:42]!r} among percentages, expected a % sign")
    pattern = _pattern(mark)
    return [_plain_text(cell, mark, pattern) for cell in cells]


def _signs(cell: str) -> list[str]:
    if cell.isascii() and "$" not in cell and "%" not in cell:
        return []
    found = _CELL.fullmatch(cell.strip())
    return [sign for sign in (found["before"], found["after"]) if sign] if found else []


@lru_cache(maxsize=2)
def _pattern(mark: str) -> re.Pattern[str]:
    """Digits with this decimal mark, in groups of three with the same mark between them or in none."""
    group = "," if mark == "." else "."
    grouped = rf"\d{{1,3}}(?:(?P<part>[{group}'’{SPACES}])\d{{3}})(?:(?P=part)\d{{3}})*"
    return re.compile(rf"(?P<whole>{grouped}|\d*)(?:{re.escape(mark)}(?P<rest>\d*))?")


def _plain_text(cell: str, mark: str, pattern: re.Pattern[str]) -> str:
    found = _CELL.fullmatch(cell.strip())
    digits = pattern.fullmatch(found["digits"]) if found else None
    if found is None or digits is None or (found["sign"] and found["inner"]):
        return cell
    sign = (found["sign"] + found["inner"]).replace("−", "-")
    whole = re.sub(r"\D", "", digits["whole"])
    text = f"{sign}{whole}.{digits['rest']}" if digits["rest"] is not None else sign + whole
    text += found["power"] or ""
    return repr(_hundredth(text)) if found["after"] == "%" else text


def _hundredth(text: str) -> float:
    """The number that a percentage is, rounded once: 7 % is 0.07."""
    digits, _, power = text.lower().partition("e")
    return float(f"{digits}e{int(power or 0) - 2}")


def parsed(cells: Sequence[Any]) -> np.ndarray | None:
    """Cells that are all numbers, in text as Python writes them, NaN where there is nothing; else None."""
    try:
        if "_" not in "".join(cells):
            return np.array(list(map(float, cells)))
    except (TypeError, ValueError):
        pass
    values = []
    for cell in cells:
        try:
            nothing = cell is None or (isinstance(cell, str) and is_nothing(cell))
            values.append(math.nan if nothing else float(cell))
        except (TypeError, ValueError, OverflowError):
            return None
        if isinstance(cell, bool) or (isinstance(cell, str) and "_" in cell):
            return None
    return np.array(values)
