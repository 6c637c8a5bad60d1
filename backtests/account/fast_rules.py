"""The built-in trading rules for many variants at once.

Notation: T bars, N variants; forecast f, close and worth (T, 1 or N), parameters (1 or N,), decisions (T, 1 or N): the
weight decided at each close, NaN where `decide` would return None or is not asked. Worth is the close of what a unit of
the close before has become, dividend included.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TypeGuard

import numpy as np

from ...strategies.buy_and_hold import BuyAndHold
from ...strategies.long_flat import LongFlat
from ...strategies.long_short import LongShort
from ...strategies.proportional import Proportional
from ...strategies.rule import NameRule
from .hosts import Strategy

Parameters = Mapping[str, np.ndarray]
Rule = Callable[[np.ndarray, np.ndarray, np.ndarray, Parameters], np.ndarray]


def supports(strategy: Strategy) -> TypeGuard[type[NameRule]]:
    """Whether there is a rule for this very class; a subclass may decide otherwise and has none."""
    return isinstance(strategy, type) and strategy in RULES


def buy_and_hold(forecast: np.ndarray, close: np.ndarray, worth: np.ndarray, p: Parameters) -> np.ndarray:
    """1 wherever there is a forecast."""
    return np.where(np.isnan(forecast), np.nan, 1.0)


def long_flat(forecast: np.ndarray, close: np.ndarray, worth: np.ndarray, p: Parameters) -> np.ndarray:
    """`exposure` above the dead band, 0 below it."""
    return _band(forecast, p, np.zeros(1))


def long_short(forecast: np.ndarray, close: np.ndarray, worth: np.ndarray, p: Parameters) -> np.ndarray:
    """`exposure` above the dead band, its negative below it."""
    return _band(forecast, p, -p["exposure"])


def proportional(forecast: np.ndarray, close: np.ndarray, worth: np.ndarray, p: Parameters) -> np.ndarray:
    """(v/k) · f/σ² cut to ±`cap`, by the recursions of `strategies.proportional`."""
    step = 2 / (p["span"] + 1)
    # math.log, as the strategy has it: numpy's differs from it in the last bit.
    ratios = worth[1:] / close[:-1]
    change = np.array(list(map(math.log, ratios.ravel().tolist()))).reshape(ratios.shape)
    variance = _averages(change * change, step)
    variance = np.concatenate([np.full((1, variance.shape[1]), np.nan), variance])  # σ² (T, 1 or N)
    variance[variance == 0] = np.nan
    z = forecast / np.sqrt(variance)
    strength = _averages(z * z, step)  # k²
    weight = p["volatility_bps"] / 1e4 / np.sqrt(strength) * forecast / variance
    weight = np.where(strength == 0, 0.0, weight)
    lowest = np.where(p["short"] != 0, -p["cap"], 0.0)
    return np.where(np.isnan(z), np.nan, np.maximum(lowest, np.minimum(p["cap"], weight)))


def _band(forecast: np.ndarray, p: Parameters, below: np.ndarray) -> np.ndarray:
    band = p["dead_band_bps"] / 1e4
    return np.where(forecast > band, p["exposure"], np.where(forecast < -band, below, np.nan))


def _averages(values: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Exponential averages down each column from its first number on; NaN changes nothing."""
    averages = np.empty((len(values), max(values.shape[1], len(step))))
    average = np.full(averages.shape[1], np.nan)
    for t, value in enumerate(values):
        moved = average + step * (value - average)
        average = np.where(np.isnan(moved), np.where(np.isnan(average), value, average), moved)
        averages[t] = average
    return averages


RULES: dict[type, Rule] = {
    BuyAndHold: buy_and_hold,
    LongFlat: long_flat,
    LongShort: long_short,
    Proportional: proportional,
}
