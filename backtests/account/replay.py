"""The fast twin of the panel's engine: the same rule and the same account in a plain loop, without backtrader.

Notation: T dates, N names. The order of the arithmetic is that of `strategies.broker` and backtrader's broker, so that
every rounding is theirs.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from ...strategies.actions import NO_ACTION
from ...strategies.broker import whole
from ...strategies.feed import date_numbers
from ...strategies.portfolio.calendar import BAR, on_calendar
from ...strategies.portfolio.trader import Trader
from ...strategies.sizing import Book
from ..json_values import Parameters
from ..market.panel import Panel
from .engine import Account, refuse_ruin
from .hosts import Strategy, rule_for_many

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
        # dividends and splits, (T, N) each; 0 and 1 where bars carry none
        self.dividends, self.splits = (
            np.column_stack([one.get(name, pd.Series(none, one.index)).to_numpy(float) for one in rows])
            for name, none in NO_ACTION.items()
        )

    @cached_property
    def due(self) -> dict[int, list[tuple[int, float, float]]]:
        """Date → what is to be booked on it: name, dividend and split."""
        due: dict[int, list[tuple[int, float, float]]] = {}
        for t, i in np.argwhere((self.dividends != 0) | (self.splits != 1)).tolist():
            due.setdefault(t, []).append((i, float(self.dividends[t, i]), float(self.splits[t, i])))
        return due

    @cached_property
    def lists(self) -> dict[str, list[list[float]]]:
        """The columns of each name as lists, which Python reads faster."""
        return {name: table.T.tolist() for name, table in self.columns.items()}


def replay(
    stage: Stage,
    values: np.ndarray,
    strategy: Strategy,
    parameters: Parameters | None = None,
    account: Account | None = None,
) -> Replay:
    """What `simulate_panel` gives for forecasts (T, N): of whole units to the last bit.

    Of fractions within 1e-9, because where a position flips backtrader leaves a rounding of it to the next bar.

    strategy: as `simulate_panel` takes it. Raises Ruined if the account is wiped out, and as `hosts.rule_of`.
    """
    account, rule = account or Account(), rule_for_many(strategy, parameters)
    known = np.flatnonzero(~np.isnan(values).all(axis=1))
    desk = _Desk(stage, account, int(known[0]) if len(known) else len(values))
    trader, dates = Trader(rule, values.shape[1], account.leverage), stage.panel.calendar.to_pydatetime()
    status, opens, closes = (stage.columns[name] for name in ("status", "open", "close"))
    forecasts = np.where(status == BAR, values, np.nan)
    cash, units, paid = np.empty(len(values)), np.empty(values.shape), np.empty(values.shape)
    for t, date in enumerate(dates):
        desk.t = t
        if trader.opening(status[t], desk.units):
            desk.accrue()
            trades = status[t] == BAR
            price = np.where(trades, opens[t], np.nan_to_num(trader.closes))
            desk.order(trader.order(status[t], trades, desk.book(price)))
        desk.fill()
        cash[t], units[t], paid[t] = desk.cash, desk.units, desk.paid
        acted = stage.dividends[t], stage.splits[t]
        trader.close(date, status[t], forecasts[t], closes[t], *acted, desk.units.copy(), desk.cash)
    equity = cash + _worth(units, paid, closes)
    refuse_ruin(pd.Series(equity, stage.panel.calendar))
    return Replay(equity, cash, units, np.array(desk.filled).reshape(-1, 4))


class _Desk:
    """The account: what `strategies.broker.Broker` is to the engine."""

    def __init__(self, stage: Stage, account: Account, first: int) -> None:
        self._stage, self._first, self.t = stage, first, 0
        self._borrow, self._interest = account.borrow_bps / 1e4, account.interest_bps / 1e4
        self._loan = account.loan_bps / 1e4
        slippage, self._commission = account.slippage_bps / 1e4, account.commission_bps / 1e4
        self._dearer, self._cheaper = 1 + slippage, 1 - slippage
        self._account, self._fractional = account, account.fractional
        n = len(stage.panel.bars)
        self.cash, self.units, self.paid = account.cash, np.zeros(n), np.zeros(n)  # paid: average price of the units
        self._short, self._since = 0.0, -1  # value of shorts at the last close; that date, until it is booked
        self._settled = -1  # the latest date whose dividends and splits are booked
        self._ordered: list[tuple[int, float]] = []
        self.filled: list[tuple[float, ...]] = []

    def today(self) -> datetime.datetime:
        """The date and time of the bar."""
        return self._stage.panel.calendar[self.t].to_pydatetime()

    def accrue(self) -> None:
        """As `Broker.accrue`."""
        if self._since >= 0:
            since, self._since = self._since, -1
            years = (self._stage.dates[self.t] - self._stage.dates[since]) / 365
            self.cash -= self._borrow * years * self._short
            if self.cash < 0:
                self.cash += self._loan * years * self.cash
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
        units = exact if self._fractional else float(whole(exact))
        self.cash += held * dividend
        self.cash += (exact - units) * self._stage.lists["open"][i][self.t]
        self.units[i], self.paid[i] = units, self.paid[i] / split if units else 0.0

    def book(self, price: np.ndarray) -> Book:
        """What is held at these prices, (N,), for the sizing of orders."""
        account = self._account
        size = self.units.copy(), price, self.cash, account.cost_rate, not account.fractional
        return Book(*size, self.today, account.leverage)

    def order(self, size: np.ndarray) -> None:
        """As `PanelStrategy._order`: sells, then buys."""
        self._ordered = [(int(i), float(size[i])) for side in (size < 0, size > 0) for i in np.flatnonzero(side)]

    def fill(self) -> None:
        """What the broker does on a date: books what is due, fills the orders, and notes the shorts."""
        self.accrue()
        for i, size in self._ordered:
            self._fill(i, size)
        self._ordered = []
        if self._borrow or self._interest or self.cash < 0:
            short = np.minimum(self.units, 0.0)
            self._short = float(np.cumsum(-short * self._stage.columns["close"][self.t])[-1]) if short.any() else 0.0
            self._since = self.t if self._short or self._interest or self.cash < 0 else -1

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
