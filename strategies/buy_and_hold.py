"""Buy and hold."""

from __future__ import annotations

from strategies.base import ForecastStrategy


class BuyAndHold(ForecastStrategy):
    """Fully invested from the first forecast on, whatever it says: the benchmark of every tear sheet."""

    def decide(self, forecast: float) -> float | None:
        return 1.0
