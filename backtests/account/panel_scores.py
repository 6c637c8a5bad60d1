"""Scores of forecasts across the names of a panel, date by date, and of each name's part in the profit.

Notation: f forecast and y the next return, (T, N): T dates, N names; a date counts where LEAST names have both.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ..json_values import Values
from ..market.panel import Panel
from .panel_engine import PanelSimulation

LEAST = 3  # names: a rank correlation of two says nothing
QUANTILE = 5  # the top and bottom fifth


def panel_scores(panel: Panel, table: pd.DataFrame, bars_per_year: int) -> Values:
    """The cross-section's scores, before any money was put on it; NaN where one is not defined.

    names:    of the panel.    forecast_names: with a forecast.    dates: that count.
    rank_ic:  mean, sd and icir = mean/sd of the dates' rank_ic, and the t of the mean.
    quantile_spread: mean · bars_per_year of the dates' top less bottom fifth, gross of costs, and the t of the mean.

    Reference: Grinold & Kahn (2000), Active Portfolio Management, chapter 6, for the information coefficient.
    """
    f, y = aligned(panel, table)
    ic, spread = rank_ic(f, y), quantile_spread(f, y)
    deviation = float(ic.std(ddof=1)) if len(ic) > 1 else math.nan
    mean, t = hac_mean(ic.to_numpy())
    gain, gain_t = hac_mean(spread.to_numpy())
    return {
        "names": len(panel.bars),
        "forecast_names": int(table.notna().any().sum()),
        "dates": len(ic),
        "rank_ic": {"mean": mean, "sd": deviation, "icir": mean / deviation if deviation else math.nan, "t": t},
        "quantile_spread": {"mean": gain * bars_per_year, "t": gain_t},
    }


def aligned(panel: Panel, table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The forecasts, and the simple return of each name to its own next bar; NaN where either is missing."""
    outcome = {
        symbol: (bars["close"].shift(-1) / bars["close"] - 1).reindex(table.index)
        for symbol, bars in panel.bars.items()
    }
    y = pd.DataFrame(outcome, index=table.index, columns=table.columns)
    known = table.notna() & y.notna()
    return table.where(known), y.where(known)


def rank_ic(f: pd.DataFrame, y: pd.DataFrame) -> pd.Series:
    """Spearman's correlation of forecasts and outcomes on each date on which both vary."""
    a, b = (x.rank(axis=1).sub(x.rank(axis=1).mean(axis=1), axis=0) for x in (f, y))
    size = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    counts = (f.notna().sum(axis=1) >= LEAST) & (size > 1e-9)
    return ((a * b).sum(axis=1) / size.where(counts)).dropna().rename("rank_ic")


def quantile_spread(f: pd.DataFrame, y: pd.DataFrame) -> pd.Series:
    """Mean outcome of the fifth with the highest forecasts less that of the lowest, one name at least, on each date.

    Ties go to the name that comes first; a date on which all forecasts are equal does not count.
    """
    n = f.notna().sum(axis=1)
    size = (n // QUANTILE).clip(lower=1)
    place = f.rank(axis=1, ascending=False, method="first")  # 1 is the highest
    counts = (n >= LEAST) & (f.max(axis=1) > f.min(axis=1))
    top = y.where(place.le(size, axis=0)).mean(axis=1)
    bottom = y.where(place.gt(n - size, axis=0)).mean(axis=1)
    return (top - bottom)[counts].rename("quantile_spread")


def hac_mean(x: np.ndarray) -> tuple[float, float]:
    """Mean and its t, robust to autocorrelation; NaN for fewer than three values and where they do not vary.

    t = mean/√(S/n), S = γ₀ + 2Σ(1 - k/(L+1))γₖ, k ≤ L = ⌊4(n/100)^(2/9)⌋; Newey & West (1987), Econometrica 55(3).
    """
    n = len(x)
    if n < 3:
        return (float(x.mean()) if n else math.nan), math.nan
    u = x - x.mean()
    lags = int(4 * (n / 100) ** (2 / 9))
    s = float(u @ u + 2 * sum((1 - k / (lags + 1)) * (u[k:] @ u[:-k]) for k in range(1, lags + 1))) / n
    return float(x.mean()), float(x.mean()) / math.sqrt(s / n) if s > 1e-30 else math.nan


def contribution(panel: Panel, traded: PanelSimulation, cash: float) -> dict[str, float]:
    """Each name's profit after commission and slippage, over the cash at the start; `carry` is interest less borrowing.

    A name's profit has its dividends, where they were paid in cash.

    Over all dates: with `carry` they add up to the account's total return.
    """
    filled = traded.orders[traded.orders["price"].notna()]
    spent = (filled["value"] + filled["commission"]).groupby(filled["symbol"]).sum()
    last = {symbol: float(bars["close"].iloc[-1]) for symbol, bars in panel.bars.items()}
    paid = traded.payments[["dividend", "fraction"]].sum(axis=1).groupby(traded.payments["symbol"]).sum()
    gained = paid.sub(spent, fill_value=0.0)
    profit = {s: float(traded.positions[s].iloc[-1]) * last[s] + float(gained.get(s, 0.0)) for s in panel.bars}
    carry = float(traded.history["equity"].iloc[-1]) - cash - sum(profit.values())
    return {symbol: value / cash for symbol, value in profit.items()} | {"carry": carry / cash}
