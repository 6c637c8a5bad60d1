"""Values as JSON has them, and tables as spreadsheets have."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

# What metrics.json and recipe.json hold, and what a caller may pass on to a class: names with values of any type.
Values: TypeAlias = dict[str, Any]
Record: TypeAlias = Mapping[str, Any]
Parameters: TypeAlias = Mapping[str, Any]

_FORMULA, _QUOTED = re.compile(r"(?='*[=+\-@\t\r])"), re.compile(r"'(?='*[=+\-@\t\r])")
_PLAIN = (str, int, bool, type(None))


def plain(value: Any) -> Any:
    """The value in JSON's types: NaN and infinity become null, dates ISO text, tuples and arrays lists."""
    if type(value) in _PLAIN:  # tested first: most values are, and a sweep has a hundred thousand
        return value
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str | int | float):
        return value
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value), key=str)
    return str(value)  # no run is lost for a parameter that JSON has no type for


def number(value: float | None) -> float:
    """A value as a float: NaN where it is None, which JSON has for it."""
    return math.nan if value is None else float(value)


def write_json(path: Path, values: Record) -> None:
    """Writes the values as indented JSON."""
    path.write_text(json_text(values), encoding="utf-8")


def json_text(values: Record) -> str:
    """The values as indented JSON."""
    return json.dumps(plain(values), indent=2, allow_nan=False) + "\n"


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """The table with a `'` before each text that a spreadsheet would take for a formula; `with_texts` undoes it."""
    return _each_text(table, _FORMULA, "'")


def with_texts(table: pd.DataFrame) -> pd.DataFrame:
    """The table that `without_formulas` made this one of."""
    return _each_text(table, _QUOTED, "")


def _each_text(table: pd.DataFrame, start: re.Pattern[str], put: str) -> pd.DataFrame:
    def change(cell: object) -> object:
        return put + cell[match.end() :] if isinstance(cell, str) and (match := start.match(cell)) else cell

    texts = table.select_dtypes(["object", "string"])
    return table.assign(**{name: text.map(change) for name, text in texts.items()}) if len(table) else table
