"""Numbers as files write them: 1,234.56 and 1.234,56, $1.2k and (5), and which mark a file uses for decimals."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from .table import PRICES

MISSING = {"", "-", "--", "—", "n/a", "na", "nan", "null", "none", "nil", "#n/a", "."}
SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
# thousands set apart by a space of any kind or the Swiss apostrophe; other gaps between digits are none
_APART = r"[\s\u00a0\u202f\u2009\u2019']"
_GAP = re.compile(rf"\d{_APART}+\d")
_GROUPS = re.compile(rf"\D*\d{{1,3}}(?:{_APART}\d{{2,3}})*{_APART}\d{{3}}(?:[.,]\d*)?(?:[eE][+-]?\d+)?\D*")
# these, and the signs and codes of currencies
_DECORATION = re.compile(rf"{_APART}|[$€£¥₿]|USDT?|EUR|GBP|CHF|JPY")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_EITHER = re.compile(r"\d{1,3}([.,])\d{3}")
# a whole number and eighths, or 32nds with the part of one after them
_FRACTION = re.compile(r"(\d+)['-](?:([0-7])|([0-2]\d|3[01])([0-9+]?))")
# the last digit of 32nds: decimals of one cut off (2 is a quarter), or eighths of one (2 is a quarter, 4 a half)
_CUT = {"": 0.0, "0": 0.0, "2": 0.25, "5": 0.5, "+": 0.5, "7": 0.75}
_EIGHTHS = {"": 0.0, "+": 0.5, **{str(n): n / 8 for n in range(8)}}
FRACTIONS = ("8ths", "32nds")


def decimal_mark(columns: Mapping[str, Sequence[str]], delimiter: str, lines: Sequence[int]) -> tuple[str, str | None]:
    """The decimal mark of a file, and a statement where it is not plainly a point.

    columns: role → its cells; delimiter: between cells; lines: the line of the file of each row.

    Raises ValueError, with the row, where cells contradict each other, or where a number such as 1,234 can be read in
    two ways and nothing else decides: a price with a comma; a point in a file of `;`, where a comma is usual, and in
    a column with numbers that have no point, since decimals are mostly written in all or in none.
    """
    votes: dict[str, str] = {}
    doubtful: dict[str, str] = {}
    cells = [column for role, column in columns.items() if role in PRICES] + [*columns.values()]
    for text in dict.fromkeys(text for column in cells for text in column if "." in text or "," in text):
        cell = _DECORATION.sub("", text).rstrip("%KkMmBbTt").lstrip("+-(").rstrip(")")
        mark = _vote(cell)
        if mark:
            votes.setdefault(mark, text)
        elif _EITHER.fullmatch(cell):
            doubtful.setdefault("," if "," in cell else ".", text)
    if len(votes) == 2:
        rows = {mark: _row(text, columns.values(), lines) for mark, text in votes.items()}
        raise ValueError(
            f"the decimal mark is a point in {votes['.']!r}, row {rows['.']}, and a comma in {votes[',']!r}, row "
            f"{rows[',']}; say which with --decimal . or --decimal ,"
        )
    if "," in votes:
        return ",", f"decimal comma, as in {votes[',']!r}"
    if not votes:
        _refuse_both(columns, doubtful, delimiter, lines)
    return ".", f"commas separate thousands, as in {doubtful[',']!r}" if "," in doubtful else None


def _refuse_both(
    columns: Mapping[str, Sequence[str]], doubtful: Mapping[str, str], delimiter: str, lines: Sequence[int]
) -> None:
    """Raises ValueError for a number that can be read in two ways; doubtful: mark → a text with it."""
    for mark, text in doubtful.items():
        role, column = next((role, column) for role, column in columns.items() if text in column)
        if role in PRICES if mark == "," else delimiter == ";" or any(cell.isdigit() for cell in column):
            whole = re.sub(r"[.,]", "", text)
            raise ValueError(
                f"{text!r}, row {_row(text, [column], lines)}, is {whole} with thousands apart, or "
                f"{text.replace(',', '.')} with a decimal {'comma' if mark == ',' else 'point'}; say which with "
                "--decimal , or --decimal ."
            )


def refuse_fractions(prices: Sequence[Sequence[str]], lines: Sequence[int]) -> None:
    """Raises ValueError for a price such as 112'045, which is 112,045 or 112 and 4.5/32, where no price decides."""
    quoted = [text for column in prices for text in column if "'" in text]
    if quoted and all(_FRACTION.fullmatch(text.strip()) for text in quoted):
        form = "8ths" if all(_FRACTION.fullmatch(text.strip())[2] for text in quoted) else "32nds"  # type: ignore[index]
        raise ValueError(
            f"{quoted[0]!r}, row {_row(quoted[0], prices, lines)}, has an apostrophe between thousands or before "
            f"{form}; say --fractions {form}, or --decimal . for thousands"
        )


def from_fractions(prices: Mapping[str, Sequence[str]], form: str, lines: Sequence[int]) -> dict[str, list[str]]:
    """Prices in 8ths (455'4) or 32nds (112'045, 112-04+) as decimals, by role.

    Raises ValueError, with the row, for a price that is none, and where the last digit of 32nds has two readings.
    """
    last = {match[4] for column in prices.values() for text in column if (match := _FRACTION.fullmatch(text))}
    parts = _CUT if (last - {None}) <= set(_CUT) else _EIGHTHS
    if parts is _EIGHTHS and not (last - {None}) <= {"", "0", "+", "2", "4", "6"}:
        raise ValueError(f"the last digits {', '.join(sorted(filter(None, last)))} of 32nds are no quarters of one")
    decimals: dict[str, list[str]] = {}
    for role, column in prices.items():
        decimals[role] = []
        for place, text in enumerate(column):
            match = _FRACTION.fullmatch(text)
            if text and (match is None or (match[2] is None) == (form == "8ths")):
                raise ValueError(f"row {lines[place]}: {role} {text!r} is not a price in {form}")
            decimals[role].append("" if match is None else repr(_value(match, parts)))
    return decimals


def _value(match: re.Match[str], parts: Mapping[str, float]) -> float:
    """The value of a price in 8ths, or in 32nds with these parts of one."""
    if match[2] is not None:
        return int(match[1]) + int(match[2]) / 8
    return int(match[1]) + (int(match[3]) + parts[match[4]]) / 32


def _row(text: str, columns: Iterable[Sequence[str]], lines: Sequence[int]) -> int:
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
    if _GAP.search(text) and not _GROUPS.fullmatch(text):
        return None
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
    value = float(cell) * scale if _NUMBER.fullmatch(cell) else math.inf
    return value if math.isfinite(value) else None
