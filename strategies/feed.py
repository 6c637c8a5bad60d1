"""Bars that carry their forecast, as a backtrader feed."""

from __future__ import annotations

import array
import datetime
import math
from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

# backtrader counts days from 0001-01-01, which is day 1; numpy counts from 1970-01-01.
EPOCH = 719163
EPOCH_DATE = datetime.datetime(1970, 1, 1)
DAY = 86_400_000_000  # microseconds


class Line(bt.linebuffer.LineBuffer):
    """A line that is NaN before its first bar, where backtrader's wraps round to the last one, and so to the future."""

    def __getitem__(self, ago: int) -> float:
        place = self.idx + ago
        return self.array[place] if place >= 0 else math.nan


class ForecastFeed(bt.feeds.PandasData):
    """Bars with a `forecast` column, which rides on the bar it was made at.

    Same lines as `PandasData`, loaded a column at a time where the feed is preloaded and unfiltered; row by row, as the
    stock feed does, everywhere else.
    """

    lines: Any = ("forecast",)
    params: Any = (("forecast", "forecast"),)

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        for line in self.lines.lines:
            line.__class__ = Line

    def preload(self) -> None:
        plain = not (
            self._filters or self._ffilters or self._tzinput or self._barstack or self.p.fromdate or self.p.todate
        )
        if not plain:
            super().preload()
            return
        bars = self.p.dataname
        for name in self.getlinealiases():
            if name == "datetime":
                column = self._colmapping["datetime"]
                values = date_numbers(bars.index if column is None else bars.iloc[:, column])
            elif self._colmapping.get(name) is None:
                values = np.full(len(bars), np.nan)
            else:
                values = bars.iloc[:, self._colmapping[name]].to_numpy(float)
            getattr(self.lines, name).array = array.array("d", np.ascontiguousarray(values).tobytes())
        self._idx = len(bars)
        self._last()
        self.home()

    def _tick_nullify(self) -> None:
        """Nothing: ticks serve replayed and live bars, and without them the broker reads the bar's own prices."""

    def _tick_fill(self, force: bool = False) -> None:
        """Nothing, as above; a quarter of a run went into these two."""


class ActionFeed(ForecastFeed):
    """A `ForecastFeed` of prices as traded, with what the ex-dates did to a holding.

    dividend: cash for one unit held at the close before, 0 for none; split: new units per old, 1 for none.
    """

    lines: Any = ("dividend", "split")
    params: Any = (("dividend", "dividend"), ("split", "split"))


def date_numbers(index: Any) -> np.ndarray:
    """backtrader's numbers for a tz-naive DatetimeIndex, one vectorised pass; equal to `bt.date2num` of each."""
    microseconds = pd.DatetimeIndex(index).as_unit("us").asi8
    days, rest = np.divmod(microseconds, DAY)
    return days + EPOCH + rest / DAY


def date_of(number: float) -> datetime.datetime:
    """The date and time of a backtrader number, to the millisecond, which is what its digits hold."""
    return EPOCH_DATE + datetime.timedelta(milliseconds=round((number - EPOCH) * (DAY / 1000)))
