"""The accounts of N variants, from one bar to the next.

Notation: T bars, N variants, K of them trading at a bar. The order of the arithmetic is that of `strategies.sizing`,
`strategies.broker` and backtrader's broker, so that every rounding is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ...strategies.feed import date_numbers
from ...strategies.sizing import after_closing, after_costs_of_one, units_for


class Book:
    """What N accounts hold and owe, and what they traded.

    account: as `fast_accounts` makes it of `backtests.Account`s, each (1 or N,).
    actions: `dividend` and `split` of every bar, booked before its open, as `strategies.broker` does.
    """

    def __init__(self, n: int, account: Mapping[str, np.ndarray], actions: pd.DataFrame | None = None) -> None:
        def each(name: str) -> np.ndarray:
            return np.broadcast_to(account[name], n).copy()

        self._commission, self._rate, slippage = each("commission"), each("rate"), each("slippage")
        self._borrow, self._interest = each("borrow"), each("interest")
        self._dearer, self._cheaper = 1 + slippage, 1 - slippage
        self._fractional = each("fractional") != 0
        self._whole = not self._fractional.any()
        self._tolerance, self._first = each("tolerance"), each("first")
        self.cash, self.units = each("cash"), np.zeros(n)
        self._paid = np.zeros(n)  # average price of the units held
        rows = () if actions is None else actions[["dividend", "split"]].to_numpy()
        self._actions = {t: (paid, split) for t, (paid, split) in enumerate(rows) if paid or split != 1}
        # One entry per bar with a trade: the bar; variants, units ordered, units held before, opens, each (K,)
        self._bars: list[int] = []
        self._events: list[tuple[np.ndarray, ...]] = []

    def trade(
        self, decisions: np.ndarray, opening: np.ndarray, closing: np.ndarray, index: pd.DatetimeIndex
    ) -> tuple[np.ndarray, ...]:
        """Trades over all bars: equity, cash, units (T, N); orders, traded, commission, slippage, too small, ruined."""
        shorts = bool((decisions < 0).any())
        borrows, earns = shorts and bool(self._borrow.any()), bool(self._interest.any())
        years = np.diff(date_numbers(index), prepend=np.nan) / 365
        cash, units, paid = (np.empty(decisions.shape) for _ in range(3))
        target, short = np.full(len(self.cash), np.nan), np.zeros(len(self.cash))
        for t, price in enumerate(opening):
            if t and (borrows or earns):
                self._accrue(t, years[t], short)
            if t in self._actions:
                self._act(*self._actions[t], price)
            if t:
                decision = decisions[t - 1]
                np.copyto(target, decision, where=decision == decision)
            value = self.units * price
            equity = self.cash + value
            if shorts:
                self._end_ruined(equity, value)
            # To give up everything is never too small a change.
            who = np.flatnonzero(np.abs(target - value / equity) > self._tolerance * (target != 0))
            if len(who):
                self._order(t, who, target[who], equity[who], value[who], price[who])
            cash[t], units[t], paid[t] = self.cash, self.units, self._paid
            if shorts and (borrows or earns):
                short = np.maximum(-self.units * closing[t], 0.0)
        return self._closed(cash, units, paid, closing)

    def _accrue(self, t: int, years: float, short: np.ndarray) -> None:
        """Books borrow cost and interest since the last close."""
        self.cash -= self._borrow * years * short
        interest = np.where(t - 1 >= self._first, self._interest, 0.0)
        self.cash += interest * years * np.maximum(self.cash - short, 0.0)

    def _act(self, dividend: float, split: float, price: np.ndarray) -> None:
        """Pays the dividend on all units, then splits them; the fraction left of whole ones is paid at the open."""
        exact = self.units * split
        units = np.where(self._fractional, exact, np.trunc(exact + np.copysign(1e-9, exact)))
        self.cash += self.units * dividend
        self.cash += (exact - units) * price
        self.units = units
        self._paid = self._paid / split

    def _end_ruined(self, equity: np.ndarray, value: np.ndarray) -> None:
        """NaN for the accounts of which nothing would be left once their shorts were bought back."""
        ruined = after_closing(equity, np.abs(value), self._rate) <= 0
        if ruined.any():
            self.cash[ruined] = self.units[ruined] = equity[ruined] = np.nan

    def _order(
        self, t: int, who: np.ndarray, target: np.ndarray, equity: np.ndarray, value: np.ndarray, price: np.ndarray
    ) -> None:
        """Sizes and fills these variants' orders at the open; all (K,)."""
        held, rate, commission = self.units[who], self._rate[who], self._commission[who]
        units = units_for(target, after_costs_of_one(target, value, equity, rate), price)
        if self._whole:
            units = np.trunc(units)
        else:
            np.trunc(units, out=units, where=~self._fractional[who])
        size = units - held
        self._bars.append(t)
        self._events.append((who, size, held, price))
        fill = price * np.where(size > 0, self._dearer[who], self._cheaper[who])
        closed = np.clip(size, np.minimum(-held, 0.0), np.maximum(-held, 0.0))  # the part that gives up units held
        opened = size - closed
        paid = self._paid[who]
        cash = self.cash[who] + (-closed * paid + -closed * (fill - paid))
        cash -= np.abs(closed) * commission * fill
        cash -= opened * fill
        self.cash[who] = cash - np.abs(opened) * commission * fill
        self.units[who] = held + (closed + opened)
        grown = np.where((closed == 0) & (held != 0), (paid * held + size * fill) / (held + size), fill)
        self._paid[who] = np.where(opened == 0, paid, grown)

    def _closed(
        self, cash: np.ndarray, units: np.ndarray, paid: np.ndarray, closing: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Equity at every close, NaN from ruin on, and the sums over all orders."""
        equity = paid
        for t, close in enumerate(closing):
            # backtrader adds a long position's gain to what was paid for it.
            value, gain = units[t] * close, units[t] * (close - paid[t])
            equity[t] = cash[t] + np.where(value > 0, (value - gain) + gain, value)
        over = ~(equity > 0)
        ruined = np.asarray(over.any(axis=0))
        end = np.where(ruined, over.argmax(axis=0), len(equity))
        for history in (equity, cash, units):
            for column in np.flatnonzero(ruined):
                history[end[column] :, column] = np.nan
        return (equity, cash, units, *self._sums(end), ruined)

    def _sums(self, end: np.ndarray) -> tuple[np.ndarray, ...]:
        """Orders, value traded, commission, slippage and targets too small, of each variant up to its end."""
        nothing = (np.empty(0, int), *(np.empty(0),) * 3)
        bars = np.repeat(np.array(self._bars, int), [len(event[0]) for event in self._events])
        who, size, held, price = (np.concatenate(column) for column in zip(nothing, *self._events, strict=True))
        size = np.where(bars <= end[who], size, np.nan)
        fill = price * np.where(size > 0, self._dearer[who], self._cheaper[who])
        value = np.abs(size) * fill
        sums = (size != 0) & ~np.isnan(size), value, value * self._commission[who], np.abs(size) * np.abs(fill - price)
        orders, traded, commission, slippage = (
            np.bincount(who, np.nan_to_num(each.astype(float)), len(end)) for each in sums
        )
        too_small = np.bincount(who, (size == 0) & (held == 0), len(end))
        return orders.astype(int), traded, commission, slippage, too_small.astype(int)
