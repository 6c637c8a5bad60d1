"""A position in proportion to the forecast.

Notation: f forecast, σ² variance of the log return, z = f/σ the forecast in standard deviations, k the running root
mean square of z, v the volatility aimed at; σ² and k² are exponential averages over `span` bars.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from rollcast.strategies.base import ForecastStrategy


class Proportional(ForecastStrategy):
    """Weight = (v/k) · f/σ², cut to ±`cap`: the mean-variance weight, scaled so that the position's volatility is v.

    Both averages are of squares, not of deviations from a mean, and start at their first value; z² counts from the
    first forecast on, the current bar included. Since f/σ² = z/σ, dividing by the running size k of z leaves an average
    position of volatility v, whatever the scale of the forecasts.

    volatility_bps: v, in basis points per bar; 100 a day is about 16 % a year.
    span:           bars over which variances are averaged.
    cap:            the largest weight, long or short; at most 1, since the account does not borrow cash.
    short:          whether negative weights are traded; otherwise they are cut to 0.

    Reference: Merton (1969), Review of Economics and Statistics 51(3), for f/σ²; Moskowitz, Ooi & Pedersen (2012),
    Journal of Financial Economics 104(2), section 2, for the scaling.
    """

    params: Any = (("volatility_bps", 100.0), ("span", 60), ("cap", 1.0), ("short", True))
    limits: ClassVar = {
        **ForecastStrategy.limits,
        "volatility_bps": (0.0, math.inf),
        "span": (2, math.inf),
        "cap": (0.0, 1.0),
    }

    def __init__(self) -> None:
        super().__init__()
        # Without its dividend and split, an ex-date would look like a wild one.
        self._actions = self.data if hasattr(self.data, "dividend") else None
        self._close: float | None = None  # of the bar before
        self._variance: float | None = None  # σ²
        self._strength: float | None = None  # k²

    def next(self) -> None:
        close = self.data.close[0]
        if self._close is not None:
            worth = close if self._actions is None else close * self._actions.split[0] + self._actions.dividend[0]
            change = math.log(worth / self._close)
            self._variance = self._average(self._variance, change * change)
        # Kept here, because close[-1] is not there when backtrader saves memory (exactbars=1).
        self._close = close
        super().next()

    def decide(self, forecast: float) -> float | None:
        if not self._variance:
            return None
        z = forecast / math.sqrt(self._variance)
        self._strength = self._average(self._strength, z * z)
        if self._strength == 0:
            return 0.0
        volatility = self.p.volatility_bps / 1e4
        weight = volatility / math.sqrt(self._strength) * forecast / self._variance
        return max(-self.p.cap if self.p.short else 0.0, min(self.p.cap, weight))

    def _average(self, average: float | None, value: float) -> float:
        """One step of an exponential average, α = 2/(span + 1)."""
        return value if average is None else average + 2 / (self.p.span + 1) * (value - average)
