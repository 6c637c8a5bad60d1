"""The bundled prices: what there is, and loading it as bars."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from predictors.bars import COLUMNS, check_bars
from predictors.registry import suggest

FOLDER = Path(__file__).parent / "prices"
FILES = ("spy", "us5", "btcusd", "aapl_1h", "sp20")
PRICES = ["open", "high", "low", "close"]


def load_bars(symbol: str, start: str | None = None, end: str | None = None, *, adjusted: bool = True) -> pd.DataFrame:
    """The bars of a bundled symbol between two dates, both included.

    adjusted: multiply the four prices by adj_close/close, so that returns include dividends and splits; False gives
              the prices as they were traded.

    Raises LookupError for an unknown symbol, ValueError for an empty range, or where only adjusted prices exist.
    """
    table = _symbols()
    if symbol not in table:
        raise LookupError(f"unknown symbol {symbol!r}. {suggest(symbol, table)}")
    bars = table[symbol]
    if not adjusted and "close" not in bars:
        raise ValueError(f"{symbol} is bundled as adjusted closes only; its raw prices are not there to trade")
    bars = _as_bars(bars, adjusted)
    first, last = (None if text is None else _period(text) for text in (start, end))
    if first and last and first.start_time > last.end_time:
        raise ValueError(f"start {start} is after end {end}")
    chosen = bars.loc[first and first.start_time : last and last.end_time]
    if chosen.empty:
        raise ValueError(
            f"{symbol} has no bars from {start or 'its start'} to {end or 'its end'}; "
            f"it has {len(bars)} from {bars.index[0]:%Y-%m-%d} to {bars.index[-1]:%Y-%m-%d}"
        )
    check_bars(chosen, symbol)
    return chosen


def list_bars() -> pd.DataFrame:
    """One row per bundled symbol: bars, first, last, frequency, prices (raw, adjusted, or both)."""
    rows = {
        symbol: {
            "bars": len(bars),
            "first": bars.index[0],
            "last": bars.index[-1],
            "frequency": frequency(bars.index),
            "prices": "raw+adjusted"
            if {"close", "adj_close"} <= set(bars)
            else "raw"
            if "close" in bars
            else "adjusted",
        }
        for symbol, bars in _symbols().items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("symbol")


def frequency(index: pd.DatetimeIndex) -> str:
    """The usual distance of two bars: 5min, hourly, daily, weekly, monthly, …"""
    step = pd.Series(index).diff().median()
    for name, days in (("monthly", 28), ("weekly", 6), ("daily", 0.99)):
        if step >= pd.Timedelta(days=days):
            return name
    minutes = round(step / pd.Timedelta(minutes=1))
    return "hourly" if minutes == 60 else f"{minutes}min"


def bars_per_year(index: pd.DatetimeIndex) -> int:
    """Bars in a year, from the index itself: 252 for a stock's days, 365 for a market that never closes.

    Bars per session times the sessions of a year, 365 where there are bars on weekends and 252 where there are none;
    for bars further apart than a few days, the year over their usual distance.
    """
    step = pd.Series(index).diff().median() / pd.Timedelta(days=1)
    if step > 4:
        return max(round(365.25 / step), 1)
    sessions = index.normalize().nunique()
    return round(len(index) / sessions * (365 if (index.day_of_week >= 5).any() else 252))


def digest(bars: pd.DataFrame) -> str:
    """SHA-256 of the dates and values of these bars, so that a recipe can say which it was run on."""
    stamp = hashlib.sha256(bars.index.as_unit("ns").asi8.tobytes())
    for column in COLUMNS:
        stamp.update(np.ascontiguousarray(bars[column].to_numpy(float)).tobytes())
    return stamp.hexdigest()


def _period(text: str) -> pd.Period:
    """The span of time a date names: a year, a month, a day or less."""
    try:
        period = pd.Period(text)
    except ValueError:
        period = pd.NaT
    if period is pd.NaT:
        raise ValueError(f"{text!r} is not a date; write it as 2020, 2020-06 or 2020-06-30")
    return period


@cache
def _symbols() -> dict[str, pd.DataFrame]:
    """Every bundled symbol and its columns as they lie in the file, indexed by date."""
    table = {}
    for file in FILES:
        long = pd.read_parquet(FOLDER / f"{file}.parquet").set_index("date")
        for symbol, rows in long.groupby("symbol", observed=True):
            table[str(symbol)] = rows.drop(columns="symbol")
    return table


def _as_bars(rows: pd.DataFrame, adjusted: bool) -> pd.DataFrame:
    bars = rows.copy()
    if "close" not in bars:  # close-only series
        for column in PRICES:
            bars[column] = bars["adj_close"]
        bars["volume"] = 0.0
    elif adjusted and "adj_close" in bars:
        bars[PRICES] = bars[PRICES].mul(bars["adj_close"] / bars["close"], axis=0)
    return bars[list(COLUMNS)].astype(float)
