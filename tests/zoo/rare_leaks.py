"""Predictors that look ahead rarely, once, or by next to nothing."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rollcast import Predictor
from rollcast.predictors.bars import log_returns

CALLS: list[int] = []


def momentum(bars):
    return log_returns(bars).rolling(5).mean()


def tomorrow(bars):
    return log_returns(bars).shift(-1).fillna(0.0)


@dataclass(frozen=True)
class FirstCallOnly(Predictor):
    """Honest but for the first call in the process."""

    def predict(self, bars):
        CALLS.append(1)
        honest = momentum(bars)
        return honest.where(honest.isna() | (len(CALLS) > 1), tomorrow(bars))


@dataclass(frozen=True)
class BeforeCrash(Predictor):
    """Gets out the day before a fall of more than seven per cent."""

    def predict(self, bars):
        honest = momentum(bars)
        return honest.where((tomorrow(bars) >= -0.07) | honest.isna(), tomorrow(bars))


@dataclass(frozen=True)
class CalmMonthMiddles(Predictor):
    """Looks ahead on the 15th, where the day's volume is lower than the day before."""

    def predict(self, bars):
        honest = momentum(bars)
        middle = (bars.index.day == 15) & (bars["volume"] < bars["volume"].shift(1))
        return honest.where(~middle | honest.isna(), tomorrow(bars))


@dataclass(frozen=True)
class InterpolatedGaps(Predictor):
    """Momentum; bars without volume are no quotes, and are interpolated."""

    def predict(self, bars):
        close = np.log(bars["close"]).where(bars["volume"] > 0).interpolate(limit_direction="both")
        return close.diff(5) / 5


@dataclass(frozen=True)
class SignOfSmall(Predictor):
    """A sign of 1e-13 of the next return, and one per cent on every fiftieth bar."""

    def predict(self, bars):
        big = np.arange(len(bars)) % 50 == 0
        return pd.Series(np.where(big, 0.01, 1e-13 * np.sign(tomorrow(bars))), index=bars.index)


@dataclass(frozen=True)
class BeforeFalls(Predictor):
    """Gets out the day before a fall of more than two per cent."""

    def predict(self, bars):
        honest = momentum(bars)
        return honest.abs().where((tomorrow(bars) > -0.02) | honest.isna(), -0.01)


@dataclass(frozen=True)
class OneBarIn997(Predictor):
    """Looks ahead on one bar in 997."""

    def predict(self, bars):
        honest = momentum(bars)
        return honest.where((np.arange(len(bars)) % 997 != 500) | honest.isna(), tomorrow(bars))


RARE = (FirstCallOnly, BeforeCrash, CalmMonthMiddles, InterpolatedGaps, SignOfSmall, BeforeFalls, OneBarIn997)
