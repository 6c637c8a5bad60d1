"""The engine for many names: their bars and forecasts in, one account's history out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from ...predictors.isolation import isolated
from ...strategies.portfolio.calendar import on_calendar
from ...strategies.portfolio.feed import NameActionFeed, NameFeed
from ..json_values import Parameters
from ..market.panel import Panel
from .engine import Account, Orders, broker_for, payments_of, refuse_ruin
from .hosts import Strategy, host_many


@dataclass(frozen=True)
class PanelSimulation:
    """What happened to the account.

    history:   at every date's close, `equity` (the broker's value), `cash`, and in `units` the number of names held.
    positions: units of each name at every close, dates × symbols.
    orders:    as `Simulation.orders`, with the `symbol` each was for.
    too_small: targets missed because one whole unit cost more than the account could give it.
    payments:  as `Simulation.payments`, with the `symbol` each was of.
    carry:     as `Simulation.carry`.
    """

    history: pd.DataFrame
    positions: pd.DataFrame
    orders: pd.DataFrame
    too_small: int
    payments: pd.DataFrame
    carry: dict[str, float]


def simulate_panel(
    panel: Panel,
    forecasts: pd.DataFrame,
    strategy: Strategy,
    parameters: Parameters | None = None,
    account: Account | None = None,
    **modes: Any,
) -> PanelSimulation:
    """Trades `forecasts` (dates × symbols, NaN where there is none) over the panel in one account.

    strategy: a rule for many names, or one for a single name, of which each name then has a copy and an equal share.
    modes: passed to `bt.Cerebro` (runonce, preload, exactbars); none of them changes the result.

    Raises Ruined if the account is wiped out, since no result after that has a meaning.
    """
    account = account or Account()
    host, arguments = host_many(strategy, parameters)
    cerebro = bt.Cerebro(stdstats=False, cheat_on_open=True, **modes)
    cerebro.broker = broker_for(account, forecasts.notna().any(axis=1))
    for symbol, bars in panel.bars.items():
        rows = on_calendar(bars, forecasts[symbol].reindex(bars.index), panel.calendar)
        cerebro.adddata((NameActionFeed if "dividend" in rows else NameFeed)(dataname=rows), name=symbol)
    cerebro.addstrategy(host, **arguments)
    cerebro.addanalyzer(_History, _name="history")
    cerebro.addanalyzer(Orders, _name="orders")
    with isolated():
        (run,) = cerebro.run()
    return PanelSimulation(
        _history(run.analyzers.history, panel.calendar),
        pd.DataFrame(run.analyzers.history.units, columns=panel.symbols, index=panel.calendar),
        run.analyzers.orders.table(panel.calendar),
        run.trader.too_small,
        payments_of(cerebro.broker, panel.calendar),
        cerebro.broker.carry,
    )


class _History(bt.Analyzer):
    """The broker's value and cash and every name's units, at every date."""

    def start(self) -> None:
        self.rows: list[tuple[float, float]] = []
        self.units: list[list[float]] = []
        self._broker = self.strategy.broker
        self._positions = [self._broker.getposition(data) for data in self.strategy.datas]

    def next(self) -> None:
        self.rows.append((self._broker.getvalue(), self._broker.getcash()))
        self.units.append([position.size for position in self._positions])

    prenext = nextstart = next


def _history(analyzer: _History, calendar: pd.DatetimeIndex) -> pd.DataFrame:
    history = pd.DataFrame(analyzer.rows, columns=["equity", "cash"], index=calendar)
    refuse_ruin(history["equity"])
    history["units"] = (np.array(analyzer.units) != 0).sum(axis=1).astype(float)
    return history
