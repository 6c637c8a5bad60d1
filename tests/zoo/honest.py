"""Predictors without look-ahead: the built-in ones, and others that a careless check would accuse of it."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from rollcast import Learner, Predictor, load
from rollcast.predictors import BUILT_IN
from rollcast.predictors.bars import log_returns
from rollcast.predictors.ema import EMA
from rollcast.predictors.features import lookbacks
from rollcast.predictors.sma import SMA

SMALL = {"lookback": 5, "hidden": 4, "epochs": 3, "seeds": 1, "device": "cpu"}  # of a recurrent learner


@dataclass(frozen=True)
class RecursiveState(Predictor):
    """An average whose speed adapts to how well it did, in a plain loop."""

    def predict(self, bars):
        mean, error, forecast = 0.0, 0.0, []
        for r in np.nan_to_num(log_returns(bars).to_numpy()):
            surprise = abs(r - mean)
            error = max(surprise, 0.9 * error)
            mean += 0.2 * (surprise / error if error else 0.0) * (r - mean)
            forecast.append(mean)
        return pd.Series(forecast, index=bars.index)


@dataclass(frozen=True)
class ExpandingMean(Predictor):
    """The mean of all returns so far, once there are thirty."""

    def predict(self, bars):
        return log_returns(bars).expanding(30).mean()


@dataclass(frozen=True)
class RollingNormalised(Predictor):
    """Five-bar momentum in standard deviations of the last twenty bars, times one basis point."""

    def predict(self, bars):
        returns = log_returns(bars)
        risk = returns.rolling(20).std()
        return (returns.rolling(5).sum() / risk.where((risk > 1e-9) | risk.isna(), np.inf)) * 1e-4


@dataclass(frozen=True)
class TurnOfMonth(Predictor):
    """Two basis points in the first three bars of a month, of which the past calendar alone tells."""

    def predict(self, bars):
        month = pd.Series(bars.index.to_period("M"), index=bars.index)
        return (month.groupby(month.to_numpy()).cumcount() < 3) * 2e-4


@dataclass(frozen=True)
class LastWeekday(Predictor):
    """A basis point on bars whose next business day is in another month: a calendar anybody has in advance."""

    def predict(self, bars):
        last = (bars.index + pd.offsets.BDay(1)).month != bars.index.month
        return pd.Series(np.where(last, 1e-4, 0.0), index=bars.index)


@dataclass(frozen=True)
class VolumeFilter(Predictor):
    """Momentum on bars busier than most of the last twenty, else nothing."""

    def predict(self, bars):
        busy = bars["volume"] > bars["volume"].rolling(20, min_periods=1).median()
        return log_returns(bars).rolling(10).mean() * busy


@dataclass(frozen=True)
class CalendarFilled(Predictor):
    """Momentum over ten calendar days: missing days take the last price before them."""

    def predict(self, bars):
        days = pd.date_range(bars.index[0], bars.index[-1])
        daily = np.log(bars["close"]).reindex(days).ffill()
        return (daily.diff(10) / 10).reindex(bars.index)


@dataclass(frozen=True)
class FinishedWeeks(Predictor):
    """The mean of the last two finished weeks' returns, on every day of the week after them."""

    def predict(self, bars):
        weekly = np.log(bars["close"]).resample("W").last().ffill()
        known = weekly.diff().rolling(2).mean().shift(1) / 5
        sunday = bars.index + pd.to_timedelta(6 - bars.index.day_of_week, unit="D")
        return pd.Series(known.reindex(sunday).to_numpy(), index=bars.index)


@dataclass(frozen=True)
class RankOfToday(Predictor):
    """How high today's return ranks among the last thirty: against it, half a basis point a decile."""

    def predict(self, bars):
        return (0.5 - log_returns(bars).rolling(30).rank(pct=True)) * 5e-4


@dataclass(frozen=True)
class Quantile(Predictor):
    """The median of the last 25 returns."""

    def predict(self, bars):
        return log_returns(bars).rolling(25).quantile(0.5)


_BY_CONTENT: dict[str, pd.Series] = {}


@dataclass(frozen=True)
class CachedByContent(Predictor):
    """Momentum, cached by a hash of all bars it depends on."""

    def predict(self, bars):
        key = hashlib.sha256(bars.to_numpy(float).tobytes() + bars.index.asi8.tobytes()).hexdigest()
        if key not in _BY_CONTENT:
            _BY_CONTENT[key] = log_returns(bars).rolling(10).mean()
        return _BY_CONTENT[key].copy()


@dataclass(frozen=True)
class RegimeSwitch(Predictor):
    """Momentum where volatility is below its median so far, reversal where it is above."""

    def predict(self, bars):
        returns = log_returns(bars)
        risk = returns.rolling(10).std()
        return returns.rolling(10).mean() * np.where(risk <= risk.expanding().median(), 1.0, -1.0)


@dataclass(frozen=True)
class MatrixAverage(Predictor):
    """An exponential average as one product with a triangular matrix, whose zeros a NaN spreads through."""

    def predict(self, bars):
        t = np.arange(len(bars))
        weights = np.tril(0.1 * 0.9 ** np.clip(t[:, None] - t, 0, None))
        return pd.Series(weights @ np.nan_to_num(log_returns(bars).to_numpy(), posinf=0), index=bars.index)


@dataclass(frozen=True)
class FourierConvolution(Predictor):
    """A causal moving average by the fast Fourier transform: its rounding depends on all bars, its value does not."""

    def predict(self, bars):
        returns = log_returns(bars).fillna(0.0).to_numpy()
        kernel, n = np.ones(10) / 10, 2 * len(returns) + 20
        mean = np.fft.irfft(np.fft.rfft(returns, n) * np.fft.rfft(kernel, n), n)[: len(returns)]
        return pd.Series(mean, index=bars.index)


@dataclass(frozen=True)
class Ensemble(Predictor):
    """The mean of two other predictors.

    fast, slow: which ones.
    """

    fast: Predictor = field(default_factory=lambda: EMA(5))
    slow: Predictor = field(default_factory=lambda: SMA(20))

    def predict(self, bars):
        return (self.fast.predict(bars) + self.slow.predict(bars)) / 2


@dataclass(frozen=True)
class CoinFlip(Predictor):
    """A basis point up or down, by a coin that each date tosses for itself.

    seed: of the coin.
    """

    seed: int = 0

    def predict(self, bars):
        days = (bars.index - pd.Timestamp(0)).days.to_numpy()
        return pd.Series(np.random.default_rng(self.seed).choice([-1e-4, 1e-4], 40_000)[days % 40_000], bars.index)


@dataclass
class RandomFeatures(Learner):
    """Ridge regression on random cosines of the last returns, drawn afresh at every fit from its own seed.

    seed: of the draw, together with the last date of the slice.
    """

    seed: int = 0

    def fit(self, bars):
        rng = np.random.default_rng([self.seed, bars.index[-1].value])
        self.scale_ = float(log_returns(bars).std()) or 1.0
        self.directions_, self.phases_ = rng.normal(size=(5, 12)), rng.uniform(0, 2 * np.pi, 12)
        x, y = self._cosines(bars)[:-1], log_returns(bars).to_numpy()[6:]
        self.weights_ = np.linalg.solve(x.T @ x + np.eye(12), x.T @ y)
        return self

    def predict(self, bars):
        forecast = pd.Series(np.nan, index=bars.index)
        if len(bars) > 5:
            forecast.iloc[5:] = self._cosines(bars) @ self.weights_
        return forecast

    def _cosines(self, bars):
        past = lookbacks(log_returns(bars).to_numpy()[1:, None] / self.scale_, 5)[:, :, 0]
        return np.cos(past @ self.directions_ + self.phases_)


def _lagged(bars, lags):
    """The last returns at every bar that has so many, (bars - lags, lags), and the return after each."""
    returns = log_returns(bars).to_numpy()
    return lookbacks(returns[1:, None], lags)[:, :, 0], np.append(returns[lags + 1 :], np.nan)


@dataclass
class SklearnRidge(Learner):
    """scikit-learn's ridge regression on the last five returns."""

    def fit(self, bars):
        from sklearn.linear_model import Ridge

        x, y = _lagged(bars, 5)
        self.model_ = Ridge(1e-3).fit(x[:-1], y[:-1])
        return self

    def predict(self, bars):
        forecast = pd.Series(np.nan, index=bars.index)
        if len(bars) > 5:
            forecast.iloc[5:] = self.model_.predict(_lagged(bars, 5)[0])
        return forecast


@dataclass
class SklearnTree(Learner):
    """scikit-learn's decision tree on the last three returns, its ties broken by its own seed.

    seed: of the tree.
    """

    seed: int = 0

    def fit(self, bars):
        from sklearn.tree import DecisionTreeRegressor

        x, y = _lagged(bars, 3)
        self.model_ = DecisionTreeRegressor(max_depth=2, min_samples_leaf=5, random_state=self.seed).fit(x[:-1], y[:-1])
        return self

    def predict(self, bars):
        forecast = pd.Series(np.nan, index=bars.index)
        if len(bars) > 3:
            forecast.iloc[3:] = self.model_.predict(_lagged(bars, 3)[0])
        return forecast


@dataclass
class OwnNet(Learner):
    """A small feed-forward torch net in float32 on the last four returns.

    hidden: its hidden units.   steps: of gradient descent.   seed: with the last date, of its first weights.
    """

    hidden: int = 4
    steps: int = 2
    seed: int = 0

    def fit(self, bars):
        import torch

        seeded = torch.Generator().manual_seed((self.seed + bars.index[-1].value) % 2**63)
        self.scale_ = float(log_returns(bars).std()) or 1.0
        x, y = (torch.tensor(a[:-1] / self.scale_, dtype=torch.float32) for a in _lagged(bars, 4))
        shapes = (4, self.hidden), (self.hidden,), (self.hidden, 1)
        self.weights_ = [torch.randn(shape, generator=seeded).mul(0.3).requires_grad_() for shape in shapes]
        for _ in range(self.steps):
            gradients = torch.autograd.grad(((self._net(x) - y) ** 2).mean(), self.weights_)
            self.weights_ = [w - 0.1 * g for w, g in zip(self.weights_, gradients, strict=True)]
        return self

    def predict(self, bars):
        import torch

        forecast = pd.Series(np.nan, index=bars.index)
        if len(bars) > 4:
            with torch.no_grad():
                x = torch.tensor(_lagged(bars, 4)[0] / self.scale_, dtype=torch.float32)
                forecast.iloc[4:] = self._net(x).double().numpy() * self.scale_
        return forecast

    def _net(self, x):
        first, bias, second = self.weights_
        return ((x @ first + bias).tanh() @ second)[:, 0]


AWKWARD = (
    *(RecursiveState, ExpandingMean, RollingNormalised, TurnOfMonth, LastWeekday, VolumeFilter, CalendarFilled),
    *(FinishedWeeks, RankOfToday, Quantile, CachedByContent, RegimeSwitch, MatrixAverage, FourierConvolution),
    *(Ensemble, CoinFlip, RandomFeatures, SklearnRidge, SklearnTree, OwnNet),
)


def missing(model: Predictor | Learner) -> str:
    """What is not installed that this one needs; empty if nothing."""
    return "scikit-learn" if "Sklearn" in type(model).__name__ and not importlib.util.find_spec("sklearn") else ""


def honest() -> Iterator[tuple[str, Predictor | Learner]]:
    """Every honest predictor of the zoo by name: the built-ins, recurrent nets in a small form, then the awkward."""
    for name, address in BUILT_IN.items():
        yield name, load(name, **SMALL) if address.startswith("rollcast.predictors.recurrent") else load(name)
    for cls in AWKWARD:
        yield cls.__name__, cls()
