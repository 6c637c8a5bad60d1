"""What is doubtful in bars that could be traded: feeds that hung, bad ticks, splits that nobody adjusted for.

A move is judged against the moves around it, by their median absolute deviation, which one wild day does not change.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .table import PRICES

STALE = 5  # equal bars in a row that suggest a feed that stopped
# the usual ratios of splits, also the other way round
RATIOS = np.array([5 / 4, 4 / 3, 3 / 2, 5 / 3, 2, 5 / 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100])
AROUND = 61  # bars whose moves are the usual ones
NORMAL = 0.6745  # of |z|, normal: the median
LARGE, LARGER = 8.0, 11.0  # a gap this many usual moves wide may be a split; the larger number is for closes alone
CALM = 3.0


def stale(rows: pd.DataFrame) -> np.ndarray:
    """Rows in a run of at least `STALE` bars with equal prices."""
    prices = np.column_stack([rows[price].to_numpy(float) for price in (*PRICES, "adj_close") if price in rows])
    same = np.r_[False, (np.diff(prices, axis=0) == 0).all(axis=1)]
    block = np.cumsum(~same)  # the number of the run a bar belongs to
    run = np.bincount(block)[block]
    return run >= STALE


def splits(rows: pd.DataFrame) -> np.ndarray:
    """Rows that open at the close before times or over one of `RATIOS`, far beyond the usual move, with none on record.

    Below two for one, where crashes are too, the bar must be a usual one otherwise: how it moves on from its open, its
    range and volume, and of closes alone the two moves after it, are as those around it.
    """
    close = rows["adj_close" if "adj_close" in rows else "close"].to_numpy(float)
    if len(close) < 20:
        return np.zeros(len(close), bool)
    within = np.log(rows["close"] / rows["open"]).to_numpy(float) if "open" in rows else np.zeros(len(close))
    move = np.diff(np.log(close), prepend=np.nan)
    far = np.abs(move) > np.log(1.15)
    if not far.any():  # as in bars of minutes, where the medians below take longer than reading them
        return far
    gap = move - within
    usual = _around(np.abs(move)) / NORMAL
    slack = np.where(np.abs(gap) > np.log(2.5), np.maximum(np.log(1.02), 1.5 * usual), np.log(1.02))
    near = np.abs(np.abs(gap)[:, None] - np.log(RATIOS)).min(axis=1) < slack
    calm = np.abs(within) < CALM * usual
    if "high" in rows:
        span = np.log(rows["high"] / rows["low"]).to_numpy(float)
        calm &= span < CALM * _around(span)
    if "volume" in rows and (rows["volume"] > 0).mean() > 0.9:
        traded = np.log(rows["volume"].where(rows["volume"] > 0)).to_numpy(float) + np.minimum(gap, 0)
        calm &= ~(traded > np.log(CALM) + _around(traded))
    if "open" not in rows:
        after = np.abs(np.c_[np.append(move[1:], 0), np.append(move[2:], [0, 0])]).max(axis=1)
        calm &= after < CALM * usual
    suspect = (
        near & (np.abs(gap) > (LARGE if "open" in rows else LARGER) * usual) & (calm | (np.abs(gap) > np.log(1.9)))
    )
    suspect &= (np.sign(gap) == np.sign(move)) & far
    if "split" in rows:
        suspect &= ~(rows["split"].to_numpy(float) > 0)
    return suspect


def spikes(rows: pd.DataFrame) -> np.ndarray:
    """Rows whose close moves by over half and whose next close takes back all but a tenth of that."""
    close = np.log(rows["close" if "close" in rows else "adj_close"].to_numpy(float))
    step = np.diff(close)
    spike = np.zeros(len(close), bool)
    if len(step) > 1:
        spike[1:-1] = (np.abs(step[:-1]) > np.log(1.5)) & (np.abs(step[:-1] + step[1:]) < 0.1 * np.abs(step[:-1]))
    return spike


def far_ends(rows: pd.DataFrame) -> np.ndarray:
    """Rows whose high or low is over half away from open and close, and 20 times as far as is usual."""
    if not set(PRICES) <= set(rows):
        return np.zeros(len(rows), bool)
    prices = np.log(rows[PRICES].to_numpy(float))
    body = prices[:, [0, 3]]
    reach = np.maximum(prices[:, 1] - body.max(axis=1), body.min(axis=1) - prices[:, 2])
    far = reach > np.log(1.5)
    return far & (reach > 20 * _around(reach)) if far.any() else far


def _around(values: np.ndarray) -> np.ndarray:
    """The median of the values around each, NaN left out."""
    return pd.Series(values).rolling(AROUND, center=True, min_periods=5).median().to_numpy()
