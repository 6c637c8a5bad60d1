"""Reads Parquet and feather files, whose columns have types."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from .columns import CCXT, Layout, find_layout, known_names
from .dates import BadDate, Stamps, parse_dates
from .options import DataOptions
from .stamps import bar_closes, kind_of
from .symbols import rows_of, symbol_places
from .values import complete, read_numbers

PARQUET, FEATHER = (b"PAR1",), (b"ARROW1", b"FEA1")  # the first bytes
FREQTRADE = ["date", "open", "high", "low", "close", "volume"]


def is_frame(path: Path) -> bool:
    """Whether a file has typed columns, by its first bytes or its name."""
    return _starts(path, PARQUET + FEATHER) or path.suffix.lower() in (".parquet", ".pq", ".feather", ".ft")


def _starts(path: Path, marks: tuple[bytes, ...]) -> bool:
    """Whether a file begins with one of these bytes."""
    with path.open("rb") as stream:
        return stream.read(6).startswith(marks)


def read_frame(path: Path, options: DataOptions) -> tuple[pd.DataFrame, np.ndarray, list[str], str | None]:
    """The rows of a Parquet or feather file, the number of each, the statements, and the form."""
    feather = path.suffix.lower() in (".feather", ".ft") or _starts(path, FEATHER)
    try:
        frame = pd.read_feather(path) if feather else pd.read_parquet(path)
    except Exception as error:  # pyarrow raises many kinds
        kind = "feather" if feather else "Parquet"
        raise ValueError(f"{path.name} is not a whole {kind} file: {str(error).splitlines()[0]}") from None
    if isinstance(frame.columns, pd.MultiIndex):
        frame = _one_level(frame, path, options.only)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index(names=[str(name or "date") for name in frame.index.names])
    names = [str(name) for name in frame.columns]
    try:
        layout = find_layout([names], options.columns, options.only)
        mask = rows_of({names[place]: _texts(frame.iloc[:, place]) for place in symbol_places(names)}, options.only)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    frame = frame if mask is None else frame[mask]
    if frame.empty:
        raise ValueError(f"{path.name}: there are columns and no rows")
    lines = np.arange(1, len(frame) + 1)
    form = _form(frame, layout, feather)
    index, of_dates = _dates(_stamps(frame, layout), options, kind_of(form, layout.stamps, options), form)
    columns = {role: frame.iloc[:, place] for role, place in layout.places.items() if role not in ("date", "time")}
    texts = {role: _texts(column) for role, column in columns.items() if column.dtype.kind not in "fiub"}
    parsed, of_numbers = read_numbers(path, texts, list(lines), "", options, form)
    values = {role: parsed[role] if role in texts else column.to_numpy(float) for role, column in columns.items()}
    table = complete(pd.DataFrame(values, index=index.rename("date")), path)
    return table, lines, [*layout.statements, *of_dates, *of_numbers], form


def _one_level(frame: pd.DataFrame, path: Path, only: str | None) -> pd.DataFrame:
    """A frame with symbols above or below its columns, as yfinance's, with the columns of one symbol alone.

    Raises ValueError for several symbols of which none was chosen.
    """
    columns = pd.MultiIndex.from_tuples(frame.columns)
    levels = [[str(name) for name in columns.get_level_values(n)] for n in range(columns.nlevels)]
    names = max(levels, key=known_names)
    for symbols in levels:
        distinct = [symbol for symbol in dict.fromkeys(symbols) if symbol]
        if symbols is not names and len(distinct) > 1:
            if only not in distinct:
                raise ValueError(
                    f"{path.name} holds {len(distinct)} symbols ({', '.join(distinct[:5])}); say which with --only "
                    f"{distinct[0]}"
                )
            mine = [symbol in ("", only) for symbol in symbols]
            frame, names = frame.loc[:, mine], [name for name, one in zip(names, mine, strict=True) if one]
    return frame.set_axis(names, axis=1)


def _form(frame: pd.DataFrame, layout: Layout, feather: bool) -> str | None:
    """Whose file it is: as its columns say, or freqtrade's, which are feather files of times in UTC."""
    date = frame.iloc[:, layout.places["date"]]
    if feather and isinstance(date.dtype, pd.DatetimeTZDtype) and list(frame)[:6] == FREQTRADE:
        return "freqtrade"
    return "ccxt" if list(frame) == CCXT and date.dtype.kind in "iu" else layout.form


def _dates(column: pd.Series, options: DataOptions, kind: str, form: str | None) -> tuple[pd.DatetimeIndex, list[str]]:
    """The bars' closes and the statements about them, of dates as text, as numbers or as Parquet's own type."""
    zone = options.zone
    if not isinstance(column.dtype, pd.DatetimeTZDtype) and column.dtype.kind != "M":
        try:
            stamps = parse_dates([str(value) for value in column], options.date_format)
            return bar_closes(stamps, None, kind, zone, form)
        except BadDate as error:
            raise ValueError(f"row {error.place + 1}: {error}") from None
    index = pd.DatetimeIndex(column)
    if index.isna().any():
        raise BadDate(0, f"row {int(np.argmax(index.isna())) + 1}: the date is missing")
    if index.tz is None:
        return bar_closes(Stamps(index, None, []), None, kind, zone, form)
    wall = index.tz_localize(None)
    offset = pd.TimedeltaIndex(wall - index.tz_convert("UTC").tz_localize(None))
    return bar_closes(Stamps(wall, offset, []), None, kind, zone, form)


def _stamps(frame: pd.DataFrame, layout: Layout) -> pd.Series:
    """The column of dates, with the times of day beside it where these have a column of their own."""
    dates = frame.iloc[:, layout.places["date"]]
    if "time" not in layout.places:
        return dates
    texts = _texts(dates if dates.dtype.kind != "M" else dates.dt.strftime("%Y-%m-%d"))
    times = _texts(frame.iloc[:, layout.places["time"]])
    return pd.Series([f"{day} {time}".strip() for day, time in zip(texts, times, strict=True)])


def _texts(column: pd.Series) -> list[str]:
    """The cells of a column as a text file would have them."""
    return ["" if pd.isna(value) else str(value) for value in column]
