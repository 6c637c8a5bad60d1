"""A chunk of points traded at once, and scored as `return_scores` and `trading_scores` score one.

Notation: T bars, n of them evaluated, N points; equity, units and returns (n, N), A bars per year.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.account import Prices, evaluate, supports
from rollcast.backtests.account.engine import Account, simulate
from rollcast.backtests.account.hosts import Strategy
from rollcast.strategies.sizing import Ruined


@dataclass(frozen=True)
class Traded:
    """What came of a chunk: returns per bar (n, N), and a row of scores for each point."""

    returns: np.ndarray
    scores: pd.DataFrame


@dataclass(frozen=True)
class _Accounts:
    """(n, N) at the closes, and (N,) sums over all orders."""

    equity: np.ndarray
    units: np.ndarray
    orders: np.ndarray
    traded: np.ndarray
    cost: np.ndarray
    too_small: np.ndarray


def trade(
    bars: pd.DataFrame,
    forecasts: np.ndarray,
    strategy: Strategy,
    parameters: Sequence[Mapping[str, Any]],
    account: Account,
    first: int,
    bars_per_year: int,
) -> Traded:
    """Trades forecasts (T, N), NaN before bar `first`, each with its own parameters of one strategy.

    By the fast accounts where they have a rule for the strategy, else by backtrader one after another; an account that
    is wiped out loses all on that bar, and where backtrader traded it nothing before.
    """
    several = _at_once if supports(strategy) and account.fast else _one_by_one
    done = several(bars, forecasts, strategy, parameters, account)
    kept = _Accounts(done.equity[first:], done.units[first:], done.orders, done.traded, done.cost, done.too_small)
    returns = returns_of(kept.equity)
    ruined = ~(kept.equity[-1] > 0)
    years = len(returns) / bars_per_year
    equity = np.nanmean(kept.equity, axis=0)
    scores = return_columns(returns, bars_per_year) | {
        "orders": kept.orders,
        "turnover": kept.traded / equity / years,
        "time_in_market": (np.nan_to_num(kept.units) != 0).mean(axis=0),
        "cost_bps": 1e4 * kept.cost / equity / years,
        "too_small": kept.too_small,
        "ruined": ruined,
    }
    return Traded(returns, pd.DataFrame(scores))


def trade_one(
    bars: pd.DataFrame,
    strategy: Strategy,
    account: Account,
    first: int,
    bars_per_year: int,
    point: tuple[np.ndarray, Mapping[str, Any]],
) -> Traded:
    """What came of one point: a forecast (T,) and the strategy's parameters."""
    forecast, parameters = point
    return trade(bars, forecast[:, None], strategy, [parameters], account, first, bars_per_year)


def returns_of(equity: np.ndarray) -> np.ndarray:
    """Simple returns per bar, 0 at the first; -1 at the bar a ruined account has no equity from on, then 0."""
    returns = np.zeros(equity.shape)
    returns[1:] = equity[1:] / equity[:-1] - 1
    over = np.isnan(equity)
    if over.any():
        returns[over] = 0.0
        gone = over.any(axis=0)
        returns[over.argmax(axis=0)[gone], np.flatnonzero(gone)] = -1.0
    return returns


def return_columns(returns: np.ndarray, bars_per_year: int) -> dict[str, np.ndarray]:
    """The scores of `backtests.account.scores.return_scores`, its slow twin, for every column."""
    n, yearly = len(returns), np.sqrt(bars_per_year)
    equity = np.cumprod(1 + returns, axis=0)
    peak = np.maximum(np.maximum.accumulate(equity, axis=0), 1.0)
    mean = returns.mean(axis=0)
    centred = returns - mean
    square = centred * centred
    variance = square.sum(axis=0)
    deviation, spread = np.sqrt(variance / (n - 1)), np.sqrt(variance / n)
    downside = np.sqrt((np.minimum(returns, 0) ** 2).mean(axis=0))
    drawdown = (equity / peak - 1).min(axis=0)
    with np.errstate(over="ignore"):
        cagr = equity[-1] ** (bars_per_year / n) - 1
    real = np.where(spread > 1e-15, spread, np.nan)
    return {
        "total_return": equity[-1] - 1,
        "cagr": cagr,
        "volatility": deviation * yearly,
        "sharpe": _ratio(mean, deviation) * yearly,
        "sortino": _ratio(mean, downside) * yearly,
        "max_drawdown": drawdown,
        "calmar": _ratio(cagr, np.abs(drawdown)),
        "skew": (square * centred).mean(axis=0) / real**3,
        "kurtosis": (square * square).mean(axis=0) / real**4,
    }


def sharpe_columns(returns: np.ndarray, bars_per_year: int) -> np.ndarray:
    """The Sharpe ratio of every column, as `return_columns` has it."""
    mean = returns.mean(axis=0)
    centred = returns - mean
    deviation = np.sqrt(np.einsum("ij,ij->j", centred, centred) / (len(returns) - 1))
    return _ratio(mean, deviation) * np.sqrt(bars_per_year)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return numerator / np.where(np.abs(denominator) > 1e-15, denominator, np.nan)


def _at_once(
    bars: pd.DataFrame, forecasts: np.ndarray, strategy: Strategy, parameters: Sequence[Any], account: Account
) -> _Accounts:
    done = evaluate(Prices.of(bars), forecasts, strategy, parameters, account)
    cost = done.commission + done.slippage
    return _Accounts(done.equity, done.units, done.orders, done.traded, cost, done.too_small)


def _one_by_one(
    bars: pd.DataFrame, forecasts: np.ndarray, strategy: Strategy, parameters: Sequence[Any], account: Account
) -> _Accounts:
    shape = (len(bars), len(parameters))
    equity, units, sums = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros((4, shape[1]))
    for k, values in enumerate(parameters):
        try:
            done = simulate(bars, pd.Series(forecasts[:, k], index=bars.index), strategy, values, account)
        except Ruined as ruined:
            # Its history is lost, but not the bar on which all was.
            equity[: bars.index.get_indexer([ruined.date], method="nearest")[0], k] = account.cash
            continue
        filled = done.orders[done.orders["price"].notna()]
        equity[:, k], units[:, k] = done.history["equity"], done.history["units"]
        cost = float(done.orders["commission"].sum() + done.orders["slippage"].sum())
        sums[:, k] = len(filled), float(filled["value"].abs().sum()), cost, done.too_small
    return _Accounts(equity, units, sums[0].astype(int), sums[1], sums[2], sums[3].astype(int))
