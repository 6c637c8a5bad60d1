"""Bars with sessions, spliced for the predictor: price moves between sessions (nights) are removed from the returns.

    F[t] = Π_{s≤t} C[s−1] / O[s]      s the first bars of sessions, O open, C close; price read = F · price

The first return of a session is then log(C/O) of its own bar, which is what a fill at its open earns. A factor depends
on bars up to its own alone, and the first session has its own prices, so later bars do not change earlier values.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .calendars import session_starts
from .table import PRICES


def nights(bars: pd.DataFrame) -> np.ndarray:
    """Positions of the bars that follow a night: the first of every session but the first."""
    return np.flatnonzero(session_starts(pd.DatetimeIndex(bars.index))[1:]) + 1


def spliced(bars: pd.DataFrame) -> pd.DataFrame:
    """The bars without their nights; the same object where there are none."""
    after = nights(bars)
    close, opening = bars["close"].to_numpy(float), bars["open"].to_numpy(float)
    return _scaled(bars, after, close[after - 1] / opening[after])


def over_nights(bars: pd.DataFrame, gaps: np.ndarray) -> pd.DataFrame:
    """Spliced bars with overnight moves added again; gaps: open over previous close, one for each of `nights`."""
    return _scaled(bars, nights(bars), gaps)


def _scaled(bars: pd.DataFrame, after: np.ndarray, steps: np.ndarray) -> pd.DataFrame:
    """The bars with all prices from each position in `after` on multiplied by its step."""
    if not len(after):
        return bars
    step = np.ones(len(bars))
    step[after] = steps
    scale = np.cumprod(step)
    return bars.assign(**{price: bars[price] * scale for price in PRICES})
