"""Scores of a return series, a set of orders and a forecast, in full precision.

Notation: r simple return per bar, A bars per year, n bars. docs/metrics.md defines each one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

ROUNDING = 1e-14  # of a return


def cash_returns(dates: pd.DatetimeIndex, interest_bps: float) -> pd.Series:
    """What cash earns per bar on these dates, as the account books it: by calendar time, from the first date on."""
    years = np.diff(dates.as_unit("s").asi8, prepend=dates.as_unit("s").asi8[:1]) / (365 * 86_400)
    return pd.Series(interest_bps / 1e4 * years, dates)


def over_cash(returns: np.ndarray, cash: np.ndarray) -> np.ndarray:
    """Returns less those of cash; what is left of an account that is all cash is rounding, and 0."""
    rest = returns - cash
    return np.where(np.abs(rest) > ROUNDING, rest, 0.0)


def return_scores(returns: pd.Series, bars_per_year: int, cash: pd.Series | None = None) -> dict[str, float]:
    """Scores of simple returns per bar: growth, risk, and the two together. NaN where a score is not defined.

    cash: what cash earned per bar; x is r less that, and r itself where it is None.

    cagr:         (∏(1+r))^(A/n) - 1             volatility: sd(r) · √A, n-1 in the denominator
    sharpe:       mean(x)/sd(x) · √A             sortino:    mean(x)/√mean(min(x,0)²) · √A
    max_drawdown: least of equity/its peak - 1   calmar:     cagr / |max_drawdown|
    skew, kurtosis: population moments, kurtosis not in excess of the normal's 3
    """
    r = returns.to_numpy(float)
    x = r if cash is None else over_cash(r, cash.to_numpy(float))
    equity = np.cumprod(1 + r)
    total = float(equity[-1] - 1)
    with np.errstate(over="ignore"):  # a few bars of a large gain
        cagr = float(equity[-1] ** (bars_per_year / len(r)) - 1)
    deviation = float(r.std(ddof=1)) if len(r) > 1 else math.nan
    downside = math.sqrt(np.mean(np.minimum(x, 0) ** 2))
    drawdown = float(np.min(equity / np.maximum.accumulate(np.r_[1.0, equity])[1:] - 1))
    yearly = math.sqrt(bars_per_year)
    spread = float(r.std())
    z = (r - r.mean()) / (spread if spread > 1e-15 else math.nan)
    return {
        "total_return": total,
        "cagr": cagr,
        "volatility": deviation * yearly,
        "sharpe": _ratio(float(x.mean()), float(x.std(ddof=1)) if len(x) > 1 else math.nan) * yearly,
        "sortino": _ratio(float(x.mean()), downside) * yearly,
        "max_drawdown": drawdown,
        "calmar": _ratio(cagr, abs(drawdown)),
        "skew": float(np.mean(z**3)),
        "kurtosis": float(np.mean(z**4)),
    }


def trading_scores(history: pd.DataFrame, orders: pd.DataFrame, trades: pd.DataFrame, bars_per_year: int) -> dict:
    """What the trading did and cost over these bars.

    turnover:       value bought and sold a year, over the mean equity (1 = the account bought or sold once)
    time_in_market: share of the bars' closes with a position
    cost_bps:       commission and slippage a year, in basis points of the mean equity
    rejected:       orders the broker refused, all or in part
    """
    years = len(history) / bars_per_year
    filled = orders[orders["price"].notna()]
    equity = float(history["equity"].mean())
    closed = trades[trades["exit_date"].notna()]
    return {
        "trades": len(trades),
        "orders": len(filled),
        "rejected": int(orders["status"].isin(["margin", "rejected"]).sum()),
        "win_rate": _ratio(float((closed["pnl"] > 0).sum()), len(closed)),
        "turnover": float(filled["value"].abs().sum()) / equity / years,
        "time_in_market": float((history["units"] != 0).mean()),
        "commission": float(orders["commission"].sum()),
        "slippage": float(orders["slippage"].sum()),
        "cost_bps": 1e4 * float(orders["commission"].sum() + orders["slippage"].sum()) / equity / years,
    }


def account_scores(
    cash: float, trades: pd.DataFrame, carry: Mapping[str, float], equity: pd.Series
) -> dict[str, float]:
    """What became of the cash, in the currency of the prices: start + trades + interest - borrow - loan = end.

    start, end: the cash at the start and the equity at the last close
    trades:     profit of all round trips, the open ones at the last close, after commission and slippage
    interest, borrow, loan: as `Broker.carry`
    """
    return {"start": cash, "trades": float(trades["pnl"].sum()), **carry, "end": float(equity.iloc[-1])}


def forecast_scores(forecast: pd.Series, bars: pd.DataFrame) -> dict[str, float]:
    """How good the forecasts were before any money was put on them, against the next return.

    r2:  1 - Σ(y-f)²/Σy², out of sample, against the naive forecast of zero
    ic:  correlation of forecast and outcome        hit_rate: share of non-zero forecasts with the right sign
    """
    outcome = np.log(bars["close"]).diff().shift(-1)
    known = forecast.notna() & outcome.notna()
    f, y = forecast[known].to_numpy(), outcome[known].to_numpy()
    opinion = (f != 0) & (y != 0)
    varies = len(f) > 1 and np.ptp(f) > 0 and np.ptp(y) > 0
    return {
        "forecasts": len(f),
        "r2": 1 - _ratio(float(np.sum((y - f) ** 2)), float(np.sum(y**2))),
        "ic": float(np.corrcoef(f, y)[0, 1]) if varies else math.nan,
        "hit_rate": _ratio(float(np.sum(np.sign(f) == np.sign(y), where=opinion)), int(opinion.sum())),
    }


def _ratio(numerator: float, denominator: float) -> float:
    """The quotient, NaN where the denominator is zero or only rounding."""
    return numerator / denominator if abs(denominator) > 1e-15 else math.nan
