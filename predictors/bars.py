"""Bars: their validation, their returns, and synthetic ones."""

from __future__ import annotations

import numpy as np
import pandas as pd

COLUMNS = ("open", "high", "low", "close", "volume")


def check_bars(bars: pd.DataFrame, name: str = "bars") -> None:
    """Raises TypeError or ValueError unless `bars` are valid bars; the message names the first invalid date.

    Bars are a DataFrame of floats or integers with the columns `open high low close volume` on a tz-naive, sorted,
    unique DatetimeIndex of bar closes; prices are positive and finite, volume is finite and not negative, `high` is
    the highest and `low` the lowest of the four prices.
    """
    if not isinstance(bars, pd.DataFrame):
        raise TypeError(f"{name}: expected a DataFrame, got {type(bars).__name__}")
    missing = [column for column in COLUMNS if column not in bars.columns]
    if missing:
        raise ValueError(f"{name}: missing column {missing[0]!r}; bars need {' '.join(COLUMNS)}")
    if not isinstance(bars.index, pd.DatetimeIndex):
        raise TypeError(f"{name}: expected a DatetimeIndex, got {type(bars.index).__name__}")
    if bars.empty:
        raise ValueError(f"{name}: no bars")
    if bars.index.tz is not None:
        raise ValueError(f"{name}: dates must be tz-naive exchange time; drop the zone with tz_localize(None)")
    _refuse(name, bars.index.isna(), bars.index, "a bar has no date")
    _refuse(name, bars.index.duplicated(), bars.index, "two bars share a date")
    _refuse(name, np.r_[False, np.diff(bars.index.asi8) < 0], bars.index, "dates are not sorted")
    prices = bars[["open", "high", "low", "close"]].to_numpy(float)
    _refuse(
        name,
        ~(np.isfinite(prices) & (prices > 0)).all(axis=1),
        bars.index,
        "a price is missing or not positive",
    )
    volume = bars["volume"].to_numpy(float)
    _refuse(name, ~(np.isfinite(volume) & (volume >= 0)), bars.index, "volume is missing or negative")
    # Adjusted prices are products, and rounded.
    rounding = 1e-9 * prices.max(axis=1)
    _refuse(name, prices[:, 1] < prices.max(axis=1) - rounding, bars.index, "high is below another price")
    _refuse(name, prices[:, 2] > prices.min(axis=1) + rounding, bars.index, "low is above another price")


def log_returns(bars: pd.DataFrame) -> pd.Series:
    """`log(close[t] / close[t-1])`; the first value is NaN."""
    return np.log(bars["close"]).diff()


def random_walk(
    n: int, seed: int = 0, *, volatility: float | np.ndarray = 0.01, start: str = "2000-01-03"
) -> pd.DataFrame:
    """`n` weekday bars of a random walk: independent normal log returns of standard deviation `volatility`,
    of all bars or of each (n,).

    Opening gaps have a quarter of that standard deviation; highs and lows lie outside both; volume is log-normal.
    """
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, volatility, n)))
    opening = np.r_[100.0, close[:-1]] * np.exp(rng.normal(0, volatility / 4, n))
    high = np.maximum(opening, close) * np.exp(np.abs(rng.normal(0, volatility / 3, n)))
    low = np.minimum(opening, close) * np.exp(-np.abs(rng.normal(0, volatility / 3, n)))
    volume = np.round(1e6 * np.exp(rng.normal(0, 0.3, n)))
    columns = {"open": opening, "high": high, "low": low, "close": close, "volume": volume}
    return pd.DataFrame(columns, index=pd.bdate_range(start, periods=n, name="date"))


def _refuse(name: str, invalid: np.ndarray, index: pd.DatetimeIndex, reason: str) -> None:
    if invalid.any():
        first = index[int(np.argmax(invalid))]
        raise ValueError(f"{name}: {reason}, first at {first} ({int(invalid.sum())} of {len(index)} bars)")
