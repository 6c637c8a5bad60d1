"""Bars that do not exist before their time: a feed that holds no later bar, and a strategy that sees only the open.

A strategy reads lines that backtrader has loaded whole, so that `close[1]` or `close.array` shows it tomorrow; and in
`next_open` the bar whose open has just been made is complete already. Here nothing later is there to be read.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import backtrader as bt
import pandas as pd

from .feed import ForecastFeed, date_numbers

# What of a bar is not known at its open.
LATER = ("high", "low", "close", "volume", "openinterest", "forecast")


def stream(rows: pd.DataFrame, kind: type[ForecastFeed]) -> ForecastFeed:
    """A feed of this kind that loads a bar of `rows` when its time comes, and holds none before."""
    columns = {name: rows[name].to_numpy(float) for name in rows.columns}
    bars = iter(zip(date_numbers(rows.index), *columns.values(), strict=True))  # out of a strategy's reach

    class Stream(kind):  # type: ignore[misc, valid-type]
        def _load(self) -> bool:
            bar = next(bars, None)
            if bar is None:
                return False
            for name, value in zip(("datetime", *columns), bar, strict=True):
                getattr(self.lines, name)[0] = value
            return True

    return Stream(dataname=rows.iloc[:0])


def at_the_open(host: type[bt.Strategy], hidden: Collection[str]) -> type[bt.Strategy]:
    """The same strategy, in whose `next_open` the `hidden` lines of today's bar are NaN."""

    class Opened(host):
        def _next_open(self) -> None:
            lines: list[Any] = [getattr(data.lines, name) for data in self.datas for name in hidden]
            values = [line[0] for line in lines]
            for line in lines:
                line[0] = math.nan
            try:
                super()._next_open()
            finally:
                for line, value in zip(lines, values, strict=True):
                    line[0] = value

    Opened.__name__, Opened.__qualname__ = host.__name__, host.__qualname__
    return Opened
