"""The gain and the uncertainty of a Kalman filter at every bar, each from the bars up to it.

The notation is that of `predictors.state_space`, which has the recursions; σ² = var(ε).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...predictors.bars import log_returns
from ...predictors.state_space import MODELS


@dataclass
class _Ones:
    """Returns that are each 1 above their forecast, so innovations are 1, and the steps of the filter its gains."""

    count: int
    forecast: float = 0.0

    def __iter__(self) -> Iterator[float]:
        for _ in range(self.count):
            yield self.forecast + 1


def filtered(model: str, bars: pd.DataFrame, *ratios: float) -> pd.DataFrame:
    """What the filter holds after each of these bars.

    model:  "level" with q, or "trend" with q_level and q_slope.

    Columns: `forecast` f; `gain` K, the fraction of the innovation that is added to the mean (level) or the slope
    (trend); `error` σ√F, the standard deviation of the next return; and, of the level model, `deviation` σ√K, that of
    the mean itself. σ² is the mean of v²/F so far. NaN at the first bar; standard deviations also at the second.
    """
    recursion, _ = MODELS[model]
    v, F, f = np.array([*recursion(log_returns(bars).to_numpy()[1:].tolist(), *ratios)], float).T
    gain = _gains(model, len(f) + 1, ratios)
    following = _variances(model, len(f) + 1, ratios)[1:]  # F of the next innovation
    squares = np.cumsum(np.r_[0.0, v[1:] ** 2 / F[1:]])
    sigma = np.sqrt(np.r_[np.nan, squares[1:] / np.arange(1, len(f))])
    columns = {"forecast": f, "gain": gain[:-1], "error": sigma * np.sqrt(following)}
    if model == "level":
        columns["deviation"] = sigma * np.sqrt(gain[:-1])
    return pd.DataFrame({name: np.r_[np.nan, values] for name, values in columns.items()}, index=bars.index)


def _gains(model: str, count: int, ratios: tuple[float, ...]) -> np.ndarray:
    """K at each of so many returns; it depends on no return."""
    ones = _Ones(count)
    means = [0.0]
    for v, F, f in MODELS[model][0](ones, *ratios):
        ones.forecast = float(f)
        means.append(float(f if model == "level" else f + v / F))
    return np.diff(means)


def _variances(model: str, count: int, ratios: tuple[float, ...]) -> np.ndarray:
    """F at each of so many returns; it depends on no return."""
    return np.array([F for _, F, _ in MODELS[model][0]([0.0] * count, *ratios)], float)
