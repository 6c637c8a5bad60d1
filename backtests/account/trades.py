"""Round trips: orders grouped from flat to flat."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

TRADE_COLUMNS = ["entry_date", "exit_date", "side", "units", "entry_price", "exit_price", "pnl", "costs", "bars"]


def trades_from(
    orders: pd.DataFrame, history: pd.DataFrame, close: pd.Series, payments: pd.DataFrame | None = None
) -> pd.DataFrame:
    """One row per round trip; an order that flips the position ends one and begins the next.

    units: the most held; entry_price and exit_price: averages of the fills that enlarged and reduced the position;
    costs: commission and slippage; pnl: after these, before interest and borrow cost; bars: closes it was held at.
    The last trade may be open: then exit_date is NaT and its pnl counts the position at the last close. A split turns
    units and prices of the trade so far into new ones, and dividends are in its pnl.
    """
    rows: list[dict] = []
    trade: _Trade | None = None
    for event in _events(orders, payments):
        if hasattr(event, "dividend"):
            if trade:
                trade.settle(event.dividend + event.fraction, event.units, event.split)
                trade = _open(trade, event.date, history, rows)
            continue
        left = event.units
        while left:
            held = trade.held if trade else 0.0
            # A flip closes first; what is left opens the next trade.
            part = -held if held * left < 0 and abs(left) > abs(held) else left
            share = part / event.units
            trade = trade or _Trade(event.date, 1 if left > 0 else -1)
            trade.fill(part, event.price, share * event.commission, share * event.slippage)
            left = 0.0 if part == left else left - part
            trade = _open(trade, event.date, history, rows)
    if trade:
        rows.append(trade.row(None, history, close.iloc[-1]))
    return pd.DataFrame(rows, columns=TRADE_COLUMNS)


def excursions(trade: Any, bars: pd.DataFrame) -> tuple[float, float]:
    """How far the prices went against a round trip and how far with it, as fractions of its entry price; both >= 0.

    trade: a row of `trades_from`; from the bar of its first fill to the bar of its last, both included.
    bars:  as the account traded them. Raises nothing: NaN where a split within the trade changed what a price means.
    """
    span = bars.loc[trade.entry_date : None if pd.isna(trade.exit_date) else trade.exit_date]
    if "split" in span and (span["split"].iloc[1:] != 1).any():
        return math.nan, math.nan
    low, high = span["low"].min() / trade.entry_price - 1, span["high"].max() / trade.entry_price - 1
    against, gain = (-low, high) if trade.side == "long" else (high, -low)
    return max(float(against), 0.0), max(float(gain), 0.0)


def _open(trade: _Trade, date: pd.Timestamp, history: pd.DataFrame, rows: list[dict]) -> _Trade | None:
    """The trade if it is still open; a finished one is added to the rows."""
    if trade.held:
        return trade
    rows.append(trade.row(date, history))
    return None


def _events(orders: pd.DataFrame, payments: pd.DataFrame | None) -> Iterator[Any]:
    """Filled orders and payments by date, the payments of a bar before its orders."""
    filled = list(orders[orders["price"].notna()].itertuples())
    paid = [] if payments is None else list(payments.itertuples())
    return heapq.merge(paid, filled, key=lambda event: event.date)


class _Trade:
    """The running sums of one round trip."""

    def __init__(self, date: pd.Timestamp, side: int) -> None:
        self.date, self.side = date, side
        self.held = self.most = self.commission = self.slippage = 0.0
        self.entered = self.left = 0.0  # units that enlarged and that reduced the position
        self.paid = self.received = 0.0  # their values
        self.income = 0.0  # dividends, and cash for fractions of a unit

    def fill(self, units: float, price: float, commission: float, slippage: float) -> None:
        self.held += units
        self.most = max(self.most, abs(self.held))
        self.commission += commission
        self.slippage += slippage
        if units * self.side > 0:
            self.entered += abs(units)
            self.paid += abs(units) * price
        else:
            self.left += abs(units)
            self.received += abs(units) * price

    def settle(self, cash: float, held: float, split: float) -> None:
        """A dividend, and a split after which so many units are held."""
        self.income += cash
        self.held = held
        self.most, self.entered, self.left = (units * split for units in (self.most, self.entered, self.left))

    def row(self, exit_date: pd.Timestamp | None, history: pd.DataFrame, mark: float = math.nan) -> dict:
        """The finished trade, or the open one marked at `mark`. A fill price already holds its slippage."""
        open_value = abs(self.held) * mark if self.held else 0.0
        gain = self.side * (self.received + open_value - self.paid)
        span = history.loc[self.date : exit_date]
        return {
            "entry_date": self.date,
            "exit_date": exit_date if exit_date is not None else pd.NaT,
            "side": "long" if self.side > 0 else "short",
            "units": self.most,
            "entry_price": self.paid / self.entered,
            "exit_price": self.received / self.left if self.left else math.nan,
            "pnl": gain + self.income - self.commission,
            "costs": self.commission + self.slippage,
            "bars": len(span) - (exit_date is not None),
        }
