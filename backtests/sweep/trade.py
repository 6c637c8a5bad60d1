"""Trades a chunk of points at once, and scores them as `return_scores` and `trading_scores` score a single one.

Notation: T bars, the last n of them scored, N points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...strategies.sizing import Ruined
from ..account import Evaluation, evaluate, supports
from ..account.engine import Account, simulate
from ..account.hosts import Strategy
from ..account.scores import cash_returns, over_cash
from ..json_values import Parameters


@dataclass(frozen=True)
class ChunkScores:
    """The returns of a chunk, per bar (n, N), and a row of scores for each of its points."""

    returns: np.ndarray
    scores: pd.DataFrame


def trade(
    bars: pd.DataFrame,
    forecasts: np.ndarray,
    strategy: Strategy,
    parameters: Sequence[Parameters],
    account: Account,
    first: int,
    bars_per_year: int,
) -> ChunkScores:
    """Trades forecasts (T, N), NaN before bar `first`, each with parameters of its own of one strategy.

    The fast accounts trade all points at once where they have a rule for the strategy; else backtrader trades one after
    another. A ruined account has a return of -1 on the bar of its ruin; where backtrader traded it, 0 before it.
    """
    run = evaluate if supports(strategy) and account.fast else _simulate_each
    accounts = run(bars, forecasts, strategy, parameters, account)
    equity, units = accounts.equity[first:], accounts.units[first:]
    returns = returns_of(equity)
    years = len(returns) / bars_per_year
    mean_equity = np.nanmean(equity, axis=0)
    cash = cash_returns(pd.DatetimeIndex(bars.index[first:]), account.interest_bps).to_numpy(float)
    scores = return_columns(returns, bars_per_year, cash) | {
        "orders": accounts.orders,
        "turnover": accounts.traded / mean_equity / years,
        "time_in_market": (np.nan_to_num(units) != 0).mean(axis=0),
        "cost_bps": 1e4 * (accounts.commission + accounts.slippage) / mean_equity / years,
        "too_small": accounts.too_small,
        "ruined": accounts.ruined,
    }
    return ChunkScores(returns, pd.DataFrame(scores))


def trade_one(
    bars: pd.DataFrame,
    strategy: Strategy,
    account: Account,
    first: int,
    bars_per_year: int,
    point: tuple[np.ndarray, Parameters],
) -> ChunkScores:
    """As `trade`, for one point: its forecast (T,) and the strategy's parameters."""
    forecast, parameters = point
    return trade(bars, forecast[:, None], strategy, [parameters], account, first, bars_per_year)


def returns_of(equity: np.ndarray) -> np.ndarray:
    """Simple returns per bar, 0 at the first; -1 where the equity of a ruined account becomes NaN, and 0 after it."""
    returns = np.zeros(equity.shape)
    returns[1:] = equity[1:] / equity[:-1] - 1
    missing = np.isnan(equity)
    if missing.any():
        returns[missing] = 0.0
        ruined = missing.any(axis=0)
        returns[missing.argmax(axis=0)[ruined], np.flatnonzero(ruined)] = -1.0
    return returns


def return_columns(returns: np.ndarray, bars_per_year: int, cash: np.ndarray | float = 0.0) -> dict[str, np.ndarray]:
    """The scores of every column of returns (n, N); `account.scores.return_scores` is the twin for one Series."""
    over = over_cash(returns, np.reshape(cash, (-1, 1)))
    n, yearly = len(returns), np.sqrt(bars_per_year)
    equity = np.cumprod(1 + returns, axis=0)
    peak = np.maximum(np.maximum.accumulate(equity, axis=0), 1.0)
    mean = returns.mean(axis=0)
    centred = returns - mean
    square = centred * centred
    variance = square.sum(axis=0)
    deviation, spread = np.sqrt(variance / (n - 1)), np.sqrt(variance / n)
    downside = np.sqrt((np.minimum(over, 0) ** 2).mean(axis=0))
    drawdown = (equity / peak - 1).min(axis=0)
    with np.errstate(over="ignore"):
        cagr = equity[-1] ** (bars_per_year / n) - 1
    scale = np.where(spread > 1e-15, spread, np.nan)
    return {
        "total_return": equity[-1] - 1,
        "cagr": cagr,
        "volatility": deviation * yearly,
        "sharpe": sharpe_columns(over, bars_per_year),
        "sortino": _ratio(over.mean(axis=0), downside) * yearly,
        "max_drawdown": drawdown,
        "calmar": _ratio(cagr, np.abs(drawdown)),
        "skew": (square * centred).mean(axis=0) / scale**3,
        "kurtosis": (square * square).mean(axis=0) / scale**4,
    }


def sharpe_columns(returns: np.ndarray, bars_per_year: int) -> np.ndarray:
    """The annualised Sharpe ratio of every column of returns (n, N), as `return_columns` has it."""
    mean = returns.mean(axis=0)
    centred = returns - mean
    deviation = np.sqrt(np.einsum("ij,ij->j", centred, centred) / (len(returns) - 1))
    return _ratio(mean, deviation) * np.sqrt(bars_per_year)


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return numerator / np.where(np.abs(denominator) > 1e-15, denominator, np.nan)


def _simulate_each(
    bars: pd.DataFrame, forecasts: np.ndarray, strategy: Strategy, parameters: Sequence[Parameters], account: Account
) -> Evaluation:
    """As `evaluate`, by backtrader; the equity of a ruined account is its cash before the bar of its ruin, then NaN."""
    n = len(parameters)
    equity, cash, units = (np.full((len(bars), n), np.nan) for _ in range(3))
    traded, commission, slippage = (np.zeros(n) for _ in range(3))
    count, too_small = np.zeros(n, int), np.zeros(n, int)
    for k, values in enumerate(parameters):
        try:
            simulation = simulate(bars, pd.Series(forecasts[:, k], index=bars.index), strategy, values, account)
        except Ruined as ruin:
            equity[: bars.index.get_indexer([ruin.date], method="nearest")[0], k] = account.cash
            continue
        history, orders = simulation.history, simulation.orders
        fills = orders[orders["price"].notna()]
        equity[:, k], cash[:, k], units[:, k] = history["equity"], history["cash"], history["units"]
        count[k], traded[k], too_small[k] = len(fills), fills["value"].abs().sum(), simulation.too_small
        commission[k], slippage[k] = orders["commission"].sum(), orders["slippage"].sum()
    ruined = np.isnan(equity[-1])
    return Evaluation(equity, cash, units, count, traded, commission, slippage, too_small, ruined)
