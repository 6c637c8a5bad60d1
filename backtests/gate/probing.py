"""What the probes of predictors and of windows have in common."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import fields
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd

from ...predictors import Learner, Predictor, WalkForward
from ...predictors.checks.subject import Subject

PERTURBED = ("cut off", "given other prices", "given other volume")
FEWEST, MOST = 6, 400  # combs at least and at most; as many cuts at least
WORK = 2_000_000  # function calls and bars predicted that a predictor is examined with


def fresh_copy(model: Predictor | Learner) -> Any:
    """An equal model from a second run of its module, where nothing is remembered."""
    fresh = Subject(model).fresh_copy()
    cls = type(fresh.learner if isinstance(fresh, WalkForward) else fresh)
    return cls(**{f.name: getattr(model, f.name) for f in fields(model) if f.init})  # type: ignore[arg-type]


def month_ends(index: pd.DatetimeIndex) -> np.ndarray:
    """The cuts after the last bar of every month."""
    return np.flatnonzero(np.diff(index.year * 12 + index.month)) + 1


def quarter_ends(index: pd.DatetimeIndex) -> np.ndarray:
    """The cuts after the last bar of every quarter."""
    return np.flatnonzero(np.diff(index.year * 4 + index.quarter)) + 1


def absolute_returns(bars: pd.DataFrame) -> np.ndarray:
    """|log return| of every bar, 0 for the first."""
    return np.nan_to_num(np.abs(np.diff(np.log(bars["close"].to_numpy(float)), prepend=np.nan)))


def work_of(function: Callable[[], object]) -> int:
    """The function calls of Python and of C that a call makes in this thread: its cost on any machine."""
    count, profiler = 0, sys.getprofile()

    def tally(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(tally)
    try:
        function()
    finally:
        sys.setprofile(profiler)
    return count


def notable_bars(bars: pd.DataFrame, reference: np.ndarray) -> list[np.ndarray]:
    """Positions of bars, of each kind the most extreme first.

    The kinds: the largest and smallest forecasts, returns, ranges, gaps and volumes, idle bars, ends of months and
    of quarters.
    """
    opened, high, low, close, volume = (bars[c].to_numpy(float) for c in ("open", "high", "low", "close", "volume"))
    before = np.append(close[:1], close[:-1])
    measures = (reference, np.log(close / before), np.log(high / low), np.log(opened / before), volume)
    orders = [np.argsort(np.nan_to_num(one), kind="stable") for one in measures]
    idle = np.flatnonzero((high == low) | (volume == 0))
    ends, quarters = month_ends(bars.index) - 1, quarter_ends(bars.index) - 1
    even = [some[np.linspace(0, len(some) - 1, min(len(some), 8)).astype(int)] for some in (idle, ends, quarters)]
    return [side for order in orders for side in (order[::-1], order)] + even
