"""Bars by symbol, and what can be computed from their dates."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pandas as pd

from ...predictors.bars import COLUMNS
from .adjust import ACTIONS
from .bundled import FILES as FILES
from .bundled import FOLDER as FOLDER
from .bundled import bundled
from .calendars import sessions_per_year
from .load import load
from .options import DataOptions


def load_bars(
    symbol: str, start: str | None = None, end: str | None = None, *, adjusted: bool = True, bar: str | None = None
) -> pd.DataFrame:
    """The bars of a symbol between two dates, both included: of a file, the local store, or what is bundled.

    adjusted: multiplies prices so that returns include dividends and splits; False leaves them as traded.
    bar: the size of coarser bars to make, such as 1h, 1d, 1wk or 1mo.

    Raises LookupError for an unknown symbol, ValueError for an empty range, for bars that cannot be traded, or where
    only adjusted prices exist. `backtests.data.load.load` takes more options, and records how the bars were made.
    """
    return load(symbol, DataOptions(start=start, end=end, adjust="full" if adjusted else "none", bar=bar)).bars


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
        for symbol, bars in bundled().items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("symbol")


def frequency(index: pd.DatetimeIndex) -> str:
    """The median distance of two bars in words: 5min, hourly, daily, weekly, monthly."""
    minutes = _usual_minutes(index)
    for name, days in (("monthly", 28), ("weekly", 6), ("daily", 0.99)):
        if minutes >= days * 1440:
            return name
    minutes = round(minutes)
    return "hourly" if minutes == 60 else f"{minutes}min"


def bars_per_year(index: pd.DatetimeIndex) -> int:
    """Bars in a year, counted from the index: 252 for a stock's days, 365 for a market that never closes.

    Bars per session times `sessions_per_year`; for bars further apart than a few days, the year over their usual
    distance.
    """
    step = _usual_minutes(index) / 1440
    if step > 4:
        return max(round(365.25 / step), 1)
    sessions = index.normalize().nunique()
    return round(len(index) / sessions * sessions_per_year(index))


def _usual_minutes(index: pd.DatetimeIndex) -> float:
    """The median distance of two bars; NaN for a bar alone."""
    return float(np.median(np.diff(index.as_unit("ns").asi8))) / 60e9 if len(index) > 1 else math.nan


def digest(bars: pd.DataFrame) -> str:
    """SHA-256 of the dates and values of these bars, by which a recipe identifies them."""
    stamp = hashlib.sha256(bars.index.as_unit("ns").asi8.tobytes())
    for column in (*COLUMNS, *(name for name in ACTIONS if name in bars)):
        stamp.update(np.ascontiguousarray(bars[column].to_numpy(float)).tobytes())
    return stamp.hexdigest()
