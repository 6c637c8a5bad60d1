"""Kalman filters of the log return: local level, local linear trend, and both with estimated variance ratios.

    r_t = log(close[t] / close[t-1])                      y_t = log close[t]

    local level on r:   r_t = μ_t + ε_t                   μ_t = μ_{t-1} + η_t
    local trend on y:   y_t = μ_t + ε_t                   μ_t = μ_{t-1} + β_{t-1} + η_t,  β_t = β_{t-1} + ζ_t

Only ratios of variances matter, so every variance is in units of var(ε).

    r       returns        iterated over time; each item a float or an array, broadcast against the ratios
    q       q              var(η) / var(ε) of the local level
    q_l     q_level        var(η) / var(ε) of the local trend
    q_s     q_slope        var(ζ) / var(ε) of the local trend
    f       forecast       E[r_{t+1} | r_1..r_t]
    v, F    innovation     v = r_t - f_{t-1} and its variance
    K       k              gain: the fraction of v that is added to the mean (level model) or the slope (trend model)
    p, c, s                var(μ), cov(μ, β), var(β) given the returns so far; c is k after the update with r_t
    T, W, C, D             returns, windows, candidate ratios, ratios of the model

Reference: Durbin and Koopman (2012), Time Series Analysis by State Space Methods, 2nd ed., sections 2.2, 2.10, 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, Self

import numpy as np
import pandas as pd

from rollcast.predictors import training_log
from rollcast.predictors.bars import log_returns
from rollcast.predictors.base import Learner, Predictor
from rollcast.predictors.validation import between, one_of
from rollcast.predictors.window import Window

Values = float | np.ndarray
Recursion = Callable[..., Iterator[tuple[Values, Values, Values]]]  # (returns, *ratios) → v, F, f at each return

LOWEST, HIGHEST = -12, 6  # log10 of the ratios searched: beyond them one of the variances is negligible
COARSEST, FINEST = 2**-1, 2**-8  # decades between candidates on the first and the last grid; 2**-8 is 0.9 % of a ratio
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
        one_of("model", self.model, _MODELS)

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
        return _predict(_MODELS[self.model][0], bars, *self.ratios_)

    def forecast(self, windows: Sequence[Window]) -> Iterator[tuple[int, pd.Series]]:
        """As `Learner.forecast`, with the windows of one shape estimated and filtered together.

        Raises ValueError as `fit`.
        """
        recursion, _ = _MODELS[self.model]
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
        recursion, count = _MODELS[self.model]
        if len(returns) < count + 2:
            raise ValueError(
                f"KalmanMLE({self.model!r}) estimates {count + 1} variances and needs at least {count + 3} training "
                f"bars; got {len(returns) + 1}. Use a larger train"
            )
        best = _most_likely(recursion, returns, _grid(np.arange(LOWEST, HIGHEST + COARSEST, COARSEST), count)[None])
        around = _grid(np.arange(-2, 3), count)
        step = COARSEST / 2
        while step >= FINEST:
            best = _most_likely(recursion, returns, np.clip(best + step * around, LOWEST, HIGHEST))
            step /= 2
        return 10.0 ** best[:, 0].T


def local_level(returns: Iterable[Values], q: Values) -> Iterator[tuple[Values, Values, Values]]:
    """Yields (v, F, f) at each return. The start is diffuse: the first gain is 1, the first F infinite."""
    f: Values = 0.0
    k: Values = 1.0
    F: Values = np.inf
    for r in returns:
        # f = f + K v, v = r - f
        v = r - f
        f = f + k * v
        yield v, F, f
        # prediction: p + q, F = p + 1, K = p / F; the next update makes p = K
        p = k + q
        F = p + 1
        k = p / F


def local_trend(returns: Iterable[Values], q_level: Values, q_slope: Values) -> Iterator[tuple[Values, Values, Values]]:
    """Yields (v, F, f) at each return. The start is diffuse: the first gain is 1, the first F infinite.

    Two prices y_1, y_2 give level y_2 and slope y_2 - y_1, with errors -ε_2 and ζ_2 - η_2 - ε_2 + ε_1: hence the first
    p, c, s. The level needs no recursion: level - y = -v/F after each price, since 1 - gain of the level = 1/F.
    """
    slope: Values = 0.0
    F: Values = np.inf
    p: Values = 1.0
    k: Values = 1.0
    s: Values = 2.0 + q_level + q_slope
    f: Values = 0.0
    for r in returns:
        # β = β + K v,  f = β + level - y
        v = r - f
        slope = slope + k * v
        f = slope - v / F
        yield v, F, f
        # prediction: p + 2c + s + q_l, c + s, s + q_s; F = p + 1
        p = p + 2 * k + s + q_level
        c = k + s
        F = p + 1
        # K = c / F; the next update makes c = K, p = p / F, s = s + q_s - K c
        k = c / F
        p = p / F
        s = s + q_slope - k * c


# Each model's recursion and how many ratios it takes.
_MODELS: dict[str, tuple[Recursion, int]] = {"level": (local_level, 1), "trend": (local_trend, 2)}


def _grid(axis: np.ndarray, count: int) -> np.ndarray:
    """All points (C, D) with D = `count` coordinates from `axis`."""
    return np.array(list(product(axis, repeat=count)), float)


def _most_likely(recursion: Recursion, returns: np.ndarray, decades: np.ndarray) -> np.ndarray:
    """Of candidate log10 ratios (W or 1, C, D), the most likely (W, 1, D) for each column of returns (T, W)."""
    innovations = recursion(returns[..., None], *np.moveaxis(10.0**decades, -1, 0))
    next(innovations)  # the first one is diffuse and has no likelihood
    squares: Values = 0.0
    logs: Values = 0.0
    for v, F, _ in innovations:  # (W, C)
        squares = squares + v * v / F
        logs = logs + np.log(F)
    # -½ (n log Σ v²/F + Σ log F); the lower bound is for constant prices
    likelihood = -0.5 * ((len(returns) - 1) * np.log(np.maximum(squares, np.finfo(float).tiny)) + logs)
    return np.take_along_axis(decades, likelihood.argmax(axis=1)[:, None, None], axis=1)


def _predict(recursion: Recursion, bars: pd.DataFrame, *ratios: float) -> pd.Series:
    # For a single series, steps in Python floats are some ten times faster than in arrays of one number.
    returns = log_returns(bars).iloc[1:].tolist()
    forecast = [np.nan, *(f for _, _, f in recursion(returns, *ratios))]
    return pd.Series(forecast[: len(bars)], index=bars.index, name="forecast")
