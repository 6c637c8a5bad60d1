"""Stress of a portfolio: its own rule at other costs, filled late and at random times.

Notation: T dates of the panel, N names, forecasts (T, N).
"""

from __future__ import annotations

from collections.abc import Callable

import backtrader as bt
import numpy as np
import pandas as pd

from rollcast.backtests.account.engine import Account
from rollcast.backtests.account.panel_engine import simulate_panel
from rollcast.backtests.account.replay import Stage, replay
from rollcast.backtests.evidence.stress import (
    LATEST,
    SLOW_DRAWS,
    Outcome,
    Trade,
    Variant,
    offsets,
    outcomes,
    unless_ruined,
)
from rollcast.backtests.json_values import Parameters, Values
from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.pipeline.strategies import portfolio_rule
from rollcast.strategies.portfolio.base import PortfolioStrategy
from rollcast.strategies.portfolio.equal_weight import EqualWeight

GRID = (0, 1, 2, 5, 10, 20, 50, 200, 1000)  # basis points each way: log growth is all but straight between two

SAME = 1e-9  # of equity

# A variant's equity at every close (T,), and the value traded from the first forecast on.
Run = Callable[[Variant], tuple[np.ndarray, float]]


def stress_panel(
    result: Result,
    strategy: type[bt.Strategy],
    parameters: Parameters | None = None,
    account: Account | None = None,
    *,
    draws: int = SLOW_DRAWS,
    seed: int = 0,
) -> Values:
    """How a portfolio's result changes with its costs, its delay and its timing; keys as `evidence.stress.stress`'s.

    A delay is counted in a name's own bars. At random times the forecasts of all names are turned together, each
    within the bars it has forecasts for, so that who is compared with whom stays. There is no `naive`: forecasts of
    zero rank nobody. A rule that the replay cannot give the result's own equity of is run by backtrader, ten times as
    long.
    """
    account = account or Account()
    rule, given = portfolio_rule(strategy, parameters or {})
    stage = Stage(result.market.panel)
    values = result.forecasts.reindex(result.market.panel.calendar).to_numpy(float)
    first = len(values) - len(result.history)
    quick = _replays(stage, first, rule, given)
    fast = _agrees(quick, Variant(values, account), result)
    window = len(values) - first
    told = outcomes(
        values,
        [late(values, bars) for bars in range(1, LATEST + 1)],
        [turned(values, offset / window) for offset in offsets(window, draws, seed)],
        *(account, GRID),
        _trade(quick if fast else _simulations(stage, first, rule, given), first, result.metrics["bars_per_year"]),
        _trade(_replays(stage, first, EqualWeight, {}), first, result.metrics["bars_per_year"]),
        naive=False,
    )
    return {"engine": "fast" if fast else "backtrader"} | told


def late(values: np.ndarray, bars: int) -> np.ndarray:
    """Each name's forecasts so many of its own bars later."""
    moved = np.full_like(values, np.nan)
    for column, known in enumerate(~np.isnan(values.T)):
        at = np.flatnonzero(known)
        moved[at[bars:], column] = values[at[:-bars], column]
    return moved


def turned(values: np.ndarray, share: float) -> np.ndarray:
    """Each name's forecasts moved on by this share of them, the end coming round to the front."""
    moved = np.full_like(values, np.nan)
    for column, known in enumerate(~np.isnan(values.T)):
        at = np.flatnonzero(known)
        moved[at, column] = np.roll(values[at, column], round(share * len(at)))
    return moved


def _agrees(quick: Run, net: Variant, result: Result) -> bool:
    """Whether the replay of the run itself is the run."""
    try:
        equity, _ = quick(net)
    except Exception:  # a rule of a user's may ask for anything of backtrader, which then runs it
        return False
    return bool(np.allclose(equity[-len(result.history) :], result.equity, rtol=SAME, atol=0))


def _trade(run: Run, first: int, yearly: int) -> Trade:
    def one(variant: Variant) -> Outcome:
        equity, traded = run(variant)
        return Outcome.of(equity[first:], traded, yearly)

    return lambda variants: [unless_ruined(one, variant) for variant in variants]


def _replays(stage: Stage, first: int, rule: type[PortfolioStrategy], parameters: Parameters) -> Run:
    def run(variant: Variant) -> tuple[np.ndarray, float]:
        done = replay(stage, variant.forecast, rule, parameters, variant.account)
        return done.equity, float(np.abs(done.orders[done.orders[:, 0] >= first, 3]).sum())

    return run


def _simulations(stage: Stage, first: int, rule: type[PortfolioStrategy], parameters: Parameters) -> Run:
    def run(variant: Variant) -> tuple[np.ndarray, float]:
        table = pd.DataFrame(variant.forecast, stage.panel.calendar, stage.panel.symbols)
        done = simulate_panel(stage.panel, table, rule, parameters, variant.account)
        within = done.orders["date"] >= stage.panel.calendar[first]
        return done.history["equity"].to_numpy(float), float(done.orders["value"].abs()[within].sum())

    return run
