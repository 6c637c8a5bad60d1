"""A strategy: in on a strong forecast, out only on a weak one."""

from rollcast import ForecastStrategy


class Hysteresis(ForecastStrategy):
    """Fully long from a forecast of `enter_bps` on, until one below `leave_bps`.

    enter_bps, leave_bps: basis points the next bar is expected to gain.
    """

    params = (("enter_bps", 2.0), ("leave_bps", -2.0))
    limits = {**ForecastStrategy.limits, "enter_bps": (-1000.0, 1000.0), "leave_bps": (-1000.0, 1000.0)}  # noqa: RUF012

    @classmethod
    def check(cls, **parameters):
        super().check(**parameters)
        if parameters["leave_bps"] > parameters["enter_bps"]:
            raise ValueError("leave_bps must not be above enter_bps")

    def decide(self, forecast):
        if forecast >= self.p.enter_bps / 1e4:
            return 1.0
        return 0.0 if forecast < self.p.leave_bps / 1e4 else None
