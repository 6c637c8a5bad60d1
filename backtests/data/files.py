"""A file of prices as a table: CSV in its many dialects, and Parquet."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from rollcast.backtests.data.columns import ROLES, Layout, find_layout
from rollcast.backtests.data.dates import BadDate, Stamps, exchange_time, parse_dates
from rollcast.backtests.data.numbers import decimal_mark, parse_numbers
from rollcast.backtests.data.table import PRICES, Table
from rollcast.backtests.data.text import Cells, read_cells

EXCEL = (".xlsx", ".xls", ".ods")


def read_file(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    date_format: str | None = None,
    decimal: str | None = None,
    zone: str | None = None,
) -> Table:
    """The rows of a file, as they stand there.

    columns: role → name or place of a column, over what is recognised; date_format: a strptime format; decimal: "."
    or ","; zone: the exchange's time zone, for times in UTC. Each settles what the file leaves open.

    Raises LookupError where there is no such file, ValueError with the file and the row for what cannot be read.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise LookupError(f"there is no file {path}")
    if decimal not in (None, ".", ","):
        raise ValueError(f"--decimal is . or , and not {decimal!r}")
    if path.suffix.lower() in EXCEL:
        raise ValueError(f"{path.name} is an Excel workbook; save the sheet as CSV")
    with path.open("rb") as stream:
        parquet = stream.read(4) == b"PAR1"
    try:
        if parquet or path.suffix.lower() in (".parquet", ".pq"):
            rows, lines, said = _parquet(path, columns or {}, date_format, zone)
        else:
            rows, lines, said = _text(path, columns or {}, date_format, decimal, zone)
    except BadDate as error:
        raise ValueError(f"{path.name}: {error}") from None
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    rows, lines, said = _turned(rows, lines, said)
    pin = {"source": "file", "path": str(path), "sha256": sha256}
    return Table(rows, f"file {path.name}, sha256 {sha256[:12]}", lines, tuple(said), None, pin)


def _text(
    path: Path, chosen: Mapping[str, str], date_format: str | None, decimal: str | None, zone: str | None
) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    cells = read_cells(path)
    try:
        layout = find_layout(cells.rows, chosen)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    rows, lines = cells.rows[layout.header :], cells.lines[layout.header :]
    if not rows:
        raise ValueError(f"{path.name}: there is a header and no rows")
    width = len(cells.rows[max(layout.header - 1, 0)])
    _refuse_ragged(path, rows, lines, width, layout)
    columns = {role: [row[place] for row in rows] for role, place in layout.places.items()}
    index, said = _dates(path, columns, lines, layout, date_format, zone)
    values = _numbers(path, columns, lines, cells, decimal, said)
    table = pd.DataFrame(values, index=index.rename("date"))
    return _known(table, path), np.array(lines), [*cells.statements, *layout.statements, *said]


def _refuse_ragged(path: Path, rows: list[list[str]], lines: list[int], width: int, layout: Layout) -> None:
    needed = max(layout.places.values())
    for row, line in zip(rows, lines, strict=True):
        spare = any(row[width:])
        if len(row) <= needed or spare or len(row) < width - 1:
            raise ValueError(f"{path.name}, row {line}: {len(row)} cells where the header has {width}")


def _dates(
    path: Path,
    columns: dict[str, list[str]],
    lines: list[int],
    layout: Layout,
    date_format: str | None,
    zone: str | None,
) -> tuple[pd.DatetimeIndex, list[str]]:
    texts = columns.pop("date")
    if "time" in columns:
        texts = [f"{day} {time}".strip() for day, time in zip(texts, columns.pop("time"), strict=True)]
    try:
        stamps = parse_dates(texts, date_format)
        closes = parse_dates(columns.pop("close time")) if "close time" in columns else None
    except BadDate as error:
        raise ValueError(f"{path.name}, row {lines[error.place]}: {error}") from None
    return bar_closes(stamps, closes, layout.stamps, zone)


def bar_closes(
    stamps: Stamps, closes: Stamps | None, kind: str, zone: str | None
) -> tuple[pd.DatetimeIndex, list[str]]:
    """The exchange time of the bars' closes: a day for bars of a day or more, the last instant for shorter ones."""
    index, said = exchange_time(stamps, zone)
    distance = pd.Series(index.sort_values()).diff()
    step = distance[distance > pd.Timedelta(0)].median()
    daily = len(index) > 1 and step >= pd.Timedelta(hours=23) and index.normalize().is_unique
    if daily:
        if (index != index.normalize()).any():
            said = [*said, "the time of day of daily bars was dropped"]
        return index.normalize(), said
    if (index == index.normalize()).all() or pd.isna(step):
        return index, said
    if closes is not None:
        wall, _ = exchange_time(Stamps(closes.wall.ceil("s"), closes.offset, []), zone)
        return wall, [*said, "bars are dated by their close time"]
    if kind == "open":
        step = distance[distance > pd.Timedelta(0)].mode().iloc[0]
        return index + step, [*said, f"bars were dated by their start; moved to their close, {step} later"]
    return index, [*said, "times are taken as the bars' closes"]


def _numbers(
    path: Path, columns: dict[str, list[str]], lines: list[int], cells: Cells, decimal: str | None, said: list[str]
) -> dict[str, np.ndarray]:
    try:
        mark, sentence = (decimal, None) if decimal else decimal_mark(list(columns.values()), cells.delimiter, lines)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    said += [sentence] if sentence else []
    values = {}
    for role, texts in columns.items():
        values[role], wrong = parse_numbers(texts, mark)
        if wrong is not None:
            raise ValueError(f"{path.name}, row {lines[wrong]}: {role} {texts[wrong]!r} is not a number")
    return values


def _parquet(
    path: Path, chosen: Mapping[str, str], date_format: str | None, zone: str | None
) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # pyarrow raises many kinds
        raise ValueError(f"{path.name} is not a whole Parquet file: {str(error).splitlines()[0]}") from None
    if isinstance(frame.columns, pd.MultiIndex):
        frame.columns = frame.columns.get_level_values(0)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index(names=frame.index.name or "date")
    names = [str(name) for name in frame.columns]
    try:
        layout = find_layout([names], chosen)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    if frame.empty:
        raise ValueError(f"{path.name}: there are columns and no rows")
    lines = np.arange(1, len(frame) + 1)
    index, said = _parquet_dates(frame.iloc[:, layout.places["date"]], date_format, zone)
    values = {
        role: _floats(frame.iloc[:, place], path, role)
        for role, place in layout.places.items()
        if role not in ("date", "time")
    }
    return _known(pd.DataFrame(values, index=index.rename("date")), path), lines, [*layout.statements, *said]


def _parquet_dates(column: pd.Series, date_format: str | None, zone: str | None) -> tuple[pd.DatetimeIndex, list[str]]:
    if not isinstance(column.dtype, pd.DatetimeTZDtype) and column.dtype.kind != "M":
        try:
            return bar_closes(parse_dates([str(value) for value in column], date_format), None, "close", zone)
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


def _floats(column: pd.Series, path: Path, role: str) -> np.ndarray:
    if column.dtype.kind in "fiub":
        return column.to_numpy(float)
    texts = ["" if pd.isna(value) else str(value) for value in column]
    values, wrong = parse_numbers(texts)
    if wrong is not None:
        raise ValueError(f"{path.name}, row {wrong + 1}: {role} {texts[wrong]!r} is not a number")
    return values


def _known(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    present = [role for role in ROLES if role in table]
    some = [price for price in PRICES[:3] if price in table]
    if some and len(some) < 3:
        missing = next(price for price in PRICES[:3] if price not in table)
        raise ValueError(
            f"{path.name}: there is {' and '.join(some)} and no {missing}; say which with --column {missing}=NAME"
        )
    return table[present]


def _turned(rows: pd.DataFrame, lines: np.ndarray, said: list[str]) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Rows newest first, turned round: a habit of exporters and no damage."""
    if len(rows) > 1 and (np.diff(rows.index.asi8) < 0).all():
        return rows.iloc[::-1], lines[::-1], [*said, "rows were newest first, and were turned round"]
    return rows, lines, said
