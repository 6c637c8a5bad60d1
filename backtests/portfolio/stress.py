"""Stress of a portfolio: the figures of `backtests.evidence.stress` for many names in one account.

Notation: T dates of the panel, N names; the evaluation window begins at the first forecast of any name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from backtests.engine import Account
from backtests.evidence.stress import COARSE, LATEST, SLOW_DRAWS, Outcome, Trade, Variant, outcomes, unless_ruined
from backtests.portfolio.engine import simulate_panel
from backtests.portfolio.panel import Panel
from backtests.portfolio.replay import Stage, replay, supports
from backtests.sources import bars_per_year
from strategies.portfolio.base import PortfolioStrategy
from strategies.portfolio.equal_weight import EqualWeight

One = Callable[[Variant], tuple[np.ndarray, float]]


def stress_panel(
    panel: Panel,
    table: pd.DataFrame,
    strategy: type[PortfolioStrategy],
    parameters: Mapping[str, Any] | None = None,
    account: Account | None = None,
    *,
    draws: int = SLOW_DRAWS,
    seed: int = 0,
) -> dict[str, Any]:
    """What `stress` says, of a portfolio; `hold` is to hold every name with a forecast alike.

    table: the forecasts, dates × symbols, NaN where there is none.

    A rule of the user's is run by backtrader, ten times as long. Raises ValueError if there is no forecast.
    """
    account, parameters = account or Account(), dict(parameters or {})
    table = table.reindex(panel.calendar)
    values = table.to_numpy(float)
    known = np.flatnonzero(~np.isnan(values).all(axis=1))
    if not len(known):
        raise ValueError("there is no forecast to trade")
    first, stage = int(known[0]), Stage(panel)
    yearly = bars_per_year(panel.calendar[first:])

    def trader(rule: type[PortfolioStrategy], given: Mapping[str, Any]) -> Trade:
        one = (_replayed if supports(rule, given) else _simulated)(stage, first, rule, given)
        return lambda variants: [unless_ruined(lambda v: Outcome.of(*one(v), yearly), each) for each in variants]

    own = [panel.calendar.get_indexer(bars.index) for bars in panel.bars.values()]
    return {"engine": "fast" if supports(strategy, parameters) else "backtrader"} | outcomes(
        values,
        [late(values, own, k) for k in range(1, LATEST + 1)],
        rotations(values, draws, seed),
        *(account, COARSE, trader(strategy, parameters), trader(EqualWeight, {})),
    )


def late(values: np.ndarray, own: list[np.ndarray], bars: int) -> np.ndarray:
    """The forecasts (T, N) so many bars later, each by its name's `own` bars, which are positions among the dates."""
    moved = np.full_like(values, np.nan)
    for i, at in enumerate(own):
        moved[at[bars:], i] = values[at[:-bars], i]
    return moved


def rotations(values: np.ndarray, draws: int, seed: int) -> list[np.ndarray]:
    """The forecasts (T, N) at the wrong times: those of each name turned within its own, the end coming to the front.

    All names are turned by the same part of their forecasts, so that what was said of them on one date stays together
    where they have the same dates: not who is ranked first, but when, is what is destroyed.

    Reference: as `backtests.evidence.stress.rotations`.
    """
    known = [np.flatnonzero(~np.isnan(column)) for column in values.T]
    longest = max(map(len, known))
    offsets = np.arange(1, longest)
    turned = []
    for offset in np.random.default_rng(seed).choice(offsets, min(draws, len(offsets)), replace=False):
        each = values.copy()
        for i, at in enumerate(known):
            each[at, i] = np.roll(values[at, i], round(int(offset) * len(at) / longest))
        turned.append(each)
    return turned


def _replayed(stage: Stage, first: int, rule: type[PortfolioStrategy], parameters: Mapping[str, Any]) -> One:
    def one(variant: Variant) -> tuple[np.ndarray, float]:
        done = replay(stage, _frame(stage, variant), rule, parameters, variant.account)
        within = done.orders[:, 0] >= first
        return done.equity[first:], float(np.abs(done.orders[within, 3]).sum())

    return one


def _simulated(stage: Stage, first: int, rule: type[PortfolioStrategy], parameters: Mapping[str, Any]) -> One:
    def one(variant: Variant) -> tuple[np.ndarray, float]:
        done = simulate_panel(stage.panel, _frame(stage, variant), rule, parameters, variant.account)
        within = done.orders["date"] >= stage.panel.calendar[first]
        return done.history["equity"].to_numpy(float)[first:], float(done.orders["value"].abs()[within].sum())

    return one


def _frame(stage: Stage, variant: Variant) -> pd.DataFrame:
    return pd.DataFrame(variant.forecast, stage.panel.calendar, stage.panel.symbols)
