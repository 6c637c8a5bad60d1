"""Stress of a portfolio: its own rule at other costs, filled late and at random times.

Notation: T dates of the panel, N names, forecasts (T, N).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from backtests.engine import Account
from backtests.evidence.stress import SLOW_DRAWS, Outcome, Variant, figures, offsets, variants
from backtests.portfolio.backtest import rule_for_many
from backtests.portfolio.engine import simulate_panel
from backtests.portfolio.light import Rows, trade_light
from backtests.portfolio.result import PanelResult
from strategies.portfolio.base import PortfolioStrategy
from strategies.portfolio.equal_weight import EqualWeight

GRID = (0, 1, 2, 5, 10, 20, 50, 200, 1000)  # basis points each way: log growth is all but straight between two
SAME = 1e-9  # of equity: how near the light account must come to backtrader's to stand for it


class _Market:
    """A panel on which a rule trades variants, the light way where that gives what backtrader gave."""

    def __init__(self, result: PanelResult) -> None:
        self.panel, self.first = result.panel, len(result.panel.calendar) - len(result.history)
        self.rows = Rows.of(result.panel)

    def agrees(
        self, strategy: type[PortfolioStrategy], parameters: Mapping[str, Any], net: Variant, equity: pd.Series
    ) -> bool:
        """Whether the light account of the run itself is the run's; a rule may ask for what only backtrader has."""
        try:
            light = trade_light(self.rows, net.forecast, strategy, parameters, net.account)
        except (AttributeError, IndexError, TypeError, ValueError):
            return False
        return bool(np.allclose(light.equity[self.first :], equity, rtol=SAME, atol=0))

    def trade(
        self, strategy: type[PortfolioStrategy], parameters: Mapping[str, Any], many: Sequence[Variant], *, light: bool
    ) -> list[Outcome]:
        """All variants, one after another."""
        return [self._one(strategy, parameters, one, light) for one in many]

    def _one(
        self, strategy: type[PortfolioStrategy], parameters: Mapping[str, Any], one: Variant, light: bool
    ) -> Outcome:
        try:
            if light:
                done = trade_light(self.rows, one.forecast, strategy, parameters, one.account)
                return Outcome(done.equity[self.first :], float(done.traded[self.first :].sum()), False)
            table = pd.DataFrame(one.forecast, self.panel.calendar, self.panel.symbols)
            told = simulate_panel(self.panel, table, strategy, parameters, one.account)
        except ValueError as error:
            if "wiped out" not in str(error):
                raise
            return Outcome(np.full(len(self.panel.calendar) - self.first, np.nan), np.nan, True)
        equity = told.history["equity"].to_numpy(float)[self.first :]
        within = told.orders["date"] >= self.panel.calendar[self.first]
        return Outcome(equity, float(told.orders["value"].abs()[within].sum()), False)


def stress_panel(
    result: PanelResult, strategy: type[bt.Strategy], parameters: Mapping[str, Any], account: Account, seed: int = 0
) -> dict[str, Any]:
    """How a portfolio's result changes with its costs, its delay and its timing; keys as `evidence.stress.stress`'s.

    A delay is counted in a name's own bars. At random times the forecasts of all names are turned together, each
    within the bars it has forecasts for, so that who is compared with whom stays. There is no `naive`: forecasts of
    zero rank nobody.
    """
    market, (rule, given) = _Market(result), rule_for_many(strategy, dict(parameters))
    values = result.table.reindex(result.panel.calendar).to_numpy(float)
    taxed = [replace(account, commission_bps=bps, slippage_bps=0) for bps in GRID]
    groups = variants(values, account, taxed, later)
    del groups["naive"]
    window = len(values) - market.first
    groups["random"] = [Variant(turned(values, k / window), account) for k in offsets(window, SLOW_DRAWS, seed)]
    light = market.agrees(rule, given, groups["net"][0], result.equity)
    told = {name: market.trade(rule, given, group, light=light) for name, group in groups.items()}
    held = market.trade(EqualWeight, {}, [Variant(values, each) for each in taxed], light=True)
    engine = "fast" if light else "backtrader"
    return {"engine": engine} | figures(told, held, GRID, result.metrics["bars_per_year"])


def later(values: np.ndarray, bars: int) -> np.ndarray:
    """Each name's forecasts so many of its own bars later."""
    out = np.full_like(values, np.nan)
    for column, known in enumerate(~np.isnan(values.T)):
        at = np.flatnonzero(known)
        out[at[bars:], column] = values[at[:-bars], column]
    return out


def turned(values: np.ndarray, share: float) -> np.ndarray:
    """Each name's forecasts moved on by this share of them, the end coming round to the front."""
    out = np.full_like(values, np.nan)
    for column, known in enumerate(~np.isnan(values.T)):
        at = np.flatnonzero(known)
        out[at, column] = np.roll(values[at, column], round(share * len(at)))
    return out
