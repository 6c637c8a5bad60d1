"""The features of the built-in learners: causal, and scaled by the moments of the training slice alone.

Notation: t bar, c o h l v its close, open, high, low and volume; F features, L lookback in bars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from .bars import COLUMNS

FEATURES = ("return", "range", "gap", "volume")


def features(bars: pd.DataFrame, names: Sequence[str] = FEATURES) -> np.ndarray:
    """The named features of every bar, each a function of that bar and the one before, (bars, F). Row 0 is NaN.

    return: log(c[t] / c[t-1])         range:  log(h[t] / l[t])
    gap:    log(o[t] / c[t-1])         volume: log(v[t] / v[t-1]), 0 where either is zero
    """
    opening, high, low, close, volume = (bars[column].to_numpy(float) for column in COLUMNS)
    traded = np.r_[False, (volume[1:] > 0) & (volume[:-1] > 0)]
    log_close, log_volume = np.log(close), np.log(np.where(volume > 0, volume, 1.0))
    columns = {
        "return": np.diff(log_close, prepend=np.nan),
        "range": np.log(high / low),
        "gap": np.log(opening) - np.r_[np.nan, log_close[:-1]],
        "volume": np.where(traded, np.diff(log_volume, prepend=np.nan), 0.0),
    }
    rows = np.column_stack([columns[name] for name in names])
    rows[0] = np.nan
    return rows


def check_features(names: Sequence[str]) -> None:
    """Raises ValueError unless `names` are one or more known features, each once."""
    if not names or len(set(names)) != len(names) or not set(names) <= set(FEATURES):
        raise ValueError(f"features must be one or more of {', '.join(FEATURES)}, each once; got {', '.join(names)}")


def next_returns(bars: pd.DataFrame) -> np.ndarray:
    """The target `log(c[t+1] / c[t])` of every bar t, shape (bars,); NaN for the last, which has none."""
    return np.diff(np.log(bars["close"].to_numpy(float)), append=np.nan)


def lookbacks(rows: np.ndarray, lookback: int) -> np.ndarray:
    """The `lookback` rows that end at every row from `lookback - 1` on: a view of shape (rows - L + 1, L, F)."""
    return np.lib.stride_tricks.sliding_window_view(rows, lookback, axis=0).transpose(0, 2, 1)


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of each column, estimated on a training slice and applied to any rows."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> Self:
        """The scale of these rows without those that are NaN; a constant column has standard deviation 1."""
        std = np.nanstd(rows, axis=0)
        return cls(np.nanmean(rows, axis=0), np.where(std > 0, std, 1.0))

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """The rows in standard deviations from the mean."""
        return (rows - self.mean) / self.std

    def undo(self, scaled: np.ndarray) -> np.ndarray:
        """The inverse of `apply`."""
        return scaled * self.std + self.mean
