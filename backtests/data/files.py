"""Reads a file of prices as a table: delimited text (CSV) in its many dialects, JSON, Parquet and feather."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from .columns import Layout, find_layout, with_tick_volume
from .dates import BadDate, parse_dates
from .frames import is_frame, read_frame
from .options import DataOptions
from .stamps import bar_closes, kind_of
from .symbols import rows_of, symbol_places
from .table import Table
from .text import read_cells
from .values import complete, read_numbers

EXCEL = (".xlsx", ".xls", ".ods")


def read_file(path: str | Path, options: DataOptions | None = None) -> Table:
    """The rows of a file, in order of time where the file has the newest first.

    Of the options, those of `OF_FILES` settle what the file leaves open.

    Raises LookupError where there is no such file, ValueError with the file and the row for what cannot be read.
    """
    options, path = options or DataOptions(), Path(path).expanduser()
    if not path.is_file():
        raise LookupError(f"there is no file {path}")
    if path.suffix.lower() in EXCEL:
        raise ValueError(f"{path.name} is an Excel workbook; save the sheet as CSV")
    try:
        if is_frame(path):
            rows, lines, statements, form = read_frame(path, options)
        else:
            rows, lines, statements, form = _text(path, options)
    except ValueError as error:
        if str(error).startswith(path.name):
            raise
        raise ValueError(f"{path.name}: {error}") from None
    if form:
        statements = [f"a file as {form} writes it", *statements]
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    pin = {"source": "file", "path": str(path), "sha256": sha256}
    table = Table(rows, f"file {path.name}, sha256 {sha256[:12]}", lines, tuple(statements), None, pin, form)
    return _oldest_first(table)


def _text(path: Path, options: DataOptions) -> tuple[pd.DataFrame, np.ndarray, list[str], str | None]:
    """The rows of a text file, the line each stands on, the statements, and the form."""
    cells = read_cells(path)
    try:
        layout = find_layout(cells.rows, options.columns, options.only)
        layout = layout if cells.form is None else replace(layout, form=cells.form)
        rows, lines = cells.rows[layout.header :], cells.lines[layout.header :]
        if layout.header:
            header = cells.rows[layout.header - 1]
            rows, lines = _of_symbol(header, rows, lines, options.only)
            layout = with_tick_volume(layout, header, rows)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    if not rows:
        raise ValueError(f"{path.name}: there is a header and no rows")
    width = len(cells.rows[max(layout.header - 1, 0)])
    _refuse_ragged(path, rows, lines, width, layout)
    columns = {role: [row[place] for row in rows] for role, place in layout.places.items()}
    index, of_dates = _dates(path, columns, lines, layout, options)
    values, of_numbers = read_numbers(path, columns, lines, cells.delimiter, options, layout.form)
    table = complete(pd.DataFrame(values, index=index.rename("date")), path)
    return table, np.array(lines), [*cells.statements, *layout.statements, *of_dates, *of_numbers], layout.form


def _of_symbol(
    header: list[str], rows: list[list[str]], lines: list[int], only: str | None
) -> tuple[list[list[str]], list[int]]:
    """The rows of one symbol and their lines. Raises ValueError as `rows_of` does."""
    places = symbol_places(header)
    cells = {header[place]: [row[place] if place < len(row) else "" for row in rows] for place in places}
    mask = rows_of(cells, only)
    if mask is None:
        return rows, lines
    kept = np.flatnonzero(mask)
    return [rows[place] for place in kept], [lines[place] for place in kept]


def _refuse_ragged(path: Path, rows: list[list[str]], lines: list[int], width: int, layout: Layout) -> None:
    """Raises ValueError for the first row with too few cells, or with values beyond the last column."""
    needed = max(layout.places.values())
    for row, line in zip(rows, lines, strict=True):
        surplus = any(row[width:])
        if len(row) <= needed or surplus or len(row) < width - 1:
            raise ValueError(f"{path.name}, row {line}: {len(row)} cells where the header has {width}")


def _dates(
    path: Path,
    columns: dict[str, list[str]],
    lines: list[int],
    layout: Layout,
    options: DataOptions,
) -> tuple[pd.DatetimeIndex, list[str]]:
    """The bars' closes and the statements about them; takes the columns of dates and times out of `columns`."""
    texts = columns.pop("date")
    if "time" in columns:
        texts = [f"{day} {time}".strip() for day, time in zip(texts, columns.pop("time"), strict=True)]
    try:
        stamps = parse_dates(texts, options.date_format)
        closes = parse_dates(columns.pop("close time")) if "close time" in columns else None
    except BadDate as error:
        raise ValueError(f"{path.name}, row {lines[error.place]}: {error}") from None
    kind = kind_of(layout.form, layout.stamps, options)
    return bar_closes(stamps, closes, kind, options.zone, layout.form)


def _oldest_first(table: Table) -> Table:
    """The table turned round where its newest row is first, as some exporters write: no damage, so no repair."""
    if len(table.rows) < 2 or (np.diff(table.rows.index.asi8) >= 0).any():
        return table
    turned = table.select(np.arange(len(table.rows))[::-1])
    return replace(turned, statements=(*table.statements, "rows were newest first, and were turned round"))
