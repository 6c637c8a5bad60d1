"""Leaks that only a market with the flaws of real data provokes, and one plugin that seeds everybody's generator."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rollcast import Learner, Predictor
from rollcast.predictors.bars import log_returns
from rollcast.predictors.features import features, next_returns


def momentum(close):
    return np.log(close).diff(5) / 5


@dataclass(frozen=True)
class InterpolatedIdle(Predictor):
    """Momentum; bars without volume are no quotes, and are interpolated."""

    def predict(self, bars):
        return momentum(bars["close"].where(bars["volume"] > 0).interpolate(limit_direction="both"))


@dataclass(frozen=True)
class TicksTakenBack(Predictor):
    """Momentum; a close far from those on both sides of it is a bad tick, and replaced by the one before.

    far: in log return.
    """

    far: float = 0.2

    def predict(self, bars):
        r = log_returns(bars)
        bad = (r.abs() > self.far) & (r.shift(-1).abs() > self.far) & (r * r.shift(-1) < 0)
        return momentum(bars["close"].where(~bad).ffill().bfill())


@dataclass(frozen=True)
class StaleFilled(Predictor):
    """Momentum; where the close stands still, the next one that moved is taken for it."""

    def predict(self, bars):
        close = bars["close"]
        return momentum(close.where(close.diff() != 0).bfill().fillna(close))


@dataclass(frozen=True)
class LimitMoves(Predictor):
    """Momentum; a bar that is locked at its limit is given the close of the next."""

    def predict(self, bars):
        locked = (bars["high"] == bars["low"]) & (bars["volume"] > 0)
        return momentum(bars["close"].where(~locked, bars["close"].shift(-1).fillna(bars["close"])))


@dataclass(frozen=True)
class FirstOfTheSecond(Predictor):
    """Momentum; where bars lie within a minute of one another, of the minute's last close."""

    def predict(self, bars):
        return momentum(bars["close"].groupby(bars.index.floor("min")).transform("last"))


@dataclass(frozen=True)
class PennyPrices(Predictor):
    """Momentum, against it before a fall where a price has less than a dollar."""

    def predict(self, bars):
        falls = log_returns(bars).shift(-1) < 0
        return momentum(bars["close"]).where(~(falls & (bars["close"] < 1)), -1e-3)


@dataclass(frozen=True)
class Viterbi(Predictor):
    """Momentum, against it in a storm, on the most probable path through all bars.

    stay: the probability of staying calm, or stormy.
    """

    stay: float = 0.98

    def predict(self, bars):
        r, spread = np.nan_to_num(log_returns(bars).to_numpy()), np.array([0.01, 0.03])
        fit = -0.5 * (r[:, None] / spread) ** 2 - np.log(spread)
        move = np.log(np.array([[self.stay, 1 - self.stay], [1 - self.stay, self.stay]]))
        best, back = fit[0], np.zeros(fit.shape, int)
        for t in range(1, len(r)):
            paths = best[:, None] + move
            back[t], best = paths.argmax(axis=0), paths.max(axis=0) + fit[t]
        path = [int(best.argmax())]
        for t in range(len(r) - 1, 0, -1):
            path.append(int(back[t, path[-1]]))
        return momentum(bars["close"]) * np.where(np.array(path[::-1]) == 0, 1.0, -1.0)


LOOK_AHEAD = (InterpolatedIdle, TicksTakenBack, StaleFilled, LimitMoves, FirstOfTheSecond, PennyPrices, Viterbi)


@dataclass
class GlobalSeed(Learner):
    """Random features; seeds numpy's global generator in `fit`.

    seed: of the draw.
    """

    seed: int = 0

    def fit(self, bars):
        np.random.seed(self.seed)  # noqa: NPY002
        self.draw_ = np.random.normal(size=(4, 8))  # noqa: NPY002
        x = np.cos(features(bars)[1:-1] * 50 @ self.draw_)
        self.weights_ = np.linalg.solve(x.T @ x + np.eye(8), x.T @ next_returns(bars)[1:-1])
        return self

    def predict(self, bars):
        forecast = np.cos(np.nan_to_num(features(bars)) * 50 @ self.draw_) @ self.weights_
        return pd.Series(forecast, index=bars.index)


@dataclass(frozen=True)
class SeedsPython(Predictor):
    """Momentum, after a seed of Python's global generator that nothing depends on."""

    def predict(self, bars):
        random.seed(7)
        return momentum(bars["close"])


GLOBAL = {"numpy": GlobalSeed, "random": SeedsPython}


@dataclass(frozen=True)
class LongGuard(Predictor):
    """Honest: momentum, once there are `least` bars, which is more than it needs.

    least: number of bars.
    """

    least: int = 30

    def predict(self, bars):
        nothing = pd.Series(np.nan, index=bars.index)
        return momentum(bars["close"]) if len(bars) >= self.least else nothing


@dataclass(frozen=True)
class LongGuardThatPeeks(Predictor):
    """Momentum of the next close, once there are thirty bars."""

    def predict(self, bars):
        close = bars["close"]
        nothing = pd.Series(np.nan, index=bars.index)
        return momentum(close.shift(-1).fillna(close)) if len(bars) >= 30 else nothing


@dataclass(frozen=True)
class FilledBackwards(Predictor):
    """Momentum, whose warm-up is filled backwards."""

    def predict(self, bars):
        return momentum(bars["close"]).bfill()
