"""The random walk forecast: the next price is the last one."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from .base import Predictor


@dataclass(frozen=True)
class Naive(Predictor):
    """Forecasts zero at every bar: the benchmark every other forecast has to beat.

    Reference: Meese & Rogoff (1983), Journal of International Economics 14, 3-24.

    >>> from rollcast.predictors.bars import random_walk
    >>> float(Naive().predict(random_walk(3)).abs().sum())
    0.0
    """

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        return pd.Series(0.0, index=bars.index, name="forecast")
