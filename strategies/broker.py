"""The account: backtrader's broker with interest on what is really owed and held."""

from __future__ import annotations

import backtrader as bt


class Broker(bt.brokers.BackBroker):
    """A cash account that never fills at a better price than the open and charges every cost it is told of.

    commission: a fraction of the traded value.
    slippage:   every fill is this fraction worse than the open, beyond the bar's range if need be.
    borrow:     yearly rate paid on the market value of short positions, by calendar time.
    interest:   yearly rate earned on cash less the market value of short positions, whose proceeds earn nothing, from
                `interest_from` on. Both are counted from the last close, the borrow cost first.
    fractional: whether positions may hold fractions of a unit.
    """

    params = (
        ("commission", 0.0),
        ("slippage", 0.0),
        ("borrow", 0.0),
        ("interest", 0.0),
        ("interest_from", 0.0),  # backtrader's date number
        ("fractional", False),
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
        return (1 + self.p.slippage) * (1 + self.p.commission) - 1

    def start(self) -> None:
        super().start()
        self._short = 0.0  # value of the short positions at the last close
        self._since: float | None = None  # that close, until what is due since then is booked

    def next(self) -> None:
        self.accrue()
        if self.pending or self.submitted or self._toactivate:
            super().next()
        else:  # all that is left of a bar without orders, for an account without futures
            self._get_value()
        if self.p.borrow or self.p.interest:
            self._short = sum(-p.size * data.close[0] for data, p in self.positions.items() if p.size < 0)
            self._since = self._now() if self._short or self.p.interest else None

    def accrue(self) -> None:
        """Books the interest and borrow cost from the last bar to this one; a second call in a bar does nothing.

        A strategy calls this before it sizes an order at the open; otherwise the broker does so before it fills any.
        """
        if self._since is None:
            return
        since, self._since = self._since, None
        years = (self._now() - since) / 365
        self.cash -= self.p.borrow * years * self._short
        if since >= self.p.interest_from:
            self.cash += self.p.interest * years * max(self.cash - self._short, 0.0)

    def _now(self) -> float:
        """The latest bar's date number."""
        return max(data.datetime[0] for data in self.cerebro.datas if len(data))
