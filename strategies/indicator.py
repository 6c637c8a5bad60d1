"""A predictor as a backtrader indicator, for a cerebro of your own."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np
import pandas as pd

from .feed import DAY, EPOCH

FIELDS = ("open", "high", "low", "close", "volume")


class Forecast(bt.Indicator):
    """The forecast of any predictor, made at each bar of any feed with `open high low close volume`.

    predictor: an object with `predict(bars)`, such as `predictors.load("sma")`; NaN while it warms up.

    Two lines give an existing strategy a forecast, in every engine mode:

        from rollcast.strategies.indicator import Forecast
        self.forecast = Forecast(self.data, predictor=load("sma", window=20))   # in __init__; then self.forecast[0]

    With `runonce` (backtrader's default) the predictor is called once, on all bars: an honest one uses only bars up to
    each. Without it, it is called at every bar on the bars so far, which costs the square of their number.

    Nothing here keeps predictor or strategy from seeing the future: with `runonce` both have all bars. A predictor that
    looks ahead is found by `check`; a strategy shows what it reads of later bars by other orders where the cerebro is
    made with `preload=False, runonce=False`, which holds none. Only `backtest` compares the two by itself.
    """

    lines: Any = ("forecast",)
    params: Any = (("predictor", None),)

    def __init__(self) -> None:
        if not hasattr(self.p.predictor, "predict"):
            raise TypeError(f"Forecast needs predictor=..., an object with predict(bars); got {self.p.predictor!r}")
        self._whole: np.ndarray | None = None
        self._seen: list[tuple[float, ...]] = []

    def once(self, start: int, end: int) -> None:
        if self._whole is None:
            columns = (np.array(getattr(self.data.lines, name).array, dtype=float) for name in ("datetime", *FIELDS))
            self._whole = self._predict(np.column_stack(list(columns)))
        line = self.lines.forecast.array
        for i in range(start, end):
            line[i] = self._whole[i]

    def next(self) -> None:
        # Kept here, because the lines forget the past when backtrader saves memory.
        self._seen.append(tuple(getattr(self.data, name)[0] for name in ("datetime", *FIELDS)))
        self.lines.forecast[0] = self._predict(np.array(self._seen))[-1]

    def _predict(self, rows: np.ndarray) -> np.ndarray:
        """The forecast at every row of (date number, open, high, low, close, volume)."""
        # Date numbers are exact to a hundredth of a millisecond.
        stamps = np.round((rows[:, 0] - EPOCH) * (DAY / 1000)).astype("datetime64[ms]").astype("datetime64[us]")
        bars = pd.DataFrame(rows[:, 1:], index=pd.DatetimeIndex(stamps, name="date"), columns=list(FIELDS))
        return self.p.predictor.predict(bars.assign(volume=bars["volume"].fillna(0.0))).to_numpy(float)
