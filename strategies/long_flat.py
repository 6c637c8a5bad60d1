"""Long or out."""

from __future__ import annotations

from dataclasses import dataclass

from .rule import BandRule, NameState


@dataclass
class LongFlat(BandRule):
    """Long while the forecast is above the dead band, out once it is below."""

    def decide(self, state: NameState) -> float | None:
        return {1: self.exposure, -1: 0.0}.get(self.opinion(state.forecast))
