"""A position in proportion to the forecast.

Notation: f forecast, σ² variance of the log return, z = f/σ the forecast in standard deviations, k the running root
mean square of z, v the volatility aimed at; σ² and k² are exponential averages over `span` bars.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from .rule import Limits, NameRule, NameState


@dataclass
class Proportional(NameRule):
    """Weight = (v/k) · f/σ², cut to ±`cap`: the mean-variance weight, scaled so that the position's volatility is v.

    Both averages are of squares, not of deviations from a mean, and start at their first value; z² counts from the
    first forecast on, the current bar included. Since f/σ² = z/σ, dividing by the running size k of z leaves an average
    position of volatility v, whatever the scale of the forecasts.

    volatility_bps: v, in basis points per bar; 100 a day is about 16 % a year.
    span:           bars over which variances are averaged.
    cap:            the largest weight, long or short, at most 1.
    short:          whether negative weights are traded; otherwise they are cut to 0.

    Reference: Merton (1969), Review of Economics and Statistics 51(3), for f/σ²; Moskowitz, Ooi & Pedersen (2012),
    Journal of Financial Economics 104(2), section 2, for the scaling.
    """

    volatility_bps: float = 100.0
    span: int = 60
    cap: float = 1.0
    short: bool = True
    variance: float | None = field(default=None, init=False, repr=False)  # σ²
    strength: float | None = field(default=None, init=False, repr=False)  # k²
    limits: ClassVar[Limits] = {
        **NameRule.limits,
        "volatility_bps": (0.0, math.inf),
        "span": (2, math.inf),
        "cap": (0.0, 1.0),
    }

    def observe(self, state: NameState) -> None:
        if not math.isnan(state.growth):
            change = math.log(state.growth)
            self.variance = self._average(self.variance, change * change)

    def decide(self, state: NameState) -> float | None:
        if not self.variance:
            return None
        z = state.forecast / math.sqrt(self.variance)
        self.strength = self._average(self.strength, z * z)
        if self.strength == 0:
            return 0.0
        volatility = self.volatility_bps / 1e4
        weight = volatility / math.sqrt(self.strength) * state.forecast / self.variance
        return max(-self.cap if self.short else 0.0, min(self.cap, weight))

    def _average(self, average: float | None, value: float) -> float:
        """One step of an exponential average, α = 2/(span + 1)."""
        return value if average is None else average + 2 / (self.span + 1) * (value - average)
