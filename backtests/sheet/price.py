"""The price with its forecasts and trades: data of the interactive chart, a still for paper, and a table in its place.

Notation: c close, b the close before a bar in the bar's own terms, f forecast of the log return after a bar,
p[i] = b[i]·exp(f[i-1]) the price forecast for bar i, c/p - 1 its error. b[i] is c[i-1], but for a night that was left
out or an ex-date: then it is what makes c/b the return that was read, such as the open after a night.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from backtests.result import Result
from backtests.sheet.svg import Chart, Plot, date_ticks, log_ticks, spanned
from backtests.sheet.words import day, number, percent

MOST_ROWS = 120  # of the table that stands in for the chart
OHLC = {"open": "first", "high": "max", "low": "min", "close": "last", "forecast": "last", "error": "last"}


@dataclass(frozen=True)
class Price:
    """What the section shows. data: read by price.js; rows: date, open, high, low, close, forecast, error, as text."""

    label: str
    data: dict[str, Any]
    still: Chart
    rows: list[tuple[str, ...]]
    every: str


def price(result: Result) -> Price:
    """The price section of a result."""
    bars, dates = result.bars, result.bars.index
    label = (
        f"Candlestick chart of {len(bars):,} bars from {day(dates[0])} to {day(dates[-1])}, with the price "
        f"forecast for each bar, {len(result.trades):,} trades and the error of each forecast below"
    )
    every, rows = _table(result)
    return Price(label, chart_data(result), _still(result), rows, every)


def price_forecast(result: Result) -> pd.Series:
    """p on every bar of the result, NaN where nothing was forecast for it."""
    before = _before(result)
    return before * np.exp(result.forecasts.reindex(before.index).shift(1))


def _before(result: Result) -> pd.Series:
    """b of every bar, NaN of the first."""
    close = result.bars["close"]
    if result.seen is None:
        return close.shift(1)
    read = result.seen["close"]
    return close * (read.shift(1) / read)


def refits(result: Result) -> np.ndarray:
    """Positions of the bars at whose close a learner was refitted; none for a predictor that never is."""
    model = result.recipe["predictor"]
    if "learner" not in model:
        return np.empty(0, int)
    return np.arange(model["train"] - 1, len(result.bars), model["every"])


def chart_data(result: Result) -> dict[str, Any]:
    """Whole numbers: prices in units of 10^-digits and, like the dates, as differences; forecasts in 1e-6.

    t: dates in `unit` seconds, the first since 1970, then differences; c: closes likewise; o, h, l: less the close.
    first: bar of the first forecast in f, which is log(p/c) of the next p. r: bars of the refits.
    m: [bar, 1 long or -1 short entry or 0 exit].
    p: [bar, side held from its close on].
    """
    bars, dates = result.bars, result.bars.index
    seconds = dates.as_unit("s").asi8
    unit = next(each for each in (86_400, 60, 1) if not (seconds % each).any())
    digits = min(10, max(2, 3 - math.floor(math.log10(float(bars["close"].min())))))
    whole = (bars[["open", "high", "low", "close"]] * 10.0**digits).round().astype("int64")
    close = whole["close"].to_numpy()
    first = int(dates.get_loc(result.forecasts.index[0]))
    step = np.log(_before(result).shift(-1) / bars["close"]).fillna(0.0)
    forecasts = ((result.forecasts + step.loc[result.forecasts.index]) * 1e6).round().clip(-1e9, 1e9).astype("int64")
    side = np.sign(result.history["units"]).astype(int).to_numpy()
    change = np.flatnonzero(np.diff(np.r_[0, side]))
    return {
        "unit": unit,
        "digits": digits,
        "year": result.metrics["bars_per_year"],
        "t": np.diff(seconds // unit, prepend=0).tolist(),
        "c": np.diff(close, prepend=0).tolist(),
        **{column[0]: (whole[column].to_numpy() - close).tolist() for column in ("open", "high", "low")},
        "first": first,
        "f": forecasts.tolist(),
        "m": _markers(result),
        "p": [[first + int(i), int(side[i])] for i in change],
        "r": refits(result).tolist(),
    }


def _markers(result: Result) -> list[list[int]]:
    trades, dates = result.trades, result.bars.index
    sides = np.where(trades["side"] == "long", 1, -1)
    entries = zip(dates.get_indexer(trades["entry_date"]).tolist(), sides.tolist(), strict=True)
    closed = trades.loc[trades["exit_date"].notna(), "exit_date"]
    exits = [(int(i), 0) for i in dates.get_indexer(pd.DatetimeIndex(closed))]
    return [list(marker) for marker in sorted([*entries, *exits], key=lambda m: (m[0], abs(m[1])))]


def _still(result: Result) -> Chart:
    """The close, and the bars that had a position."""
    close = result.bars["close"]
    x = np.arange(len(close))
    bounds = spanned(np.log10(close))
    digits = 0 if close.min() >= 20 else 2 if close.min() >= 0.1 else 6
    plot = Plot(
        (0, len(close) - 1),
        bounds,
        date_ticks(close.index),
        lambda v: number(10**v, digits),
        width=860,
        height=300,
        y_ticks=log_ticks(*bounds),
    )
    held = result.history["units"].reindex(close.index).fillna(0)
    for sign, colour in ((1, "accent"), (-1, "bad")):
        plot.line(x, np.where(np.sign(held) == sign, bounds[0], np.nan), colour, "position")
    plot.line(x, np.log10(close), "ink")
    plot.rule(x=float(close.index.get_loc(result.forecasts.index[0])))
    alt = f"The close from {number(close.iloc[0])} to {number(close.iloc[-1])}, lowest {number(close.min())}, highest "
    reading = (
        "Close, on a logarithmic axis. The strip at the foot: long (blue), short (red). Dashed: the first forecast."
    )
    return plot.chart("still", "Price", reading, alt + number(close.max()))


def _table(result: Result) -> tuple[str, list[tuple[str, ...]]]:
    forecast = price_forecast(result)
    frame = result.bars.assign(forecast=forecast, error=result.bars["close"] / forecast - 1, date=result.bars.index)
    every = "bar"
    for name, rule in (("bar", ""), ("day", "D"), ("week", "W"), ("month", "ME"), ("quarter", "QE"), ("year", "YE")):
        table = frame.resample(rule).agg(OHLC | {"date": "last"}).dropna(subset="close") if rule else frame
        every = name
        if len(table) <= MOST_ROWS:
            break
    rows = [
        (
            day(row.date),
            *(number(v) for v in (row.open, row.high, row.low, row.close, row.forecast)),
            percent(row.error, 2),
        )
        for row in table.itertuples()
    ]
    return every, rows
