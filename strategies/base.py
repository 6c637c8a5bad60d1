"""The base of every trading rule: decide at the close, size and fill at the next open."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import backtrader as bt

# An order for the whole of the cash must stay affordable after rounding.
SHAVE = 1 - 1e-9


def check_limits(limits: Mapping[str, tuple[float, float]], parameters: Mapping[str, Any]) -> None:
    """Raises ValueError for a number outside its (lowest, highest); one without limits may be anything."""
    for key, value in parameters.items():
        low, high = limits.get(key, (-math.inf, math.inf))
        if isinstance(value, int | float) and not low <= value <= high:
            upper = f" and at most {high:g}" if math.isfinite(high) else ""
            raise ValueError(f"{key} must be at least {low:g}{upper}; got {value:g}")


class ForecastStrategy(bt.Strategy):
    """Holds a target weight, set at each close by `decide` and traded to at the next open.

    A weight is the position's value over the account's equity: 1 fully long, -1 fully short, 0 out.

    tolerance: trade only when the weight is further than this from its target, so that drift does not churn.

    Runs under `cheat_on_open` with `strategies.broker.Broker`: `next_open` sees the bar's open, sizes on it, and the
    order fills at it. Nothing else of that bar may be read there.
    """

    params: Any = (("tolerance", 0.1),)
    # parameter → (lowest, highest) allowed; a subclass adds its own.
    limits: ClassVar[dict[str, tuple[float, float]]] = {"tolerance": (0.0, 1.0)}

    @classmethod
    def check(cls, **parameters: Any) -> None:
        """Raises ValueError for a parameter outside its limits, before anything is run; all parameters are given."""
        check_limits(cls.limits, parameters)

    def __init__(self) -> None:
        self.check(**self.p._getkwargs())
        # Lines are looked up once: by name they cost more than the rule itself.
        self._forecast, self._open = self.data.forecast, self.data.open
        self.target: float | None = None
        self.too_small = 0  # targets that could not be reached because one whole unit costs too much

    def decide(self, forecast: float) -> float | None:
        """The weight to hold from the next open on, given the forecast at this close; None keeps the last one."""
        raise NotImplementedError(f"{type(self).__name__} must define decide(forecast)")

    def next(self) -> None:
        forecast = self._forecast[0]
        if not math.isnan(forecast):
            decision = self.decide(forecast)
            self.target = self.target if decision is None else decision

    def next_open(self) -> None:
        target = self.target
        if target is None:
            return
        self.broker.accrue()
        price = self._open[0]
        held = self.position.size
        equity = self.broker.getcash() + held * price
        self._refuse_ruin(equity, held, price)
        weight = held * price / equity
        closing = target == 0 and held != 0
        if not closing and abs(target - weight) <= self.p.tolerance:
            return
        size = self._units(target, equity, held, price) - held
        if size > 0:
            self.buy(size=size)
        elif size < 0:
            self.sell(size=-size)
        elif held == 0:
            self.too_small += 1

    def _refuse_ruin(self, equity: float, held: float, price: float) -> None:
        """Raises if nothing would be left once a short is bought back: no order could be paid for."""
        left = equity - max(-held, 0) * price * self.broker.cost_rate
        if left <= 0:
            date = self.data.datetime.datetime(0)
            raise ValueError(f"the account was wiped out on {date:%Y-%m-%d}: equity {left:.2f}. Trade smaller")

    def _units(self, target: float, equity: float, held: float, price: float) -> float:
        """Units to hold for a target weight once every cost is paid, so that no order is ever short of cash.

        The cost of buying is set aside for long and short alike, that of closing too where the position flips; then
        a billionth is shaved off, and whole units are cut towards zero.
        """
        rate = self.broker.cost_rate
        closing = abs(held) * price * rate  # the cost of giving up all that is held
        flips = held * target < 0
        worth = (equity - (closing if flips else 0.0)) / (1 + rate)
        # A short that has outgrown the account: buying part of it back must leave equity for the rest.
        worth = min(worth, (equity - closing) / (1 - rate))
        units = target * worth / price * SHAVE
        return units if self.broker.p.fractional else math.trunc(units)


class BandStrategy(ForecastStrategy):
    """A rule that acts only on forecasts outside a dead band.

    dead_band_bps: a forecast within this many basis points of zero is no opinion: the target stays as it is.
    exposure:      the weight held when the rule is in the market.
    """

    params: Any = (("dead_band_bps", 1.0), ("exposure", 1.0))
    limits: ClassVar = {**ForecastStrategy.limits, "dead_band_bps": (0.0, math.inf), "exposure": (0.0, 1.0)}

    @classmethod
    def check(cls, **parameters: Any) -> None:
        super().check(**parameters)
        exposure, tolerance = parameters["exposure"], parameters["tolerance"]
        if 0 < exposure <= tolerance:
            raise ValueError(
                f"exposure {exposure:g} is within tolerance {tolerance:g} of nothing and would never be traded; "
                "lower the tolerance"
            )

    def opinion(self, forecast: float) -> int:
        """1 above the band, -1 below it, 0 inside."""
        band = self.p.dead_band_bps / 1e4
        return 1 if forecast > band else -1 if forecast < -band else 0
