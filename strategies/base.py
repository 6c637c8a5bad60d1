"""The base of every trading rule: decide at the close, size and fill at the next open."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

import backtrader as bt

from rollcast.strategies.sizing import change_of_one


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

    tolerance: trade only when the weight is further than this, and a millionth, from its target, so that drift does not
               churn.

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
        broker = self.broker
        broker.accrue()
        units = self.position.size
        size = change_of_one(
            *(units, self._open[0], broker.getcash(), broker.cost_rate),
            *(not broker.p.fractional, target, self.p.tolerance, self.data.datetime.datetime),
        )
        if size is None:
            return
        if size > 0:
            self.buy(size=size)
        elif size < 0:
            self.sell(size=-size)
        elif units == 0:
            self.too_small += 1


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
