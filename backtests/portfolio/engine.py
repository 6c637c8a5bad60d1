"""The engine for many names: their bars and forecasts in, one account's history out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from backtests.engine import ORDER_COLUMNS, Account, refuse_ruin
from backtests.portfolio.panel import Panel
from strategies.broker import Broker
from strategies.feed import date_numbers
from strategies.portfolio.base import PortfolioStrategy
from strategies.portfolio.feed import NameFeed, on_calendar


@dataclass(frozen=True)
class PanelSimulation:
    """What happened to the account.

    history:   at every date's close, `equity` (the broker's value), `cash`, and in `units` the number of names held.
    positions: units of each name at every close, dates × symbols.
    orders:    as `Simulation.orders`, with the `symbol` each was for.
    too_small: targets missed because one whole unit cost more than the account could give it.
    """

    history: pd.DataFrame
    positions: pd.DataFrame
    orders: pd.DataFrame
    too_small: int


def simulate_panel(
    panel: Panel,
    forecasts: pd.DataFrame,
    strategy: type[PortfolioStrategy],
    parameters: Mapping[str, Any] | None = None,
    account: Account | None = None,
    **modes: Any,
) -> PanelSimulation:
    """Trades `forecasts` (dates × symbols, NaN where there is none) over the panel in one account.

    modes: passed to `bt.Cerebro` (runonce, preload, exactbars); none of them changes the result.

    Raises ValueError if the account is wiped out, since no result after that has a meaning.
    """
    account = account or Account()
    cerebro = bt.Cerebro(stdstats=False, cheat_on_open=True, **modes)
    cerebro.broker = broker_for(account, forecasts)
    for symbol, bars in panel.bars.items():
        rows = on_calendar(bars, forecasts[symbol].reindex(bars.index), panel.calendar)
        cerebro.adddata(NameFeed(dataname=rows), name=symbol)
    cerebro.addstrategy(strategy, **(parameters or {}))
    cerebro.addanalyzer(_History, _name="history")
    cerebro.addanalyzer(_Orders, _name="orders")
    (run,) = cerebro.run()
    return PanelSimulation(
        _history(run.analyzers.history, panel.calendar),
        pd.DataFrame(run.analyzers.history.units, columns=panel.symbols, index=panel.calendar),
        _ended(run.analyzers.orders.rows, panel.calendar),
        getattr(run, "too_small", 0),
    )


def broker_for(account: Account, forecasts: pd.DataFrame) -> Broker:
    """The broker of this account, whose cash earns interest from the first forecast of any name on."""
    known = np.flatnonzero(forecasts.notna().any(axis=1))
    broker = Broker(  # type: ignore[call-arg]  # backtrader turns params into arguments
        commission=account.commission_bps / 1e4,
        slippage=account.slippage_bps / 1e4,
        borrow=account.borrow_bps / 1e4,
        interest=account.interest_bps / 1e4,
        interest_from=date_numbers(forecasts.index)[known[0]] if len(known) else math.inf,
        fractional=account.fractional,
    )
    broker.setcash(account.cash)
    return broker


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


class _Orders(bt.Analyzer):
    """Every order that ended, filled or not, with its symbol."""

    FINAL = (bt.Order.Completed, bt.Order.Margin, bt.Order.Rejected, bt.Order.Canceled, bt.Order.Expired)

    def start(self) -> None:
        self.rows: list[tuple[Any, ...]] = []

    def notify_order(self, order: bt.Order) -> None:
        if order.status not in self.FINAL:
            return
        done = order.executed
        filled = done.size != 0
        self.rows.append(
            (
                len(self.strategy) - 1,  # the date it ended on
                "buy" if order.isbuy() else "sell",
                done.size if filled else order.created.size,
                done.price if filled else math.nan,
                done.size * done.price if filled else 0.0,
                done.comm,
                abs(done.size) * abs(done.price - order.data.open[0]) if filled else 0.0,
                order.getstatusname().lower(),
                order.data._name,
            )
        )


def _history(analyzer: _History, calendar: pd.DatetimeIndex) -> pd.DataFrame:
    history = pd.DataFrame(analyzer.rows, columns=["equity", "cash"], index=calendar)
    refuse_ruin(history["equity"])
    history["units"] = (np.array(analyzer.units) != 0).sum(axis=1).astype(float)
    return history


def _ended(rows: list[tuple[Any, ...]], calendar: pd.DatetimeIndex) -> pd.DataFrame:
    orders = pd.DataFrame(rows, columns=[*ORDER_COLUMNS, "symbol"])
    orders["date"] = calendar[orders["date"].to_numpy(int)]
    return orders
