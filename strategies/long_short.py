"""Long or short."""

from __future__ import annotations

from rollcast.strategies.base import BandStrategy


class LongShort(BandStrategy):
    """Long while the forecast is above the dead band, short once it is below."""

    def decide(self, forecast: float) -> float | None:
        return {1: self.p.exposure, -1: -self.p.exposure}.get(self.opinion(forecast))
