"""Seeded markets for the calibration: without an edge, and with one of known size."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd

from rollcast import load_bars
from rollcast.backtests.placebo.surrogates import flipped

DAILY = 0.01  # standard deviation of a daily log return
DRIFT = 0.09 / 252


def bars_of(returns: np.ndarray, minutes: int | None = None) -> pd.DataFrame:
    """Bars whose closes have these log returns; every open is the close before. minutes: of a bar, None for days."""
    close = 100 * np.exp(np.cumsum(returns))
    opening = np.r_[100.0, close[:-1]]
    frame = {"open": opening, "high": np.maximum(opening, close), "low": np.minimum(opening, close), "close": close}
    n = len(returns)
    if minutes is None:
        index = pd.bdate_range("1990-01-02", periods=n)
    else:
        per_day = 390 // minutes
        days = pd.bdate_range("2015-01-02", periods=-(-n // per_day))
        steps = pd.to_timedelta(570 + minutes * (1 + np.arange(per_day)), unit="min")
        index = pd.DatetimeIndex((days.to_numpy()[:, None] + steps.to_numpy()).ravel()[:n])
    return pd.DataFrame({**frame, "volume": 1e6}, index=index.rename("date"))


def walk(rng: np.random.Generator, n: int, drift: float = 0.0, scale: float = DAILY) -> pd.DataFrame:
    """Independent returns with the fat tails of t with 4 degrees of freedom."""
    return bars_of(drift + scale * rng.standard_t(4, n) / math.sqrt(2))


def garch(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Clustered volatility, α + β = 0.95, shocks of t with 6 degrees of freedom, and a drift of 7.5 % a year."""
    shocks, variance = rng.standard_t(6, n) / math.sqrt(1.5), DAILY**2
    returns = np.empty(n)
    for i in range(n):
        returns[i] = math.sqrt(variance) * shocks[i]
        variance = 0.05 * DAILY**2 + 0.90 * variance + 0.05 * returns[i] ** 2
    return bars_of(0.0003 + returns)


def real(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """A stretch of SPY whose moves about their mean have signs drawn by lot: its volatility and drift, no memory."""
    spy = load_bars("SPY")
    start = int(rng.integers(len(spy) - n))
    surrogate = flipped(spy.iloc[start : start + n], int(rng.integers(2**31)))
    return surrogate.set_axis(pd.bdate_range("1990-01-02", periods=n, name="date"))


def minutes(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Five-minute bars of a walk with fat tails."""
    return bars_of(0.001 * rng.standard_t(4, n) / math.sqrt(2), 5)


def autoregressive(rng: np.random.Generator, n: int, memory: float) -> pd.DataFrame:
    """Returns that go on by this share of the last one, with a drift of 7.5 % a year."""
    shocks, returns, last = DAILY * rng.standard_t(4, n) / math.sqrt(2), np.empty(n), 0.0
    for i in range(n):
        returns[i] = last = memory * last + shocks[i]
    return bars_of(0.0003 + returns)


def calm_pays(rng: np.random.Generator, n: int, sharpe: float = 0.8) -> pd.DataFrame:
    """A variance edge: the volatility doubles and halves slowly, the drift stays, so that calm days pay more."""
    log = np.zeros(n)
    for i in range(1, n):
        log[i] = 0.99 * log[i - 1] + 0.1 * rng.standard_normal()
    return bars_of(sharpe * DAILY / math.sqrt(252) + DAILY * np.exp(log) * rng.standard_normal(n))


# Predictors as functions of the bars: forecasts (n,), NaN while warming up.


def log_returns(bars: pd.DataFrame) -> pd.Series:
    return np.log(bars["close"]).diff()


def expanding_mean(bars: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    return log_returns(bars).expanding(60).mean()


def rolling_mean(bars: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    return log_returns(bars).rolling(int(rng.choice([5, 20, 50, 200]))).mean()


def exponential_mean(bars: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    alpha = float(rng.choice([0.02, 0.05, 0.2]))
    return log_returns(bars).ewm(alpha=alpha, min_periods=20).mean()


def reversal(bars: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    return -0.1 * rolling_mean(bars, rng)


def regression(bars: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    """The next return by the regression of returns on the ones before, over the last 250 bars."""
    r = log_returns(bars)
    before = r.shift(1)
    x, y, xy, xx = (s.rolling(250).mean() for s in (before, r, before * r, before**2))
    slope = (xy - x * y) / (xx - x**2)
    return y + slope * (r - x)


def oracle(bars: pd.DataFrame, rng: np.random.Generator, ic: float) -> pd.Series:
    """Forecasts of the right size whose correlation with the next return is known."""
    y = log_returns(bars).shift(-1)
    return ic * (ic * y + math.sqrt(1 - ic**2) * y.std() * pd.Series(rng.standard_normal(len(y)), y.index))


def inverse_variance(bars: pd.DataFrame, rng: np.random.Generator) -> pd.Series:
    """A forecast that is large where the last 20 bars were calm."""
    return 1e-7 / log_returns(bars).rolling(20).var()


Predict = Callable[[pd.DataFrame, np.random.Generator], pd.Series]
HONEST: dict[str, Predict] = {
    "expanding mean": expanding_mean,
    "rolling mean": rolling_mean,
    "exponential mean": exponential_mean,
    "reversal": reversal,
    "regression": regression,
}
