"""The fast twin of the panel's engine: the same rule and the same account in a plain loop, without backtrader.

Notation: T dates, N names. The order of the arithmetic is that of `strategies.broker` and backtrader's broker, so that
every rounding is theirs.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.account.engine import Account, refuse_ruin
from rollcast.backtests.market.panel import Panel
from rollcast.strategies.broker import whole
from rollcast.strategies.feed import NO_ACTION, date_numbers
from rollcast.strategies.portfolio.base import PortfolioStrategy
from rollcast.strategies.portfolio.feed import BAR, on_calendar

COLUMNS = ("open", "high", "low", "close", "volume", "status")


@dataclass(frozen=True)
class Replay:
    """What happened to the account: equity and cash (T,) and units (T, N) at every close, and the orders filled.

    orders: a row each in the order they were filled: date, name, units and value, as numbers (K, 4).
    """

    equity: np.ndarray
    cash: np.ndarray
    units: np.ndarray
    orders: np.ndarray


class Stage:
    """A panel made ready for many accounts: its prices and what each name's bar is, on every date."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel
        rows = [on_calendar(bars, bars["close"], panel.calendar) for bars in panel.bars.values()]
        self.columns = {name: np.column_stack([each[name].to_numpy(float) for each in rows]) for name in COLUMNS}
        self.dates = date_numbers(panel.calendar)
        # name → its dividends and splits, (T,) each, where its bars carry them
        self.actions = {
            i: {name: each[name].to_numpy() for name in NO_ACTION} for i, each in enumerate(rows) if "dividend" in each
        }

    @cached_property
    def due(self) -> dict[int, list[tuple[int, float, float]]]:
        """Date → what is to be booked on it: name, dividend and split."""
        due: dict[int, list[tuple[int, float, float]]] = {}
        for i, (dividends, splits) in ((i, acted.values()) for i, acted in self.actions.items()):
            for t in np.flatnonzero((dividends != 0) | (splits != 1)).tolist():
                due.setdefault(t, []).append((i, float(dividends[t]), float(splits[t])))
        return due

    @cached_property
    def lists(self) -> dict[str, list[list[float]]]:
        """The columns of each name as lists, which Python reads faster."""
        return {name: table.T.tolist() for name, table in self.columns.items()}


def replay(
    stage: Stage,
    values: np.ndarray,
    strategy: type[PortfolioStrategy],
    parameters: Mapping[str, Any] | None = None,
    account: Account | None = None,
) -> Replay:
    """What `simulate_panel` gives for forecasts (T, N): of whole units to the last bit.

    Of fractions within 1e-9, because where a position flips backtrader leaves a rounding of it to the next bar.

    The strategy may read what `PortfolioStrategy` says that `decide` may, its feeds and its broker's cash and value;
    one that asks for more of backtrader raises whatever it then raises. Raises ValueError if the account is wiped out.
    """
    known = np.flatnonzero(~np.isnan(values).all(axis=1))
    desk = _Desk(stage, account or Account(), int(known[0]) if len(known) else len(values))
    rule = _seated(strategy, dict(parameters or {}), stage, values, desk)
    cash, units, paid = np.empty(len(values)), np.empty(values.shape), np.empty(values.shape)
    for t in range(len(values)):
        desk.t = t
        rule.next_open()
        desk.fill()
        cash[t], units[t], paid[t] = desk.cash, desk.units, desk.paid
        rule.next()
    equity = cash + _worth(units, paid, stage.columns["close"])
    refuse_ruin(pd.Series(equity, stage.panel.calendar))
    return Replay(equity, cash, units, np.array(desk.filled).reshape(-1, 4))


class _Desk:
    """Stands where the rule expects its broker."""

    def __init__(self, stage: Stage, account: Account, first: int) -> None:
        self._stage, self._first, self.t = stage, first, 0
        self._borrow, self._interest = account.borrow_bps / 1e4, account.interest_bps / 1e4
        slippage, self._commission = account.slippage_bps / 1e4, account.commission_bps / 1e4
        self._dearer, self._cheaper = 1 + slippage, 1 - slippage
        self.cost_rate = self._dearer * (1 + self._commission) - 1
        self.p = SimpleNamespace(fractional=account.fractional)
        n = len(stage.panel.bars)
        self.cash, self.units, self.paid = account.cash, np.zeros(n), np.zeros(n)  # paid: average price of the units
        self._short, self._since = 0.0, -1  # value of shorts at the last close; that date, until it is booked
        self._settled = -1  # the latest date whose dividends and splits are booked
        self._ordered: list[tuple[int, float]] = []
        self.filled: list[tuple[float, ...]] = []

    def getcash(self) -> float:
        return self.cash

    def getvalue(self) -> float:
        close = self._stage.columns["close"][self.t]
        return self.cash + float(_worth(self.units[None], self.paid[None], close[None])[0])

    def accrue(self) -> None:
        """As `Broker.accrue`."""
        if self._since >= 0:
            since, self._since = self._since, -1
            years = (self._stage.dates[self.t] - self._stage.dates[since]) / 365
            self.cash -= self._borrow * years * self._short
            if since >= self._first:
                self.cash += self._interest * years * max(self.cash - self._short, 0.0)
        if self._settled != self.t:
            self._settled = self.t
            for i, dividend, split in self._stage.due.get(self.t, ()):
                self._act(i, dividend, split)

    def _act(self, i: int, dividend: float, split: float) -> None:
        """As `Broker._act`."""
        held = float(self.units[i])
        exact = held * split
        units = exact if self.p.fractional else float(whole(exact))
        self.cash += held * dividend
        self.cash += (exact - units) * self._stage.lists["open"][i][self.t]
        self.units[i], self.paid[i] = units, self.paid[i] / split if units else 0.0

    def order(self, size: np.ndarray) -> None:
        """As `PortfolioStrategy._order`: sells, then buys."""
        self._ordered = [(int(i), float(size[i])) for side in (size < 0, size > 0) for i in np.flatnonzero(side)]

    def fill(self) -> None:
        """What the broker does on a date: books what is due, fills the orders, and notes the shorts."""
        self.accrue()
        for i, size in self._ordered:
            self._fill(i, size)
        self._ordered = []
        if self._borrow or self._interest:
            short = np.minimum(self.units, 0.0)
            self._short = float(np.cumsum(-short * self._stage.columns["close"][self.t])[-1]) if short.any() else 0.0
            self._since = self.t if self._short or self._interest else -1

    def _fill(self, i: int, size: float) -> None:
        held, paid = float(self.units[i]), float(self.paid[i])
        price = self._stage.lists["open"][i][self.t] * (self._dearer if size > 0 else self._cheaper)
        closed = min(max(size, min(-held, 0.0)), max(-held, 0.0))  # the part that gives up units held
        opened = size - closed
        if closed:
            self.cash += -closed * paid + -closed * (price - paid)
            self.cash -= abs(closed) * self._commission * price
        if opened:
            self.cash -= opened * price
            self.cash -= abs(opened) * self._commission * price
        now = held + (closed + opened)
        if opened:
            self.paid[i] = (paid * held + size * price) / now if held and not closed else price
        self.units[i] = now
        self.paid[i] *= now != 0
        self.filled.append((self.t, i, size, size * price))


def _worth(units: np.ndarray, paid: np.ndarray, close: np.ndarray) -> np.ndarray:
    """The value of all positions, (T,), for units, their average prices and closes (T, N).

    backtrader adds a long position's gain to what was paid for it, name by name, which a cumulative sum does too.
    """
    value, gain = units * close, units * (close - paid)
    long = value > 0
    parts = np.stack([np.where(long, value - gain, value), np.where(long, gain, 0.0)], axis=2)
    return np.cumsum(parts.reshape(len(units), -1), axis=1)[:, -1]


class _Line:
    """A column as a rule reads it: `line[0]` is today's value."""

    def __init__(self, values: list[float], desk: _Desk) -> None:
        self._values, self._desk = values, desk

    def __getitem__(self, ago: int) -> float:
        return self._values[self._desk.t + ago]


class _Dates(_Line):
    def datetime(self, ago: int = 0) -> datetime.datetime:
        return self._desk._stage.panel.calendar[self._desk.t + ago].to_pydatetime()


def _seated(
    strategy: type[PortfolioStrategy], parameters: dict[str, Any], stage: Stage, values: np.ndarray, desk: _Desk
) -> Any:
    """The rule at this desk, made past backtrader; what it reads and orders through lines is given as arrays."""
    rule: Any = object.__new__(strategy)
    rule.p = rule.params = strategy.params()
    for name, value in parameters.items():
        setattr(rule.p, name, value)
    tables = {**stage.columns, "forecast": np.where(stage.columns["status"] == BAR, values, np.nan)}
    lists = {**stage.lists, "forecast": tables["forecast"].T.tolist()}
    dates = _Dates(stage.dates.tolist(), desk)
    rule.datas = []
    for i in range(values.shape[1]):
        columns = {name: column[i] for name, column in lists.items()}
        columns |= {name: column.tolist() for name, column in stage.actions.get(i, {}).items()}
        lines = SimpleNamespace(**{name: _Line(column, desk) for name, column in columns.items()}, datetime=dates)
        rule.datas.append(SimpleNamespace(lines=lines, **vars(lines)))
    rule.data, rule.datetime, rule.broker = rule.datas[0], dates, desk
    rule.held = lambda: desk.units.copy()
    rule._read = lambda name: tables[name][desk.t]
    rule._order = desk.order
    rule.__init__()
    return rule
