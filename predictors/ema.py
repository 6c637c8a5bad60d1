"""Exponential moving average."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .base import Predictor
from .validation import between


@dataclass(frozen=True)
class EMA(Predictor):
    """The gap of the log price above its exponential average, scaled to a return per bar.

    forecast = α/(1-α) · (log close - its EMA), α = 2/(`span` + 1), `span` in bars.

    With an average that starts at the first price, this is exactly the EMA of the log returns. The warm-up is `span`
    bars, after which the weight of the first price is below e⁻².

    Reference: Brown (1963), Smoothing, Forecasting and Prediction of Discrete Time Series, chapter 7.

    >>> from rollcast.predictors.bars import random_walk
    >>> round(float(EMA(span=20).predict(random_walk(100)).iloc[-1]), 6)
    -0.001217
    """

    span: float = 50.0

    def __post_init__(self) -> None:
        between("span", self.span, 1, float("inf"), open_low=True)

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        alpha = 2 / (self.span + 1)
        log_price = np.log(bars["close"])
        gap = log_price - log_price.ewm(alpha=alpha, adjust=False).mean()
        forecast = (alpha / (1 - alpha) * gap).rename("forecast")
        forecast.iloc[: int(np.ceil(self.span)) - 1] = np.nan
        return forecast
