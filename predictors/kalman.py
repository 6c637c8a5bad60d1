"""Kalman filters of the log return: local level, local linear trend, and both with estimated variance ratios.

`predictors.state_space` has the models, their recursions and the notation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pandas as pd

from . import training_log
from .bars import log_returns
from .base import Learner, Predictor
from .state_space import MODELS, Recursion, local_level, local_trend, maximum_likelihood
from .validation import between, one_of
from .window import Window

CHUNK = 128  # windows filtered together; bounds the memory


@dataclass(frozen=True)
class LocalLevel(Predictor):
    """The mean of the log returns, where that mean is a random walk observed with noise.

    forecast = m_t = m_{t-1} + K_t (r_t - m_{t-1}),  K_t = (K_{t-1} + q) / (K_{t-1} + q + 1),  K_1 = 1

    q: variance of a step of the mean over the variance of the noise, per bar; with 0 the mean is
       constant, and the forecast is the average of all returns so far.

    It converges to an EMA of returns with α = (√(q² + 4q) - q) / 2, the steady gain: 0.0951 for q = 0.01, a span of 20.
    The start is exactly diffuse: the first return is the first forecast, so the warm-up is the first bar alone.

    Reference: Durbin and Koopman (2012), sections 2.2, 2.9 and 2.11.

    >>> from rollcast.predictors.bars import random_walk
    >>> round(float(LocalLevel(q=0.01).predict(random_walk(100)).iloc[-1]), 6)
    -0.001214
    """

    q: float = 0.01

    def __post_init__(self) -> None:
        between("q", self.q, 0, 1e12)

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        return _predict(local_level, bars, self.q)


@dataclass(frozen=True)
class LocalLinearTrend(Predictor):
    """The next step of the log price, which is modelled as a level with a slope, both random walks, plus noise.

    forecast = level_t + slope_t - log close_t, each the filtered mean given the prices up to t

    q_level: variance of the level's own step over that of the noise. Noise alone gives returns a first autocorrelation
             of -1 / (q_level + 2): 10 makes it -0.08, near that of daily stock indices.
    q_slope: variance of the slope's step over that of the noise. With a hundredth of q_level the slope is smoothed
             as the mean of `LocalLevel` is by default; with 0 it is constant.

    The start is exactly diffuse: the first two prices give level and slope, so the warm-up is the first bar alone.

    Reference: Harvey (1989), Forecasting, Structural Time Series Models and the Kalman Filter, chapter 4.

    >>> from rollcast.predictors.bars import random_walk
    >>> round(float(LocalLinearTrend().predict(random_walk(100)).iloc[-1]), 6)
    8.3e-05
    """

    q_level: float = 10.0
    q_slope: float = 0.1

    def __post_init__(self) -> None:
        between("q_level", self.q_level, 0, 1e12)
        between("q_slope", self.q_slope, 0, 1e12)

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        return _predict(local_trend, bars, self.q_level, self.q_slope)


@dataclass
class KalmanMLE(Learner):
    """`LocalLevel` or `LocalLinearTrend` with variance ratios estimated by maximum likelihood on the training bars.

    ratios_ = argmax -½ (n log Σ v²/F + Σ log F), the diffuse likelihood with var(ε) concentrated out, n innovations

    model: "level", which fits (q,), or "trend", which fits (q_level, q_slope); ratios per bar, from 1e-12 to 1e6.

    An estimate of 1e-12 stands for zero, which is usual for the mean of daily returns: the data do not show that it
    varies. The search is deterministic: a grid over half decades, then finer grids around the best point; the windows
    of a walk-forward are estimated together. `predict` filters from the first of its bars.

    Raises ValueError for an unknown model.

    Reference: Durbin and Koopman (2012), sections 2.10 and 7.2.

    >>> from rollcast.predictors.bars import random_walk
    >>> [f"{ratio:.2g}" for ratio in KalmanMLE("trend").fit(random_walk(100)).ratios_]
    ['1e+06', '1e-12']
    """

    model: Literal["level", "trend"] = "level"

    def __post_init__(self) -> None:
        one_of("model", self.model, MODELS)

    def fit(self, bars: pd.DataFrame) -> Self:
        """Estimates the variance ratios on these bars.

        Raises ValueError for fewer than 4 bars (level) or 5 bars (trend).
        """
        returns = log_returns(bars).to_numpy()[1:, None]
        self.ratios_ = tuple(self._estimate(returns)[:, 0].tolist())
        return self

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        """As `Predictor.predict`, with the estimated ratios.

        Raises ValueError before `fit`.
        """
        if not hasattr(self, "ratios_"):
            raise ValueError("KalmanMLE is not fitted; call fit(bars) first, or wrap it in WalkForward")
        return _predict(MODELS[self.model][0], bars, *self.ratios_)

    def forecast(self, windows: Sequence[Window]) -> Iterator[tuple[int, pd.Series]]:
        """As `Learner.forecast`, with the windows of one shape estimated and filtered together.

        Raises ValueError as `fit`.
        """
        recursion, _ = MODELS[self.model]
        positions: dict[tuple[int, int], list[int]] = {}  # by (length of the training slice, of the block)
        for k, window in enumerate(windows):
            positions.setdefault((window.split - window.start, window.block), []).append(k)
        for (train, block), group in positions.items():
            for first in range(0, len(group), CHUNK):
                chunk = group[first : first + CHUNK]
                returns = np.stack(
                    [log_returns(windows[k].model_bars).to_numpy()[1:] for k in chunk], axis=-1
                )  # (T, W)
                ratios = self._estimate(returns[: train - 1])  # (D, W)
                forecasts = np.array([f for _, _, f in recursion(returns, *ratios)])
                for column, k in enumerate(chunk):
                    forecast = pd.Series(
                        np.r_[np.nan, forecasts[:, column]], windows[k].model_bars.index, name="forecast"
                    )
                    training_log.record_fit(windows[k], forecast)
                    yield k, forecast.iloc[-block:]

    def _estimate(self, returns: np.ndarray) -> np.ndarray:
        """The maximum-likelihood ratios (D, W) of each column of returns (T, W)."""
        recursion, count = MODELS[self.model]
        if len(returns) < count + 2:
            raise ValueError(
                f"KalmanMLE({self.model!r}) estimates {count + 1} variances and needs at least {count + 3} training "
                f"bars; got {len(returns) + 1}. Use a larger train"
            )
        return maximum_likelihood(recursion, returns, count)


def _predict(recursion: Recursion, bars: pd.DataFrame, *ratios: float) -> pd.Series:
    # For a single series, steps in Python floats are some ten times faster than in arrays of one number.
    returns = log_returns(bars).iloc[1:].tolist()
    forecast = [np.nan, *(f for _, _, f in recursion(returns, *ratios))]
    return pd.Series(forecast[: len(bars)], index=bars.index, name="forecast")
