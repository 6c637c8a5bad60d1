"""The base of every rule for many names: weights are decided at the close, and traded to at each name's next open.

Notation: N names, in the order of the feeds.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, ClassVar

import backtrader as bt
import numpy as np

from rollcast.strategies.base import check_limits
from rollcast.strategies.portfolio.feed import BAR, ENDED, UNLISTED
from rollcast.strategies.sizing import Book, changes

PERIODS = ("bar", "daily", "weekly", "monthly", "quarterly")


class PortfolioStrategy(bt.Strategy):
    """Holds target weights of total equity, set at a close by `decide` and traded to at the next open of each name.

    tolerance: a name is traded only when its weight is further than this, and a millionth, from its target.

    At an open, equity is the cash and all positions, at the open for a name that has a bar and else at its last close;
    sells go before buys, the costs of both are set aside, and so no order is ever refused. A name without a bar is
    traded at its next one. A position whose name has had its last bar is closed on the next date of the panel, at that
    bar's close and with costs. Runs on `NameFeed`s and `NameActionFeed`s under `cheat_on_open` with
    `strategies.broker.Broker`, which books dividends and splits before anything is sized.

    What `decide` may read, all (N,): `forecasts` and `closes`, the latest of each name (NaN where there is none);
    `levels`, the closes with dividends and splits put back, for returns; `dividends`, what a unit was paid today;
    `fresh`, whether it has a bar today; `listed`, whether it has begun and not ended; `weights()`, `today()`.
    """

    params: Any = (("tolerance", 0.0),)
    # parameter → (lowest, highest) allowed; a subclass adds its own.
    limits: ClassVar[dict[str, tuple[float, float]]] = {"tolerance": (0.0, 1.0)}

    @classmethod
    def check(cls, **parameters: Any) -> None:
        """Raises ValueError for a parameter outside its limits, before anything is run; all parameters are given."""
        check_limits(cls.limits, parameters)
        period = parameters.get("rebalance", "bar")
        if period not in PERIODS:
            raise ValueError(f"rebalance must be one of {', '.join(PERIODS)}; got {period!r}")

    def __init__(self) -> None:
        self.check(**self.p._getkwargs())
        # Lines are looked up once: by name they cost more than the rule itself.
        self._columns = {
            name: [getattr(data.lines, name) for data in self.datas] for name in ("forecast", "open", "close", "status")
        }
        self._acting = [(i, data.lines) for i, data in enumerate(self.datas) if hasattr(data.lines, "dividend")]
        n = len(self.datas)
        self.dividends, self._returned = np.zeros(n), np.ones(n)  # the latter: levels over closes
        self.forecasts, self.closes = np.full(n, np.nan), np.full(n, np.nan)
        self.fresh, self.listed = np.zeros(n, bool), np.zeros(n, bool)
        self.target = np.zeros(n)
        self.due = np.zeros(n, bool)  # names whose target has not been traded to
        self.too_small = 0  # targets that could not be reached because one whole unit costs too much
        self._period: float | None = None

    def start(self) -> None:
        self._positions = [self.broker.getposition(data) for data in self.datas]

    def decide(self) -> np.ndarray | None:
        """The weights to hold from each name's next open on, (N,); None keeps the last ones and trades nothing."""
        raise NotImplementedError(f"{type(self).__name__} must define decide()")

    def tolerances(self) -> float | np.ndarray:
        """How far a weight may be from its target, one number or (N,)."""
        return self.p.tolerance

    def next(self) -> None:
        status = self._read("status")
        self.fresh = status == BAR
        self.listed = (status != UNLISTED) & (status != ENDED)
        if self.fresh.all():
            self.forecasts, self.closes = self._read("forecast"), self._read("close")
        else:
            self.forecasts = np.where(self.fresh, self._read("forecast"), self.forecasts)
            self.closes = np.where(self.fresh, self._read("close"), self.closes)
        self._put_back()
        decision = self.decide()
        if decision is not None:
            self.target = np.where(self.listed, decision, 0.0)
            self.due = self.listed.copy()

    def next_open(self) -> None:
        status = self._read("status")
        ended = status == ENDED
        if not (self.due.any() or ended.any()):
            return
        self.broker.accrue()
        held, opens = self.held(), status == BAR
        over = ended & (held != 0)
        who = (self.due & opens) | over
        if not who.any():
            return
        self.target[over] = 0.0
        self.due &= ~opens
        broker = self.broker
        price = np.where(opens, self._read("open"), np.nan_to_num(self.closes))
        book = Book(held, price, broker.getcash(), broker.cost_rate, not broker.p.fractional, self.today)
        size, traded = changes(book, self.target, who, self.tolerances())
        self.too_small += int(np.sum(traded & (held == 0) & (size == 0)))
        self._order(size)

    def held(self) -> np.ndarray:
        """Units of each name, (N,)."""
        return np.array([position.size for position in self._positions], float)

    @property
    def levels(self) -> np.ndarray:
        """Closes whose ratio from one bar to the next is (C·R + D) / C before, (N,)."""
        return self.closes * self._returned

    def weights(self) -> np.ndarray:
        """The weight of each name at this close, (N,)."""
        return self.held() * np.nan_to_num(self.closes) / self.broker.getvalue()

    def today(self) -> datetime.datetime:
        """The date and time of this close."""
        return self.datetime.datetime(0)

    def rebalances(self) -> bool:
        """Whether this is the first close of a new period of `rebalance`; say `mark` once it was used.

        The first close, because that a close is a period's last is known only afterwards.
        """
        return self._period is None or self._period != self._now()

    def mark(self) -> None:
        """Notes that the rule has rebalanced in this period."""
        self._period = self._now()

    def _put_back(self) -> None:
        """Reads what the names did to a holding today: a level is its close times Π (R + D/C)."""
        for i, lines in self._acting:
            self.dividends[i], split = lines.dividend[0], lines.split[0]
            if self.dividends[i] or split != 1:
                self._returned[i] *= split + self.dividends[i] / self.closes[i]

    def _now(self) -> float:
        now, period = self.datetime[0], self.p.rebalance
        if period == "bar":
            return now
        day = int(now)  # days from 0001-01-01, a Monday, which is 1
        if period in ("daily", "weekly"):
            return day if period == "daily" else (day - 1) // 7
        date = datetime.date.fromordinal(day)
        return 12 * date.year + date.month if period == "monthly" else 4 * date.year + (date.month - 1) // 3

    def _read(self, name: str) -> np.ndarray:
        return np.array([line[0] for line in self._columns[name]])

    def _order(self, size: np.ndarray) -> None:
        """Sells, then buys: what is bought is paid for with what was sold."""
        for i in np.flatnonzero(size < 0):
            self.sell(data=self.datas[i], size=-float(size[i]))
        for i in np.flatnonzero(size > 0):
            self.buy(data=self.datas[i], size=float(size[i]))


def spread(chosen: Sequence[int] | np.ndarray, share: np.ndarray, n: int) -> np.ndarray:
    """Weights (n,) in proportion to `share` over the chosen names, adding up to 1; 0 elsewhere."""
    weights = np.zeros(n)
    weights[chosen] = share / share.sum()
    return weights
