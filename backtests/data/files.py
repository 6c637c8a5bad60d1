"""Reads a file of prices as a table: delimited text (CSV) in its many dialects, and Parquet."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from .columns import ROLES, Layout, find_layout, known_names, refuse_symbols, symbol_places, with_tick_volume
from .dates import BadDate, Stamps, exchange_time, parse_dates
from .numbers import decimal_mark, parse_numbers, refuse_fractions
from .options import DataOptions
from .table import PRICES, Table
from .text import read_cells

EXCEL = (".xlsx", ".xls", ".ods")


def read_file(path: str | Path, options: DataOptions | None = None) -> Table:
    """The rows of a file, in order of time where the file has the newest first.

    Of the options, `columns`, `date_format`, `decimal` and `zone` settle what the file leaves open.

    Raises LookupError where there is no such file, ValueError with the file and the row for what cannot be read.
    """
    options, path = options or DataOptions(), Path(path).expanduser()
    if not path.is_file():
        raise LookupError(f"there is no file {path}")
    if path.suffix.lower() in EXCEL:
        raise ValueError(f"{path.name} is an Excel workbook; save the sheet as CSV")
    with path.open("rb") as stream:
        parquet = stream.read(4) == b"PAR1"
    try:
        if parquet or path.suffix.lower() in (".parquet", ".pq"):
            rows, lines, statements, form = _parquet(path, options)
        else:
            rows, lines, statements, form = _text(path, options)
    except BadDate as error:
        raise ValueError(f"{path.name}: {error}") from None
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    pin = {"source": "file", "path": str(path), "sha256": sha256}
    table = Table(rows, f"file {path.name}, sha256 {sha256[:12]}", lines, tuple(statements), None, pin, form)
    return _oldest_first(table)


def _text(path: Path, options: DataOptions) -> tuple[pd.DataFrame, np.ndarray, list[str], str | None]:
    """The rows of a text file, the line each stands on, the statements, and the form."""
    cells = read_cells(path)
    try:
        layout = find_layout(cells.rows, options.columns)
        if layout.header:
            header, data = cells.rows[layout.header - 1], cells.rows[layout.header :]
            refuse_symbols({header[place]: [row[place] for row in data] for place in symbol_places(header)})
            layout = with_tick_volume(layout, header, data)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    rows, lines = cells.rows[layout.header :], cells.lines[layout.header :]
    if not rows:
        raise ValueError(f"{path.name}: there is a header and no rows")
    width = len(cells.rows[max(layout.header - 1, 0)])
    _refuse_ragged(path, rows, lines, width, layout)
    columns = {role: [row[place] for row in rows] for role, place in layout.places.items()}
    index, of_dates = _dates(path, columns, lines, layout, options)
    values, of_numbers = _numbers(path, columns, lines, cells.delimiter, options.decimal)
    table = _complete(pd.DataFrame(values, index=index.rename("date")), path)
    return table, np.array(lines), [*cells.statements, *layout.statements, *of_dates, *of_numbers], layout.form


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
    return bar_closes(stamps, closes, layout.stamps, options.zone)


def bar_closes(
    stamps: Stamps, closes: Stamps | None, kind: str, zone: str | None
) -> tuple[pd.DatetimeIndex, list[str]]:
    """The bars' closes in exchange time, and statements: a date for bars of a day or more, a time for shorter ones.

    closes: a second column with the times of the closes; kind: "open" where the stamps are the starts of bars.

    Raises ValueError for a zone that is none, and for midnights of another exchange written in UTC.
    """
    index, statements = exchange_time(stamps, zone)
    distance = pd.Series(index.sort_values()).diff()
    step = distance[distance > pd.Timedelta(0)].median()
    # A day that is still running may stand there twice, once with the time of its last trade.
    twice = int(index.normalize().duplicated().sum())
    daily = len(index) > 1 and step >= pd.Timedelta(hours=23) and twice <= len(index) // 20
    if daily:
        if zone is None and stamps.offset is not None and (stamps.offset == pd.Timedelta(0)).all():
            _refuse_midnights_elsewhere(stamps.wall)
        if (index != index.normalize()).any():
            statements = [*statements, "the time of day of daily bars was dropped"]
        return index.normalize(), statements
    if (index == index.normalize()).all() or pd.isna(step):
        return index, statements
    if closes is not None:
        wall, _ = exchange_time(Stamps(closes.wall.ceil("s"), closes.offset, []), zone)
        return wall, [*statements, "bars are dated by their close time"]
    if kind == "open":
        step = distance[distance > pd.Timedelta(0)].mode().iloc[0]
        return index + step, [*statements, f"bars were dated by their start; moved to their close, {step} later"]
    return index, [*statements, "times are taken as the bars' closes"]


def _refuse_midnights_elsewhere(wall: pd.DatetimeIndex) -> None:
    """Raises ValueError for days in UTC that are the midnights of an exchange to the east: its Mondays are Sundays."""
    sundays = wall[(wall.day_of_week == 6) & (wall != wall.normalize())]
    if len(sundays) and not (wall.day_of_week == 5).any():
        raise ValueError(
            f"there are bars on Sundays, at {sundays[0]:%H:%M} UTC, and none on Saturdays, as midnights of an "
            "exchange to the east are; say its zone, as in --time-zone Europe/London, or UTC if they are right"
        )


def _numbers(
    path: Path, columns: dict[str, list[str]], lines: list[int], delimiter: str, decimal: str | None
) -> tuple[dict[str, np.ndarray], list[str]]:
    """The values of the columns, and the statement about the decimal mark where it is not plainly a point."""
    try:
        refuse_fractions([columns[role] for role in PRICES if role in columns], lines)
        mark, statement = (decimal, None) if decimal else decimal_mark(columns, delimiter, lines)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    values = {}
    for role, texts in columns.items():
        values[role], wrong = parse_numbers(texts, mark)
        if wrong is not None:
            raise ValueError(f"{path.name}, row {lines[wrong]}: {role} {texts[wrong]!r} is not a number")
    return values, [statement] if statement else []


def _parquet(path: Path, options: DataOptions) -> tuple[pd.DataFrame, np.ndarray, list[str], str | None]:
    """The rows of a Parquet file, the number of each, the statements, and the form."""
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # pyarrow raises many kinds
        raise ValueError(f"{path.name} is not a whole Parquet file: {str(error).splitlines()[0]}") from None
    if isinstance(frame.columns, pd.MultiIndex):
        frame.columns = _prices_level(frame.columns, path)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index(names=[str(name or "date") for name in frame.index.names])
    names = [str(name) for name in frame.columns]
    try:
        layout = find_layout([names], options.columns)
        refuse_symbols({names[place]: _texts(frame.iloc[:, place]) for place in symbol_places(names)})
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    if frame.empty:
        raise ValueError(f"{path.name}: there are columns and no rows")
    lines = np.arange(1, len(frame) + 1)
    index, of_dates = _parquet_dates(frame.iloc[:, layout.places["date"]], options)
    columns = {role: frame.iloc[:, place] for role, place in layout.places.items() if role not in ("date", "time")}
    texts = {role: _texts(column) for role, column in columns.items() if column.dtype.kind not in "fiub"}
    parsed, of_numbers = _numbers(path, texts, list(lines), "", options.decimal)
    values = {role: parsed[role] if role in texts else column.to_numpy(float) for role, column in columns.items()}
    table = _complete(pd.DataFrame(values, index=index.rename("date")), path)
    return table, lines, [*layout.statements, *of_dates, *of_numbers], layout.form


def _prices_level(columns: pd.MultiIndex, path: Path) -> list[str]:
    """The names of the columns of a frame with symbols above or below them, as yfinance's.

    Raises ValueError for several symbols.
    """
    levels = [[str(name) for name in columns.get_level_values(n)] for n in range(columns.nlevels)]
    names = max(levels, key=known_names)
    for symbols in levels:
        if symbols is not names and len(set(symbols)) > 1:
            raise ValueError(
                f"{path.name} holds {len(set(symbols))} symbols ({', '.join(list(dict.fromkeys(symbols))[:5])}); save "
                "one symbol a file"
            )
    return names


def _parquet_dates(column: pd.Series, options: DataOptions) -> tuple[pd.DatetimeIndex, list[str]]:
    """The bars' closes and the statements about them, of dates as text, as numbers or as Parquet's own type."""
    zone = options.zone
    if not isinstance(column.dtype, pd.DatetimeTZDtype) and column.dtype.kind != "M":
        try:
            return bar_closes(parse_dates([str(value) for value in column], options.date_format), None, "close", zone)
        except BadDate as error:
            raise ValueError(f"row {error.place + 1}: {error}") from None
    index = pd.DatetimeIndex(column)
    if index.isna().any():
        raise BadDate(0, f"row {int(np.argmax(index.isna())) + 1}: the date is missing")
    if index.tz is None:
        return bar_closes(Stamps(index, None, []), None, "close", zone)
    wall = index.tz_localize(None)
    offset = pd.TimedeltaIndex(wall - index.tz_convert("UTC").tz_localize(None))
    return bar_closes(Stamps(wall, offset, []), None, "close", zone)


def _texts(column: pd.Series) -> list[str]:
    """The cells of a column as a text file would have them."""
    return ["" if pd.isna(value) else str(value) for value in column]


def _complete(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The columns in our order. Raises ValueError where some of open, high and low are there without the others."""
    present = [role for role in ROLES if role in table]
    some = [price for price in PRICES[:3] if price in table]
    if some and len(some) < 3:
        missing = next(price for price in PRICES[:3] if price not in table)
        raise ValueError(
            f"{path.name}: there is {' and '.join(some)} and no {missing}; say which with --column {missing}=NAME"
        )
    return table[present]


def _oldest_first(table: Table) -> Table:
    """The table turned round where its newest row is first, as some exporters write: no damage, so no repair."""
    if len(table.rows) < 2 or (np.diff(table.rows.index.asi8) >= 0).any():
        return table
    turned = table.select(np.arange(len(table.rows))[::-1])
    return replace(turned, statements=(*table.statements, "rows were newest first, and were turned round"))
