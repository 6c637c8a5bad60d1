"""Long or out."""

from __future__ import annotations

from rollcast.strategies.base import BandStrategy


class LongFlat(BandStrategy):
    """Long while the forecast is above the dead band, out once it is below."""

    def decide(self, forecast: float) -> float | None:
        return {1: self.p.exposure, -1: 0.0}.get(self.opinion(forecast))
