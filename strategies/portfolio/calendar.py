"""The bars of one name on the dates of all names."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..actions import NO_ACTION, actions_of

# What a name's bar is on a date of the panel.
UNLISTED, BAR, PAUSED, ENDED = 0.0, 1.0, 2.0, 3.0


def on_calendar(bars: pd.DataFrame, forecast: pd.Series, calendar: pd.DatetimeIndex) -> pd.DataFrame:
    """A name's bars, forecasts and status on every date of `calendar`.

    A date without a bar holds the last close four times, no volume and no forecast; before the first bar prices are 0.
    Bars that carry dividends and splits keep them, and there are none on a date without a bar.
    """
    rows = calendar.get_indexer(bars.index)
    last = np.full(len(calendar), -1)
    last[rows] = np.arange(len(bars))
    last = np.maximum.accumulate(last)  # the latest bar at every date, -1 before the first
    own = np.zeros(len(calendar), bool)
    own[rows] = True
    close = bars["close"].to_numpy(float)
    kept = np.where(last >= 0, close[last], 0.0)
    columns = {
        name: np.where(own, bars[name].to_numpy(float)[last], 0.0 if name == "volume" else kept)
        for name in ("open", "high", "low", "close", "volume")
    }
    columns["forecast"] = np.where(own, forecast.to_numpy(float)[last], np.nan)
    over = np.arange(len(calendar)) > rows[-1]
    columns["status"] = np.select([own, over, last >= 0], [BAR, ENDED, PAUSED], UNLISTED)
    acted = actions_of(bars)
    if acted is not None:
        columns |= {name: np.where(own, acted[name].to_numpy()[last], none) for name, none in NO_ACTION.items()}
    return pd.DataFrame(columns, index=calendar)
