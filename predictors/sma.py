"""Simple moving average."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .base import Predictor
from .validation import at_least


@dataclass(frozen=True)
class SMA(Predictor):
    """The gap of the log price above its mean over `window` bars, scaled to a return per bar.

    forecast = 2/(n-1) · (log close - mean of the last n log closes), n = `window` bars.

    The gap is a triangle-weighted sum of the last n-1 returns with weights (n-j)/n, which add up to (n-1)/2; dividing
    by that turns it into an average return, and keeps the sign of the textbook rule "price above its average".

    Reference: Brock, Lakonishok & LeBaron (1992), Journal of Finance 47(5), section I.

    >>> from rollcast.predictors.bars import random_walk
    >>> round(float(SMA(window=20).predict(random_walk(100)).iloc[-1]), 6)
    -0.001284
    """

    window: int = 50

    def __post_init__(self) -> None:
        at_least("window", self.window, 2)

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        log_price = np.log(bars["close"])
        gap = log_price - log_price.rolling(self.window).mean()
        return (2 / (self.window - 1) * gap).rename("forecast")
