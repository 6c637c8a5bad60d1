"""A strategy: in on a strong forecast, out only on a weak one."""

from dataclasses import dataclass

from rollcast import NameRule


@dataclass
class Hysteresis(NameRule):
    """Fully long from a forecast of `enter_bps` on, until one below `leave_bps`.

    enter_bps, leave_bps: basis points the next bar is expected to gain.
    """

    enter_bps: float = 2.0
    leave_bps: float = -2.0
    limits = {**NameRule.limits, "enter_bps": (-1000.0, 1000.0), "leave_bps": (-1000.0, 1000.0)}  # noqa: RUF012

    def __post_init__(self):
        super().__post_init__()
        if self.leave_bps > self.enter_bps:
            raise ValueError("leave_bps must not be above enter_bps")

    def decide(self, state):
        if state.forecast >= self.enter_bps / 1e4:
            return 1.0
        return 0.0 if state.forecast < self.leave_bps / 1e4 else None
