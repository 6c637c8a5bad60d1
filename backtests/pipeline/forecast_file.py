"""Forecasts made elsewhere: read from a file and traded as they are. Nothing can examine how they were made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from ...predictors import Predictor
from ..data.dates import BadDate, exchange_time, parse_dates

ENDINGS = (".csv", ".parquet")
VALUES = ("forecast", "value")
COLUMNS = ("date", *VALUES, "made_at", "symbol")


@dataclass(frozen=True)
class ForecastFile(Predictor):
    """The forecasts of a CSV or Parquet file with the columns `date` and `forecast` (or `value`).

    A row's forecast is the expected log(close[t+1]/close[t]) at the close of the bar of its date. Where there is a
    column `made_at`, no forecast may be from after its bar; where there is `symbol`, a row is of that name.

    file: its path.   sha256: of its bytes.

    It is no predictor that could be asked again: the gate says that it cannot be examined. Make it with `read`.
    """

    file: str
    sha256: str
    rows: Mapping[str, pd.Series] = field(repr=False, compare=False, hash=False)

    @classmethod
    def read(cls, file: str | Path, zone: str | None = None) -> Self:
        """zone: of the exchange, for dates in UTC. Raises LookupError for a missing file, ValueError for a bad one."""
        path = Path(file).expanduser()
        if not path.is_file():
            raise LookupError(f"there is no file of forecasts {path}")
        try:
            return cls(str(file), hashlib.sha256(path.read_bytes()).hexdigest(), _rows(_table(path), zone))
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from None

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        """As `of`, of a file for one name."""
        return self.of("the bars", bars)

    def of(self, symbol: str, bars: pd.DataFrame) -> pd.Series:
        """The forecasts of one name on its bars, (T,). Raises ValueError where they do not fit each other."""
        rows = self.rows.get(symbol, self.rows.get(""))
        if rows is None:
            names = ", ".join(sorted(self.rows)[:5])
            raise ValueError(f"{self.file} has no forecasts of {symbol}; it has those of {names}")
        index = pd.DatetimeIndex(bars.index)
        inside = rows[(rows.index >= index[0]) & (rows.index <= index[-1])]
        if not len(inside):
            raise ValueError(f"{self.file} has no forecast between {_day(index[0])} and {_day(index[-1])}")
        strays = inside.index.difference(index)
        if len(strays):
            raise ValueError(
                f"{self.file}: {len(strays):,} of its dates are no bars of {symbol}, the first {_day(strays[0])}; date "
                "a forecast at the close of the bar it was made at"
            )
        forecast = inside.reindex(index)
        gaps = forecast[inside.index[0] : inside.index[-1]].isna()
        if gaps.any():
            raise ValueError(
                f"{self.file} has no forecast at {_day(gaps.idxmax())}; give one for every bar from the first on, 0 "
                "where there is none"
            )
        if inside.index[-1] < index[-1]:
            last = inside.index[-1]
            raise ValueError(f"{self.file} ends at {_day(last)}, before the bars; give --end {last:%Y-%m-%d}")
        return forecast.rename("forecast")


def is_forecast_file(name: str) -> bool:
    """Whether a predictor's name is that of a file of forecasts."""
    return name.lower().endswith(ENDINGS)


def _table(path: Path) -> pd.DataFrame:
    """The columns that are known, lower-case, each once; text of CSV files, and of Parquet what they hold."""
    import pyarrow as pa

    try:
        table = pd.read_csv(path, dtype=str) if path.suffix.lower() == ".csv" else pd.read_parquet(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise ValueError(f"it cannot be read: {str(error).splitlines()[0]}") from None
    if table.index.name is not None or isinstance(table.index, pd.DatetimeIndex):
        table = table.reset_index(names=[table.index.name or "date"])
    table.columns = [str(name).strip().lower() for name in table.columns]
    table = table[[name for name in table.columns if name in COLUMNS]]
    values = [name for name in table.columns if name in VALUES]
    if list(table.columns).count("date") != 1 or len(values) != 1 or not table.columns.is_unique:
        found = ", ".join(table.columns) or "none of these"
        raise ValueError(f"expected the columns date and forecast once each, made_at and symbol or not; got {found}")
    if not len(table):
        raise ValueError("it holds no forecast")
    return table.rename(columns={values[0]: "forecast"})


def _rows(table: pd.DataFrame, zone: str | None) -> dict[str, pd.Series]:
    """The forecasts by symbol, "" where there is none, in order of time."""
    dates = _dates(table["date"], "date", zone)
    values = pd.to_numeric(table["forecast"], errors="coerce").to_numpy(float)
    if not np.isfinite(values).all():
        row = int((~np.isfinite(values)).argmax())
        raise ValueError(f"the forecast at {_day(dates[row])} is {table['forecast'].iloc[row]!r}; expected a number")
    if "made_at" in table:
        _check_made(dates, _dates(table["made_at"], "made_at", zone))
    symbols = table["symbol"].astype(str).str.strip() if "symbol" in table else pd.Series("", table.index)
    rows = {}
    for symbol, places in symbols.groupby(symbols).indices.items():
        series = pd.Series(values[places], dates[places]).sort_index()
        if series.index.has_duplicates:
            twice = series.index[series.index.duplicated()][0]
            raise ValueError(f"{_day(twice)} has two forecasts{f' of {symbol}' * bool(symbol)}; keep one")
        rows[str(symbol)] = series
    return rows


def _dates(column: pd.Series, name: str, zone: str | None) -> pd.DatetimeIndex:
    if column.isna().any():
        raise ValueError(f"{name} is empty in row {int(column.isna().to_numpy().argmax()) + 1}")
    texts = column.dt.strftime("%Y-%m-%d %H:%M:%S%z") if pd.api.types.is_datetime64_any_dtype(column) else column
    try:
        return exchange_time(parse_dates(texts.astype(str).tolist()), zone)[0]
    except BadDate as error:
        raise ValueError(f"{name} in row {error.place + 1}: {error}") from None


def _check_made(dates: pd.DatetimeIndex, made: pd.DatetimeIndex) -> None:
    """Raises ValueError for a forecast from after the close of its bar; of a bar of a day, from after that day."""
    daily = bool((dates == dates.normalize()).all())
    late = (made.normalize() if daily else made) > dates
    if late.any():
        row = int(np.asarray(late).argmax())
        raise ValueError(
            f"the forecast at {_day(dates[row])} was made at {made[row]:%Y-%m-%d %H:%M}, after its bar; date it at the "
            "bar at which it was known"
        )


def _day(date: pd.Timestamp) -> str:
    return f"{date:%Y-%m-%d}" if date == date.normalize() else f"{date:%Y-%m-%d %H:%M}"
