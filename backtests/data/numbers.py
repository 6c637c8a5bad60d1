"""Numbers as files write them: 1,234.56 and 1.234,56, $1.2k and (5), and which mark a file uses for decimals."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

MISSING = {"", "-", "--", "—", "n/a", "na", "nan", "null", "none", "nil", "#n/a", "."}
SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
# currency signs and codes, spaces of every kind, and the Swiss apostrophe
_DECORATION = re.compile(r"[\s\u00a0\u202f\u2009\u2019'$€£¥₿]|USDT?|EUR|GBP|CHF|JPY")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_EITHER = re.compile(r"\d{1,3}([.,])\d{3}")


def decimal_mark(columns: Sequence[Sequence[str]], delimiter: str, lines: Sequence[int]) -> tuple[str, str | None]:
    """The decimal mark of a file, and a statement where it is not plainly a point.

    columns: the cells of each; delimiter: between cells; lines: the line of the file of each row.

    Raises ValueError, with the row, where cells contradict each other, or where 1,234 can be read in two ways.
    """
    votes: dict[str, str] = {}
    doubtful = ""
    for text in dict.fromkeys(text for column in columns for text in column if "." in text or "," in text):
        cell = _DECORATION.sub("", text).rstrip("%KkMmBbTt").lstrip("+-(").rstrip(")")
        mark = _vote(cell)
        if mark:
            votes.setdefault(mark, text)
        elif "," in cell and _EITHER.fullmatch(cell):
            doubtful = doubtful or text
    if len(votes) == 2:
        raise ValueError(
            f"the decimal mark is a point in {votes['.']!r}, row {_row(votes['.'], columns, lines)}, and a comma in "
            f"{votes[',']!r}, row {_row(votes[','], columns, lines)}; say which with --decimal"
        )
    if "," in votes:
        return ",", f"decimal comma, as in {votes[',']!r}"
    if "." not in votes and doubtful and delimiter == ";":
        raise ValueError(
            f"{doubtful!r}, row {_row(doubtful, columns, lines)}, can be read with a decimal comma or a thousands "
            "comma; say which with --decimal"
        )
    return ".", f"commas separate thousands, as in {doubtful!r}" if doubtful else None


def _row(text: str, columns: Sequence[Sequence[str]], lines: Sequence[int]) -> int:
    """The first line of the file with this cell."""
    return min(lines[column.index(text)] for column in columns if text in column)


def parse_numbers(texts: Sequence[str], decimal: str = ".") -> tuple[np.ndarray, int | None]:
    """The values, NaN for a missing one, and the position of the first text that is no number; None where all are."""
    column = pd.Series(texts, dtype="str")
    if decimal == ".":
        quick = pd.to_numeric(column, errors="coerce").to_numpy(float, na_value=np.nan).copy()
        todo = np.flatnonzero(~np.isfinite(quick))
    else:
        quick, todo = np.full(len(column), np.nan), np.arange(len(column))
    for place in map(int, todo):
        value = _number(texts[place], decimal)
        if value is None:
            return quick, place
        quick[place] = value
    return quick, None


def _vote(cell: str) -> str | None:
    """The only decimal mark with which this cell can be read; None where both or neither can be."""
    points, commas = cell.count("."), cell.count(",")
    if points and commas:
        return "." if cell.rindex(".") > cell.rindex(",") else ","
    mark, other = (".", ",") if points else (",", ".")
    if points + commas > 1:  # 1,234,567
        return other if re.fullmatch(r"\d{1,3}([.,]\d{3})+", cell) else None
    if not re.fullmatch(r"\d*[.,]\d*([eE][+-]?\d+)?", cell):
        return None
    if _EITHER.fullmatch(cell) and not cell.startswith("0"):
        return None  # 1,234
    return mark


def _number(text: str, decimal: str) -> float | None:
    """The value of a text in any notation of the module's docstring, NaN for a missing one; None for no number."""
    if text.lower() in MISSING:
        return float("nan")
    cell = _DECORATION.sub("", text)
    scale = 1.0
    if cell[-1:].lower() in SUFFIXES:
        scale, cell = SUFFIXES[cell[-1].lower()], cell[:-1]
    if cell.startswith("(") and cell.endswith(")"):  # an accountant's minus
        cell = "-" + cell[1:-1]
    thousands = "," if decimal == "." else "."
    whole, mark, fraction = cell.partition(decimal)
    if thousands in whole:
        if not re.fullmatch(rf"[+-]?\d{{1,3}}(\{thousands}\d{{2,3}})*\{thousands}\d{{3}}", whole):
            return None
        whole = whole.replace(thousands, "")
    cell = whole + ("." if mark else "") + fraction
    return float(cell) * scale if _NUMBER.fullmatch(cell) else None
