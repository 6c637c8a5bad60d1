"""Weights on past returns: what a linear predictor is, whatever its formula.

    forecast_t = b + Σ_j w_j r_{t-j+1},  j = 1 … t

Reference: Levine and Pedersen (2016), Which Trend Is Your Friend?, Financial Analysts Journal 72(3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...predictors import Learner, Predictor
from ...predictors.bars import log_returns


@dataclass(frozen=True)
class Weights:
    """The weights that a predictor puts on past returns when it makes the forecast of the last bar.

    weights:   w_j by lag, (bars - 1,): first that of the last bar's return.
    intercept: b, the forecast on bars whose price never moves.
    forecast:  what the predictor says at the last bar.
    """

    weights: np.ndarray
    intercept: float
    returns: np.ndarray
    forecast: float

    @property
    def sum(self) -> float:
        """b + Σ w r: the forecast, if the predictor is linear in returns."""
        return float(self.intercept + self.weights @ self.returns[::-1])

    @property
    def reproduces(self) -> bool:
        """Whether the weights are the whole of the predictor: they give its forecast to 1e-12."""
        return abs(self.sum - self.forecast) <= 1e-12


def weights_on_returns(model: Predictor | Learner, bars: pd.DataFrame) -> Weights:
    """The weights at the last of these bars; `model` is a predictor or a fitted learner.

    Each is read off a market that moves once, by a log return of 1, that many bars before its end.
    """
    intercept = _last(model, jump(bars.index, len(bars)))
    weights = [_last(model, jump(bars.index, at)) - intercept for at in range(len(bars) - 1, 0, -1)]
    returns = log_returns(bars).to_numpy()[1:]
    return Weights(np.array(weights), intercept, returns, _last(model, bars))


def jump(index: pd.Index, at: int) -> pd.DataFrame:
    """Bars at a price of 1 that is e from bar number `at` on, and a constant volume."""
    close = np.where(np.arange(len(index)) < at, 1.0, np.e)
    prices = {name: close for name in ("open", "high", "low", "close")}
    return pd.DataFrame(prices | {"volume": np.full(len(index), 1e6)}, index=index)


def _last(model: Predictor | Learner, bars: pd.DataFrame) -> float:
    return float(model.predict(bars).iloc[-1])
