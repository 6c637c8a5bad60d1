"""Leaks made to order, drawn by a seed: kinds × places × sizes, of predictors and of strategies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import backtrader as bt
import numpy as np
import pandas as pd

from rollcast import Predictor

Series = pd.Series
MEAN = 10  # bars of the honest part of a forecast, a mean of returns


def returns(bars: pd.DataFrame, column: str = "close") -> Series:
    """The log changes of a column, 0 where there is none."""
    values = np.log(bars[column].where(bars[column] > 0))
    return values.diff().replace([np.inf, -np.inf], 0.0).fillna(0.0)


# What of the future is read, about 0.01 in size.
KINDS: dict[str, Callable[[pd.DataFrame], Series]] = {
    "next return": lambda b: returns(b).shift(-1).fillna(0.0),
    "its sign": lambda b: 0.01 * np.sign(returns(b).shift(-1).fillna(0.0)),
    "next high": lambda b: np.log(b["high"].shift(-1) / b["close"]).fillna(0.0),
    "next open": lambda b: np.log(b["open"].shift(-1) / b["close"]).fillna(0.0),
    "next volume": lambda b: 0.01 * returns(b, "volume").shift(-1).fillna(0.0),
    "return 3 bars later": lambda b: returns(b).shift(-3).fillna(0.0),
    "return 9 bars later": lambda b: returns(b).shift(-9).fillna(0.0),
    "return 60 bars later": lambda b: returns(b).shift(-60).fillna(0.0),
    "centred mean": lambda b: returns(b).rolling(7, center=True, min_periods=1).mean(),
    "mean of all": lambda b: 0.0 * returns(b) + returns(b).mean(),
    "scale of all": lambda b: returns(b) * (0.01 / returns(b).std()),
    "highest of all": lambda b: 0.01 * b["close"] / b["close"].max(),
    "number of bars": lambda b: Series(0.01 * np.arange(len(b)) / len(b), b.index),
    "smoothed backwards": lambda b: returns(b)[::-1].ewm(span=5).mean()[::-1],
}


def _calm(b: pd.DataFrame) -> Series:
    return returns(b).rolling(20).std() < 0.007


# Where it is read.
PLACES: dict[str, Callable[[pd.DataFrame], Series]] = {
    "everywhere": lambda b: Series(True, b.index),
    "month ends": lambda b: Series(b.index.month, b.index).diff(-1).fillna(0) != 0,
    "Fridays": lambda b: Series(b.index.day_of_week == 4, b.index),
    "the 13th": lambda b: Series(b.index.day == 13, b.index),
    "one bar in 97": lambda b: Series(np.arange(len(b)) % 97 == 50, b.index),
    "after falls": lambda b: returns(b) < -0.015,
    "before falls": lambda b: returns(b).shift(-1) < -0.015,
    "busy bars": lambda b: b["volume"] > 2 * b["volume"].rolling(20).mean(),
    "calm times": _calm,
    "late": lambda b: Series(np.arange(len(b)) > 700, b.index),
    "one month": lambda b: Series((b.index.year == b.index.year[0] + 1) & (b.index.month == 3), b.index),
}
SIZES = (1.0, 1e-2, 1e-4)  # relative to the honest part


@dataclass(frozen=True)
class Planted(Predictor):
    """A mean of returns, and what it reads of the future. kind, place, size: keys of the tables above, and of SIZES."""

    kind: str = "next return"
    place: str = "everywhere"
    size: float = 1.0

    def __str__(self) -> str:
        return f"{self.kind}, {self.place}, {self.size:g}"

    def leaked(self, bars: pd.DataFrame) -> Series:
        """The part that looks ahead."""
        return self.size * KINDS[self.kind](bars).where(PLACES[self.place](bars), 0.0)

    def predict(self, bars: pd.DataFrame) -> Series:
        return returns(bars).rolling(MEAN).mean() + self.leaked(bars)

    def visible(self, bars: pd.DataFrame) -> bool:
        """Whether a re-run can show it here: some forecast but the last has a part of the future in it."""
        return bool((self.leaked(bars).iloc[MEAN:-1].abs() > 1e-9).any())


READS: dict[str, Callable[[bt.Strategy], bool]] = {
    "close[1]": lambda s: s.data.close[1] > s.data.close[0],
    "close[5]": lambda s: s.data.close[5] > s.data.close[0],
    "high[1]": lambda s: s.data.high[1] > s.data.close[0] * 1.004,
    "low[2]": lambda s: s.data.low[2] > s.data.close[0] * 0.996,
    "open[1]": lambda s: s.data.open[1] > s.data.close[0],
    "volume[1]": lambda s: s.data.volume[1] > s.data.volume[0],
    "forecast[1]": lambda s: s.data.forecast[1] > s.data.forecast[0],
    "close.array": lambda s: s.data.close.array[len(s)] > s.data.close[0],
    "close.get": lambda s: s.data.close.get(ago=1, size=1)[0] > s.data.close[0],
    "close(1)": lambda s: s.later[0] > s.data.close[0],
    "the feed's table": lambda s: s.data.p.dataname["close"].iloc[len(s)] > s.data.close[0],
    "buflen": lambda s: (s.data.buflen() - len(s)) % 9 > 4,
}
OPENS = ("close", "high", "low", "volume", "forecast")
WHEN: dict[str, Callable[[bt.Strategy], bool]] = {
    "at every bar": lambda s: True,
    "on Mondays": lambda s: s.data.datetime.date(0).weekday() == 0,
    "after falls": lambda s: s.data.close[0] < s.data.open[0] * 0.99,
    "one bar in 31": lambda s: len(s) % 31 == 11,
    "late": lambda s: len(s) > 300,
}
WEIGHTS = (0.05, 0.3, 0.9)


def strategy(read: str, when: str, weight: float) -> type[bt.Strategy]:
    """A strategy of backtrader's that holds `weight` where it knows that prices rise."""

    class Reader(bt.Strategy):
        def __init__(self) -> None:
            self.later = self.data.close(1) if read == "close(1)" else None

        def next(self) -> None:
            try:
                if not read.startswith("open: ") and WHEN[when](self):
                    self.order_target_percent(target=weight if READS[read](self) else 0.0)
            except IndexError:
                return

        def next_open(self) -> None:
            line = read.removeprefix("open: ")
            if line != read and WHEN[when](self):
                value = getattr(self.data.lines, line)[0]
                above = self.data.open[0] * (1.0 if line == "close" else 1.002)
                level = {"volume": 1e6, "forecast": 0.0}.get(line, above)
                self.order_target_percent(target=weight if not math.isnan(value) and value > level else 0.0)

    Reader.__name__ = Reader.__qualname__ = f"{read}, {when}, {weight:g}"
    return Reader


def planted(count: int, seed: int) -> Iterator[Planted | type[bt.Strategy]]:
    """`count` of all combinations, three predictors to one strategy, in a random order."""
    rng = np.random.default_rng(seed)
    models = [Planted(k, p, s) for k in KINDS for p in PLACES for s in SIZES]
    reads = [*READS, *(f"open: {line}" for line in OPENS)]
    rules = [(r, w, x) for r in reads for w in WHEN for x in WEIGHTS]
    n = count // 4
    yield from (models[k] for k in rng.permutation(len(models))[: count - n])
    yield from (strategy(*rules[k]) for k in rng.permutation(len(rules))[:n])
