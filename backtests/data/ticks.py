"""Which adjustment the digits of prices show: taken back, prices are in whole cents again, as they were traded.

Of 250 bars before the last action, the prices as they stand, with their splits taken back, and with splits and
dividends taken back:   b[s−1] = b[s] · (1 − D[s] / (p[s−1] / b[s] + D[s])),   raw[t] = p[t] / b[t] · Π_{s>t} R[s]

with the letters of `adjust`, D adjusted for splits as Yahoo's are. Prices that were rounded after they
were adjusted show nothing.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from .adjust import actions_in
from .table import PRICES

BARS = 250
CENT = 0.01
NEAR = 0.02  # of a cent, within which a price is one in whole cents
MOST, FEW = 0.95, 0.75  # the shares of prices in whole cents that decide


def adjusted_for(rows: pd.DataFrame) -> str:
    """ "splits", or "both" for splits and dividends, by which the prices are adjusted already; "" where none shows."""
    actions = actions_in(rows).reindex(rows.index).fillna({"dividend": 0.0, "split": 1.0})
    paid, ratio = actions["dividend"].to_numpy(float), actions["split"].to_numpy(float)
    kinds = [np.flatnonzero(kind) for kind in (paid != 0, ratio != 1)]
    last = min(int(places[-1]) for places in kinds if len(places))
    close = rows["close"].to_numpy(float)
    splits, dividends = 1.0, 1.0
    factors = np.ones((len(close), 2))
    for place in range(len(close) - 1, max(last - BARS, 0), -1):
        splits /= ratio[place]
        dividends *= 1 - paid[place] / (close[place - 1] / dividends + paid[place])
        factors[place - 1] = splits, splits * dividends
    window = slice(max(last - BARS, 0), last)
    prices = np.column_stack([rows[price].to_numpy(float)[window] for price in PRICES if price in rows])
    if len(prices) < 20 or _whole(prices) > FEW:
        return ""
    shares = [_whole(prices / factors[window, k][:, None]) for k in range(2)]
    if max(shares) < MOST or min(shares) > FEW:
        return ""
    return ("splits", "both")[int(np.argmax(shares))]


def _whole(prices: np.ndarray) -> float:
    """The share of prices in whole cents."""
    cents = prices / CENT
    return float((np.abs(cents - np.round(cents)) < NEAR).mean())
