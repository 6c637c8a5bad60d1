"""Rows of prices in JSON: lists as ccxt and freqtrade keep them, records, and what pandas writes."""

from __future__ import annotations

import json
from typing import Any

from .columns import CCXT


def rows_of_json(text: str) -> tuple[list[list[str]], str | None] | None:
    """A header and the rows of cells, numbers as they are written, and whose form it is; None for no JSON.

    Read are lists [time, open, high, low, close, volume], records, {column: {time: value}}, and {columns, index, data}.

    Raises ValueError for JSON of another form.
    """
    try:
        value = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and {"columns", "data"} <= set(value):
        names, index = value["columns"], value.get("index")
        rows = value["data"]
        if index is not None:
            names, rows = ["date", *names], [[stamp, *row] for stamp, row in zip(index, rows, strict=False)]
        return _cells(names, rows), None
    if isinstance(value, dict) and value and all(isinstance(column, dict) for column in value.values()):
        stamps = list(next(iter(value.values())))
        return _cells(["date", *value], [[stamp, *(c.get(stamp) for c in value.values())] for stamp in stamps]), None
    if isinstance(value, list) and value and all(isinstance(row, list) and len(row) == 6 for row in value):
        return _cells(CCXT, value), "ccxt or freqtrade"
    if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
        names = list(value[0])
        return _cells(names, [[row.get(name) for name in names] for row in value]), None
    raise ValueError(
        "JSON of prices is a list of [time, open, high, low, close, volume], a list of records, or what pandas' "
        "to_json writes; save it as one of these, or as CSV"
    )


def _cells(names: list[Any], rows: list[Any]) -> list[list[str]]:
    """A header and rows as text. Raises ValueError where a cell is no text or number."""
    table = [list(names), *(list(row) for row in rows)]
    if any(isinstance(cell, list | dict | bool) for row in table for cell in row):
        raise ValueError("a cell of the JSON is a list or an object; save the file as CSV")
    return [["" if cell is None else str(cell).strip() for cell in row] for row in table]
