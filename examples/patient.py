"""A rule: long only after the forecast has been positive for some bars in a row."""

from dataclasses import dataclass, field

from rollcast import NameRule


@dataclass
class Patient(NameRule):
    """Long once `bars` forecasts in a row were positive, out at the first that is not."""

    bars: int = 3
    positive: int = field(default=0, init=False)  # forecasts in a row
    limits = {**NameRule.limits, "bars": (1, 1000)}  # noqa: RUF012

    def decide(self, state):
        self.positive = self.positive + 1 if state.forecast > 0 else 0
        return 1.0 if self.positive >= self.bars else 0.0
