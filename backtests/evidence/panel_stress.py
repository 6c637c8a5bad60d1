"""Stress of a portfolio: its own rule at other costs, filled late and at random times.

Notation: T dates of the panel, N names, forecasts (T, N).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pandas as pd

from ...strategies.portfolio.equal_weight import EqualWeight
from ..account.engine import Account
from ..account.hosts import Strategy
from ..account.replay import Stage, replay
from ..account.scores import cash_returns
from ..json_values import Parameters, Values
from ..pipeline.result import Result
from .stress import SLOW_DRAWS
from .variants import LATEST, Outcome, Variant, offsets, outcomes, unless_ruined

GRID = (0, 1, 2, 5, 10, 20, 50, 200, 1000)  # basis points each way: log growth is all but straight between two


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
    window = len(result.history)
    trade = partial(_trade, stage, len(values) - window, result.metrics["bars_per_year"])
    return {"engine": "fast"} | outcomes(
        values,
        [late(values, bars) for bars in range(1, LATEST + 1)],
        [turned(values, offset / window) for offset in offsets(window, draws, seed)],
        *(account, GRID),
        *(partial(trade, strategy, parameters or {}), partial(trade, EqualWeight, {})),
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


def _trade(
    stage: Stage, first: int, yearly: int, strategy: Strategy, parameters: Parameters, variants: Sequence[Variant]
) -> list[Outcome]:
    """Every variant on the replay, scored from bar `first` on."""

    dates = pd.DatetimeIndex(stage.panel.calendar[first:])
    cash = cash_returns(dates, variants[0].account.interest_bps)

    def one(variant: Variant) -> Outcome:
        account = replay(stage, variant.forecast, strategy, parameters, variant.account)
        traded = np.abs(account.orders[account.orders[:, 0] >= first, 3]).sum()
        return Outcome.of(account.equity[first:], float(traded), yearly, cash)

    return [unless_ruined(one, variant) for variant in variants]
