"""Long or short."""

from __future__ import annotations

from dataclasses import dataclass

from .rule import BandRule, NameState


@dataclass
class LongShort(BandRule):
    """Long while the forecast is above the dead band, short once it is below."""

    def decide(self, state: NameState) -> float | None:
        return {1: self.exposure, -1: -self.exposure}.get(self.opinion(state.forecast))
