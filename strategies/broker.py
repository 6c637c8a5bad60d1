"""The account: backtrader's broker with interest on what is really owed and held, dividends and splits."""

from __future__ import annotations

import math
from typing import Any

import backtrader as bt

from .feed import ActionFeed
from .sizing import cost_rate


class Broker(bt.brokers.BackBroker):
    """A cash account that never fills at a better price than the open and charges every cost it is told of.

    commission: a fraction of the traded value.
    slippage:   every fill is this fraction worse than the open, beyond the bar's range if need be.
    borrow:     yearly rate paid on the market value of short positions, by calendar time.
    interest:   yearly rate earned on cash less the market value of short positions, whose proceeds earn nothing, from
                `interest_from` on. Both are counted from the last close, the borrow cost first.
    leverage:   the most that the absolute weights of a rule may add up to; beyond 1, its orders borrow cash. Orders of
                other strategies are refused where the cash does not suffice, as backtrader does.
    loan:       yearly rate paid on borrowed cash: what the cash is below zero.
    fractional: whether positions may hold fractions of a unit.

    On an ex-date of an `ActionFeed`, before anything is sized or filled at its open, every unit held at the last close
    is paid the dividend, which a short pays; then units are multiplied by the split, orders waiting from an earlier bar
    too. Of whole units, the fraction that is left over is paid in cash at that open.

    carry:    what was earned as `interest` and paid as `borrow` cost and for the `loan`, each above 0 or 0.
    payments: one row each: the feed's bar, dividend paid, units after it and the split, split, cash for a fraction, and
              the feed's name.
    """

    params = (
        ("commission", 0.0),
        ("slippage", 0.0),
        ("borrow", 0.0),
        ("interest", 0.0),
        ("interest_from", 0.0),  # backtrader's date number
        ("fractional", False),
        ("leverage", 1.0),
        ("loan", 0.0),
    )

    def __init__(self) -> None:
        super().__init__()
        self.setcommission(commission=self.p.commission)
        # slip_out: a bar whose four prices are equal must not fill for free.
        self.set_slippage_perc(self.p.slippage, slip_open=True, slip_match=True, slip_out=True)
        self.set_coo(True)
        # A short's proceeds are cash, and its value is negative.
        self.set_shortcash(True)

    @property
    def cost_rate(self) -> float:
        """Cost of buying, as a fraction of the traded value at the open."""
        return cost_rate(self.p.commission, self.p.slippage)

    def start(self) -> None:
        super().start()
        # feed → its bars whose dividends and splits are booked
        self._paying = {data: 0 for data in self.cerebro.datas if isinstance(data, ActionFeed)}
        self.payments: list[tuple[int, float, float, float, float, str]] = []
        self.carry = {"interest": 0.0, "borrow": 0.0, "loan": 0.0}
        self._short = 0.0  # value of the short positions at the last close
        self._since: float | None = None  # that close, until what is due since then is booked

    def next(self) -> None:
        self.accrue()
        if self.pending or self.submitted or self._toactivate:
            credit = self._credit()
            self.cash += credit
            super().next()
            if credit:
                self.cash -= credit
                self._get_value()
        else:  # all that is left of a bar without orders, for an account without futures
            self._get_value()
        if self.p.borrow or self.p.interest or self.cash < 0:
            self._short = sum(-p.size * data.close[0] for data, p in self.positions.items() if p.size < 0)
            self._since = self._now() if self._short or self.p.interest or self.cash < 0 else None

    def accrue(self) -> None:
        """Books the interest and borrow cost from the last bar to this one, and what `settle` books.

        A strategy calls this before it sizes an order at the open; otherwise the broker does so before it fills any. A
        second call in a bar does nothing.
        """
        if self._since is not None:
            since, self._since = self._since, None
            years = (self._now() - since) / 365
            self._book("borrow", -self.p.borrow * years * self._short)
            if self.cash < 0:
                self._book("loan", self.p.loan * years * self.cash)
            if since >= self.p.interest_from:
                self._book("interest", self.p.interest * years * max(self.cash - self._short, 0.0))
        self.settle()

    def _book(self, name: str, cash: float) -> None:
        """Adds cash that was earned, or paid where it is below 0."""
        self.cash += cash
        self.carry[name] += abs(cash)

    def settle(self) -> None:
        """Books the dividend and the split of this bar, once; so does asking for a position, the cash or the value."""
        for data, booked in self._paying.items():
            if len(data) != booked:
                self._paying[data] = len(data)
                self._act(data, data.dividend[0], data.split[0])

    def getposition(self, data: Any) -> Any:
        self.settle()
        return super().getposition(data)

    def getcash(self) -> float:
        self.settle()
        return self.cash

    def getvalue(self, datas: Any = None, mkt: bool = False, lever: bool = False) -> float:
        self.settle()
        return super().getvalue(datas, mkt, lever)

    def _act(self, data: Any, dividend: float, split: float) -> None:
        """One feed's dividend and split."""
        position = self.positions[data]
        if split != 1:
            self._split_orders(data, split)
        if not position.size or (dividend == 0 and split == 1):
            return
        paid = position.size * dividend
        units = exact = position.size * split
        if not self.p.fractional:
            units = whole(exact)
        fraction = (exact - units) * data.open[0]
        self.cash += paid
        self.cash += fraction
        position.fix(units, position.price / split if units else 0.0)
        self.payments.append((len(data) - 1, paid, units, split, fraction, data._name))

    def _split_orders(self, data: Any, split: float) -> None:
        """Orders that wait from an earlier bar, in new units at new prices."""
        for queue in (self.submitted, self.pending):
            for order in [each for each in queue if each.data is data and each.created.dt < data.datetime[0]]:
                created, exact = order.created, order.executed.remsize * split
                size = exact if self.p.fractional else whole(exact)
                order.executed.remsize = created.size = created.remsize = size
                created.price, created.pricelimit = created.price / split, created.pricelimit / split
                if not size:
                    queue.remove(order)
                    order.cancel()
                    self.notify(order)

    def _credit(self) -> float:
        """Cash lent while the orders of a rule are filled, which are sized for the account: as much as they take."""
        if self.p.leverage == 1:
            return 0.0
        sized = [order for order in (*self.submitted, *self.pending) if order.info.get("sized") and order.isbuy()]
        spent = sum(order.created.size * order.data.open[0] for order in sized) * (1 + self.cost_rate)
        return 2 * (spent + max(-self.cash, 0.0))  # more than that, because rounding would refuse the last cent

    def _now(self) -> float:
        """The latest bar's date number."""
        return max(data.datetime[0] for data in self.cerebro.datas if len(data))


def whole(units: float) -> int:
    """The whole units of these, cut towards zero once rounding is forgiven: 30 · 0.1 is 3, and 49 · (1/49) is 1."""
    return math.trunc(units + math.copysign(1e-9, units))
