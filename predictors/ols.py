"""Ordinary least squares: the slope of price on time, and a regression of the next return on lagged features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from .bars import log_returns
from .base import Learner, Predictor
from .features import FEATURES, Scale, check_features, features, lookbacks, next_returns
from .validation import at_least


@dataclass(frozen=True)
class OLS(Predictor):
    """The slope of the log price on time over the last `window` bars, a return per bar.

    forecast = Σ_j w_j · r[t-j+1], w_j = 6 j (n-j) / (n (n²-1)), j = 1 … n-1, n = `window` bars.

    The least-squares slope is a parabola-weighted mean of the last n-1 returns.

    Reference: Kendall (1973), Time-Series, chapter 3 (moving-average trends).

    >>> from rollcast.predictors.bars import random_walk
    >>> round(float(OLS(window=20).predict(random_walk(100)).iloc[-1]), 6)
    0.001264
    """

    window: int = 50

    def __post_init__(self) -> None:
        at_least("window", self.window, 2)

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        n = self.window
        j = np.arange(1, n)
        weights = 6 * j * (n - j) / (n * (n**2 - 1))
        forecast = np.full(len(bars), np.nan)
        if len(bars) >= n:
            returns = log_returns(bars).to_numpy()[1:]
            forecast[n - 1 :] = np.convolve(returns, weights, mode="valid")
        return pd.Series(forecast, index=bars.index, name="forecast")


@dataclass
class OLSFeatures(Learner):
    """Regression of the next return on the last `lags` bars of features: the linear benchmark of the nets.

    forecast = b₀ + Σ_{k<lags} Σ_f b_{kf} · x_f[t-k], the b by least squares over the training slice (the solution of
    least norm where features are collinear).

    lags:     number of bars whose features are regressors.
    features: some of return, range, gap and volume, each scaled by the training slice.

    Reference: Gu, Kelly & Xiu (2020), Review of Financial Studies 33(5), section 1.2 (their linear benchmark).

    >>> from rollcast.predictors import WalkForward
    >>> from rollcast.predictors.bars import random_walk
    >>> round(float(WalkForward(OLSFeatures(lags=2), train=200).predict(random_walk(300)).iloc[-1]), 6)
    0.001141
    """

    lags: int = 5
    features: tuple[str, ...] = FEATURES

    def __post_init__(self) -> None:
        at_least("lags", self.lags, 1)
        check_features(self.features)

    def fit(self, bars: pd.DataFrame) -> Self:
        """Least squares on these bars.

        Raises ValueError for too few bars, and for features that are not finite.
        """
        needed = self.lags * len(self.features) + self.lags + 2
        if len(bars) < needed:
            raise ValueError(
                f"ols-features with lags={self.lags} and {len(self.features)} features needs at least {needed} bars "
                f"to train on; got {len(bars)}"
            )
        rows = features(bars, self.features)
        self.scale_ = Scale.of(rows)
        design = self._design(rows)
        # Row 0 has no return, and the last row no target yet.
        complete = slice(1, -1)
        target = next_returns(bars)[self.lags - 1 :]
        if not np.isfinite(design[complete]).all():
            raise ValueError("the bars to train on hold a price or volume that is not a number")
        self.coefficients_ = np.linalg.lstsq(design[complete], target[complete], rcond=None)[0]
        return self

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        forecast = np.full(len(bars), np.nan)
        if len(bars) >= self.lags:
            forecast[self.lags - 1 :] = self._design(features(bars, self.features)) @ self.coefficients_
        return pd.Series(forecast, index=bars.index, name="forecast")

    def _design(self, rows: np.ndarray) -> np.ndarray:
        """A constant and the lagged features, shape (bars - lags + 1, 1 + lags · F)."""
        lagged = lookbacks(self.scale_.apply(rows), self.lags)  # (n, L, F)
        lagged = lagged.reshape(len(lagged), -1)
        return np.column_stack([np.ones(len(lagged)), lagged])
