"""Prices adjusted for dividends and splits: by the file's own adjusted close, or from the dividends and splits.

    a[t] = Π_{s>t} (1 − D[s] / C[s−1]) / R[s]

| letter | column | |
|---|---|---|
| C | close | as traded |
| D | dividend | cash on the ex-date s for one share as it was held at the close of s−1 |
| R | split | new shares per old on the ex-date s; 1 where there is none |

Reference: the CRSP and Yahoo convention, by which the adjusted return of an ex-date is C[s] / (C[s−1] − D[s]). It
differs from reinvesting at the closing price, (C[s] + D[s]) / C[s−1], by about D/C times the return of that day.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...predictors.bars import COLUMNS
from .table import PRICES

ACTIONS = ["dividend", "split"]


def factors(rows: pd.DataFrame) -> np.ndarray:
    """The factor a[t] by which the prices of every bar are multiplied, (T,), 1 at the last bar.

    Raises ValueError where a dividend is not less than the close before it.
    """
    close = rows["close"].to_numpy(float)
    dividend, ratio = _actions(rows)
    # a split of the same day comes after the dividend, so that D is of a share as held the day before
    steps = np.ones(len(close))
    steps[1:] = (1 - dividend[1:] / close[:-1]) / ratio[1:]
    if (steps <= 0).any():
        worst = rows.index[int(np.argmax(steps <= 0))]
        raise ValueError(f"the dividend of {worst:%Y-%m-%d} is not less than the close before it; check the file")
    return np.append(np.cumprod(steps[:0:-1])[::-1], 1.0)


def as_bars(rows: pd.DataFrame, adjust: str, name: str) -> pd.DataFrame:
    """Rows without fatal findings as bars, their prices adjusted as `DataOptions.adjust` says.

    "full" uses `adj_close` where there is one, else dividends and splits; the volume is adjusted for splits alone.
    "asof" gives the prices of "none", and requires a record of dividends or splits to book. Missing prices of a bar are
    its close, a missing volume is 0.   name: of the symbol, for messages.

    Raises ValueError for "none" and "asof" of a series of adjusted closes alone, for "asof" without a record, and for
    a dividend that is not less than the close before it.
    """
    if adjust != "full" and "close" not in rows:
        raise ValueError(f"{name} holds adjusted closes only; its raw prices are not there to trade")
    if adjust == "asof" and not set(ACTIONS) & set(rows):
        raise ValueError(f"{name} has no record of dividends and splits to book as of then; take --adjust full or none")
    bars = rows.copy()
    if "close" not in bars:
        bars["close"] = bars["adj_close"]
    for price in PRICES[:3]:
        if price not in bars:
            bars[price] = bars["close"]
    bars["volume"] = bars["volume"].fillna(0.0) if "volume" in bars else 0.0
    if adjust == "full" and "adj_close" in bars:
        scale = (bars["adj_close"] / bars["close"]).to_numpy(float)
    elif adjust == "full" and set(ACTIONS) & set(bars):
        scale = factors(bars)
        bars["volume"] *= np.append(np.cumprod(_actions(bars)[1][:0:-1])[::-1], 1.0)
    else:
        return bars[list(COLUMNS)].astype(float)
    for price in PRICES:
        bars[price] = bars[price] * scale
    return bars[list(COLUMNS)].astype(float)


def actions_in(rows: pd.DataFrame) -> pd.DataFrame:
    """The bars with a dividend or a split: `dividend` per share held the day before, `split` new shares per old."""
    dividend, ratio = _actions(rows)
    table = pd.DataFrame({"dividend": dividend, "split": ratio}, index=rows.index)
    return table[(dividend != 0) | (ratio != 1)]


def _actions(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The dividends and split ratios of all rows, both (T,): 0 and 1 where there is none."""
    none = np.zeros(len(rows))
    dividend, split = (rows[name].fillna(0).to_numpy(float) if name in rows else none for name in ACTIONS)
    return dividend, np.where(split > 0, split, 1.0)
