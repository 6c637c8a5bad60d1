"""A rule for many names traded without backtrader: the account of `simulate_panel` in a tenth of its time.

Notation: T dates, N names. The rule is the one that backtrader runs, seated before arrays in the place of feeds.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from backtests.engine import Account
from backtests.portfolio.panel import Panel
from strategies.feed import date_numbers
from strategies.portfolio.base import PortfolioStrategy
from strategies.portfolio.feed import on_calendar

COLUMNS = ("open", "high", "low", "close", "volume", "status")


@dataclass(frozen=True)
class Rows:
    """A panel on its calendar, as `strategies.portfolio.feed.on_calendar` lays it out: each column (T, N)."""

    calendar: pd.DatetimeIndex
    numbers: np.ndarray
    columns: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, panel: Panel) -> Rows:
        """The rows of a panel's bars."""
        nothing = pd.Series(np.nan, panel.calendar)
        each = [on_calendar(bars, nothing.reindex(bars.index), panel.calendar) for bars in panel.bars.values()]
        columns = {name: np.column_stack([one[name].to_numpy(float) for one in each]) for name in COLUMNS}
        return cls(panel.calendar, date_numbers(panel.calendar), columns)


@dataclass(frozen=True)
class Light:
    """What happened to the account: equity and cash at every close (T,), and the value traded on every date (T,)."""

    equity: np.ndarray
    cash: np.ndarray
    traded: np.ndarray


def trade_light(
    rows: Rows,
    forecasts: np.ndarray,
    strategy: type[PortfolioStrategy],
    parameters: Mapping[str, Any],
    account: Account,
) -> Light:
    """Trades forecasts (T, N) as `simulate_panel` does; equal to it but for the order in which sums are rounded.

    Raises ValueError if the account is wiped out.
    """
    desk = _Desk(rows, forecasts, account)
    rule = _seated(strategy, parameters, desk)
    size = len(rows.calendar)
    equity, cash, traded = np.empty(size), np.empty(size), np.zeros(size)
    rule.start()
    for t in range(size):
        desk.open(t)
        rule.next_open()
        traded[t] = desk.fill()
        equity[t], cash[t] = desk.close(), desk.cash
        if equity[t] <= 0:
            raise ValueError(f"the account was wiped out on {rows.calendar[t]:%Y-%m-%d}: equity {equity[t]:.2f}")
        rule.next()
    return Light(equity, cash, traded)


class _Desk:
    """The broker and the clock in the place of backtrader's: what `PortfolioStrategy` asks of them."""

    def __init__(self, rows: Rows, forecasts: np.ndarray, account: Account) -> None:
        self.rows, self.columns = rows, {**rows.columns, "forecast": forecasts}
        self.t = 0
        self.cash, self._value, self._short = account.cash, account.cash, 0.0
        self._slippage, self._commission = account.slippage_bps / 1e4, account.commission_bps / 1e4
        self._borrow, self._interest = account.borrow_bps / 1e4, account.interest_bps / 1e4
        known = np.flatnonzero(~np.isnan(forecasts).all(axis=1))
        self._earns = rows.numbers[known[0]] if len(known) else math.inf
        self.p = SimpleNamespace(fractional=account.fractional)
        self.cost_rate = (1 + self._slippage) * (1 + self._commission) - 1
        self.units = np.zeros(forecasts.shape[1])
        self.positions = [SimpleNamespace(size=0.0) for _ in self.units]
        self._orders: list[tuple[int, float]] = []

    def open(self, t: int) -> None:
        """Begins a date: what is owed and earned since the last close is booked, as `Broker.accrue` does."""
        self.t = t
        if t and (self._borrow or self._interest):
            since = self.rows.numbers[t - 1]
            years = (self.rows.numbers[t] - since) / 365
            self.cash -= self._borrow * years * self._short
            if since >= self._earns:
                self.cash += self._interest * years * max(self.cash - self._short, 0.0)

    def accrue(self) -> None:
        """Has been done."""

    def order(self, data: _Feed, size: float) -> None:
        self._orders.append((data.name, size))

    def fill(self) -> float:
        """Fills the orders at this open; returns the value traded."""
        traded, opens = 0.0, self.columns["open"][self.t]
        for i, size in self._orders:
            price = float(opens[i]) * (1 + math.copysign(self._slippage, size))
            self.cash -= size * price + abs(size) * price * self._commission
            self.units[i] += size
            self.positions[i].size = float(self.units[i])
            traded += abs(size) * price
        self._orders.clear()
        return traded

    def close(self) -> float:
        """The account's value at this close, which a name that is not listed yet has no part in."""
        values = self.units * self.columns["close"][self.t]
        self._value = self.cash + float(values.sum())
        self._short = -float(values[values < 0].sum())
        return self._value

    def getcash(self) -> float:
        return self.cash

    def getvalue(self) -> float:
        return self._value

    def getposition(self, data: _Feed) -> Any:
        return self.positions[data.name]

    def read(self, name: str) -> np.ndarray:
        return self.columns[name][self.t].copy()

    def __len__(self) -> int:
        return self.t + 1


class _Line:
    """A line of a feed: [0] is now, [-1] the date before."""

    def __init__(self, values: np.ndarray, desk: _Desk) -> None:
        self._values, self._desk = values.tolist(), desk

    def __getitem__(self, ago: int) -> float:
        if ago > 0 or self._desk.t + ago < 0:
            raise IndexError("a rule reads no bar but those up to now")
        return self._values[self._desk.t + ago]


class _Clock(_Line):
    """The line of dates."""

    def datetime(self, ago: int = 0) -> dt.datetime:
        return self._desk.rows.calendar[self._desk.t + ago].to_pydatetime()

    def date(self, ago: int = 0) -> dt.date:
        return self.datetime(ago).date()


class _Feed:
    """A name's lines, as a rule reads them; `name` is its number."""

    def __init__(self, name: int, desk: _Desk, clock: _Clock) -> None:
        self.name, self.lines, self.datetime = name, self, clock
        for column, values in desk.columns.items():
            setattr(self, column, _Line(values[:, name], desk))


def _seated(strategy: type[PortfolioStrategy], parameters: Mapping[str, Any], desk: _Desk) -> PortfolioStrategy:
    """The rule before this desk, made past backtrader."""
    rule = object.__new__(strategy)
    rule.p = rule.params = strategy.params()
    for name, value in parameters.items():
        setattr(rule.p, name, value)
    clock = _Clock(desk.rows.numbers, desk)
    rule.datas = [_Feed(i, desk, clock) for i in range(len(desk.units))]
    rule.data, rule.datetime, rule.lines, rule.broker = rule.datas[0], clock, desk, desk
    rule.buy = lambda data, size: desk.order(data, size)
    rule.sell = lambda data, size: desk.order(data, -size)
    rule._read = desk.read  # type: ignore[method-assign]  # a row instead of N lines
    rule.__init__()  # type: ignore[misc]
    return rule
