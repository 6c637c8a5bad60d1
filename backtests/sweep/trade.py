"""Trades a chunk of points at once, and scores them as `return_scores` and `trading_scores` score a single one.

Notation: T bars, the last n of them scored, N points.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...strategies.sizing import Ruined
from ..account import Evaluation, supports
from ..account.engine import Account, simulate
from ..account.fast_scores import Scored, score, scores_of
from ..account.hosts import Strategy
from ..json_values import Parameters


def trade(
    bars: pd.DataFrame,
    forecasts: np.ndarray,
    strategy: Strategy,
    parameters: Sequence[Parameters],
    account: Account,
    first: int,
    bars_per_year: int,
) -> Scored:
    """Trades forecasts (T, N), NaN before bar `first`, each with parameters of its own of one strategy.

    The fast accounts trade all points at once where they have a rule for the strategy; else backtrader trades one after
    another. A ruined account has a return of -1 on the bar of its ruin; where backtrader traded it, 0 before it.
    """
    if supports(strategy) and account.fast:
        return score(bars, forecasts, strategy, parameters, account, first, bars_per_year, returns=True)
    accounts = _simulate_each(bars, forecasts, strategy, parameters, account)
    return scores_of(accounts, bars.index, first, bars_per_year, account.interest_bps)


def trade_one(
    bars: pd.DataFrame,
    strategy: Strategy,
    account: Account,
    first: int,
    bars_per_year: int,
    point: tuple[np.ndarray, Parameters],
) -> Scored:
    """As `trade`, for one point: its forecast (T,) and the strategy's parameters."""
    forecast, parameters = point
    return trade(bars, forecast[:, None], strategy, [parameters], account, first, bars_per_year)


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
