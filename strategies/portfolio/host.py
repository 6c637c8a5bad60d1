"""A rule for many names in backtrader."""

from __future__ import annotations

import datetime
from typing import Any

import backtrader as bt
import numpy as np

from ..feed import date_of
from ..sizing import Book
from .calendar import BAR
from .trader import Trader


class PanelStrategy(bt.Strategy):
    """Hosts a rule for many names, whose weights of total equity are traded to at the next open of each name.

    rule: a `Rule` that has not been run yet.

    At an open, equity is the cash and all positions, at the open for a name that has a bar and else at its last close;
    sells go before buys, the costs of both are set aside, and so no order is ever refused. A name without a bar is
    traded at its next one. A position whose name has had its last bar is closed on the next date of the panel, at that
    bar's close and with costs. Runs on `NameFeed`s and `NameActionFeed`s under `cheat_on_open` with
    `strategies.broker.Broker`, which books dividends and splits before anything is sized.
    """

    params: Any = (("rule", None),)

    def __init__(self) -> None:
        # Lines are looked up once: by name they cost more than the rule itself.
        self._columns = {
            name: [getattr(data.lines, name) for data in self.datas] for name in ("forecast", "open", "close", "status")
        }
        self._acting = [(i, data.lines) for i, data in enumerate(self.datas) if hasattr(data.lines, "dividend")]
        self._nothing = np.zeros(len(self.datas)), np.ones(len(self.datas))
        self.trader = Trader(self.p.rule, len(self.datas), self.broker.p.leverage)

    def start(self) -> None:
        self._positions = [self.broker.getposition(data) for data in self.datas]

    def next(self) -> None:
        self.trader.close(
            *(self.today(), self._read("status"), self._read("forecast"), self._read("close")),
            *(*self._actions(), self._units(), self.broker.getcash()),
        )

    def next_open(self) -> None:
        status = self._read("status")
        if not self.trader.opening(status, self._units()):
            return
        broker = self.broker
        broker.accrue()
        opens = status == BAR
        price = np.where(opens, self._read("open"), np.nan_to_num(self.trader.closes))
        book = Book(
            self._units(),
            price,
            broker.getcash(),
            broker.cost_rate,
            not broker.p.fractional,
            self.today,
            broker.p.leverage,
        )
        self._order(self.trader.order(status, opens, book))

    def today(self) -> datetime.datetime:
        """The date and time of this bar."""
        return date_of(self.datetime[0])

    def _units(self) -> np.ndarray:
        return np.array([position.size for position in self._positions], float)

    def _read(self, name: str) -> np.ndarray:
        return np.array([line[0] for line in self._columns[name]])

    def _actions(self) -> tuple[np.ndarray, np.ndarray]:
        """Today's dividends and splits, (N,) each."""
        if not self._acting:
            return self._nothing
        dividends, splits = (nothing.copy() for nothing in self._nothing)
        for i, lines in self._acting:
            dividends[i], splits[i] = lines.dividend[0], lines.split[0]
        return dividends, splits

    def _order(self, size: np.ndarray) -> None:
        """Sells, then buys: what is bought is paid for with what was sold."""
        for i in np.flatnonzero(size < 0):
            self.sell(data=self.datas[i], size=-float(size[i]))
        for i in np.flatnonzero(size > 0):
            self.buy(data=self.datas[i], size=float(size[i]), sized=True)
