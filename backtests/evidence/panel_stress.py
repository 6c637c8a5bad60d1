"""Stress of a portfolio: its own rule at other costs, filled late and at random times.

Notation: T dates of the panel, N names, forecasts (T, N).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...strategies.portfolio.equal_weight import EqualWeight
from ..account.engine import Account
from ..account.hosts import Strategy
from ..account.replay import Stage, replay
from ..json_values import Parameters, Values
from ..pipeline.result import Result
from .stress import SLOW_DRAWS
from .variants import LATEST, Outcome, Trade, Variant, offsets, outcomes, unless_ruined

GRID = (0, 1, 2, 5, 10, 20, 50, 200, 1000)  # basis points each way: log growth is all but straight between two


# A variant's equity at every close (T,), and the value traded from the first forecast on.
Run = Callable[[Variant], tuple[np.ndarray, float]]


def stress_panel(
    result: Result,
    strategy: Strategy,
    parameters: Parameters | None = None,
    account: Account | None = None,
    *,
    draws: int = SLOW_DRAWS,
    seed: int = 0,
) -> Values:
    """How a portfolio's result changes with its costs, its delay and its timing; keys as `evidence.stress.stress`'s.

    A delay is counted in a name's own bars. At random times the forecasts of all names are turned together, each
    within the bars it has forecasts for, so that who is compared with whom stays. There is no `naive`: forecasts of
    zero rank nobody.
    """
    account = account or Account()
    stage = Stage(result.market.panel)
    values = result.forecasts.reindex(result.market.panel.calendar).to_numpy(float)
    first = len(values) - len(result.history)
    window = len(values) - first
    return {"engine": "fast"} | outcomes(
        values,
        [late(values, bars) for bars in range(1, LATEST + 1)],
        [turned(values, offset / window) for offset in offsets(window, draws, seed)],
        *(account, GRID),
        _trade(_replays(stage, first, strategy, parameters or {}), first, result.metrics["bars_per_year"]),
        _trade(_replays(stage, first, EqualWeight, {}), first, result.metrics["bars_per_year"]),
        naive=False,
    )


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


def _trade(run: Run, first: int, yearly: int) -> Trade:
    def one(variant: Variant) -> Outcome:
        equity, traded = run(variant)
        return Outcome.of(equity[first:], traded, yearly)

    return lambda variants: [unless_ruined(one, variant) for variant in variants]


def _replays(stage: Stage, first: int, strategy: Strategy, parameters: Parameters) -> Run:
    def run(variant: Variant) -> tuple[np.ndarray, float]:
        done = replay(stage, variant.forecast, strategy, parameters, variant.account)
        return done.equity, float(np.abs(done.orders[done.orders[:, 0] >= first, 3]).sum())

    return run
