"""A strategy: long only after the forecast has been positive for some bars in a row."""

from rollcast import ForecastStrategy


class Patient(ForecastStrategy):
    """Long once `bars` forecasts in a row were positive, out at the first that is not."""

    params = (("bars", 3),)
    limits = {**ForecastStrategy.limits, "bars": (1, 1000)}  # noqa: RUF012

    def __init__(self):
        super().__init__()
        self.positive = 0

    def decide(self, forecast):
        self.positive = self.positive + 1 if forecast > 0 else 0
        return 1.0 if self.positive >= self.p.bars else 0.0
