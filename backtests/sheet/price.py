"""The price with its forecasts and trades: data of the interactive chart, a still for paper, and a table in its place.

Notation: c close, b the close before a bar in the bar's own terms, f forecast of the log return after a bar,
p[i] = b[i]·exp(f[i-1]) the price forecast for bar i, c/p - 1 its error. b[i] is c[i-1], but for a night that was left
out or an ex-date: then it is what makes c/b the return that was read, such as the open after a night. Of very many bars
the chart has candles of several each, never across a session; the forecast and the error of a candle are those of its
last bar.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.data.calendars import session_starts
from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.sheet.svg import Chart, Plot, date_ticks, log_ticks, spanned
from rollcast.backtests.sheet.words import day, number, percent

MOST_CANDLES = 50_000  # more than any browser scrolls well
TOGETHER = (5, 10, 15, 30, 60, 120, 240)  # bars to a candle
MOST_ROWS = 120  # of the table that stands in for the chart
OHLC = {"open": "first", "high": "max", "low": "min", "close": "last", "forecast": "last"}


@dataclass(frozen=True)
class Price:
    """What the section shows.

    data: read by price.js; rows: date, open, high, low, close, forecast, error, as text; together: bars to a candle;
    index: whether it is the equal-weight index of a panel, on which nothing was traded.
    """

    label: str
    data: dict[str, Any]
    still: Chart
    rows: list[tuple[str, ...]]
    every: str
    together: int
    index: bool


def price(result: Result) -> Price:
    """The price section of a result."""
    bars, dates = result.bars, result.bars.index
    many = result.market.portfolio
    trades = "" if many else f", {len(result.trades):,} trades"
    label = (
        f"Candlestick chart of {len(bars):,} bars from {day(dates[0])} to {day(dates[-1])}, with the price "
        f"forecast for each bar{trades} and the error of each forecast below"
    )
    every, rows = _table(result)
    together, _ = _candles(pd.DatetimeIndex(dates))
    return Price(label, chart_data(result), _still(result), rows, every, together, many)


def price_forecast(result: Result) -> pd.Series:
    """p on every bar of the result, NaN where nothing was forecast for it."""
    before = _before(result)
    return before * np.exp(result.forecast.reindex(before.index).shift(1))


def _before(result: Result) -> pd.Series:
    """b of every bar, NaN of the first."""
    close = result.bars["close"]
    if result.model_bars is result.bars:
        return close.shift(1)
    read = result.model_bars["close"]
    return close * (read.shift(1) / read)


def refits(result: Result) -> np.ndarray:
    """Positions of the bars at whose close a learner was refitted; none for one that never is, or by name."""
    model = result.recipe["predictor"]
    if "learner" not in model or result.market.portfolio:
        return np.empty(0, int)
    return np.arange(model["train"] - 1, len(result.bars), model["every"])


def chart_data(result: Result) -> dict[str, Any]:
    """Whole numbers: prices in units of 10^-digits and, like the dates, as differences; forecasts in 1e-6.

    t: dates in `unit` seconds, the first since 1970, then differences; c: closes likewise; o, h, l: less the close.
    first: bar of the first forecast in f, which is log(p/c) of the next p. r: bars of the refits.
    m: [bar, 1 long or -1 short entry or 0 exit].
    p: [bar, side held from its close on].
    """
    together, candle = _candles(pd.DatetimeIndex(result.bars.index))
    bars, forecasts = _joined(result, candle) if together > 1 else (result.bars, _from_close(result))
    seconds = pd.DatetimeIndex(bars.index).as_unit("s").asi8
    unit = next(each for each in (86_400, 60, 1) if not (seconds % each).any())
    digits = min(10, max(2, 3 - math.floor(math.log10(float(bars["close"].min())))))
    whole = (bars[["open", "high", "low", "close"]] * 10.0**digits).round().astype("int64")
    close = whole["close"].to_numpy()
    first = int(result.bars.index.get_loc(result.forecast.index[0]))
    side = _sides(result).astype(int).to_numpy()
    change = np.flatnonzero(np.diff(np.r_[0, side]))
    return {
        "unit": unit,
        "digits": digits,
        "year": round(result.metrics["bars_per_year"] * len(bars) / len(result.bars)),
        "t": np.diff(seconds // unit, prepend=0).tolist(),
        "c": np.diff(close, prepend=0).tolist(),
        **{column[0]: (whole[column].to_numpy() - close).tolist() for column in ("open", "high", "low")},
        "first": int(candle[first]),
        "f": (forecasts * 1e6).round().clip(-1e9, 1e9).astype("int64").tolist(),
        "m": [] if result.market.portfolio else [[int(candle[i]), kind] for i, kind in _markers(result)],
        "p": [[int(candle[first + i]), int(side[i])] for i in change],
        "r": np.unique(candle[refits(result)]).tolist(),
    }


def _sides(result: Result) -> pd.Series:
    """1 long, -1 short, 0 flat at every close; of an index nothing is ever held."""
    if result.market.portfolio:
        return pd.Series(0.0, index=result.positions.index)
    return np.sign(result.positions.iloc[:, 0])


def _candles(dates: pd.DatetimeIndex) -> tuple[int, np.ndarray]:
    """Bars to a candle, 1 unless there are very many, and the candle of every bar."""
    place = np.arange(len(dates))
    starts = np.flatnonzero(session_starts(dates))
    begins = np.r_[0, starts[starts > 0]]
    within = place - np.repeat(begins, np.diff(np.r_[begins, len(dates)]))
    for together in (1, *TOGETHER):
        candle = np.cumsum(within % together == 0) - 1
        if candle[-1] < MOST_CANDLES:
            break
    return together, candle


def _from_close(result: Result) -> pd.Series:
    """log(p/c) of the next bar's p, at every bar of the window."""
    step = np.log(_before(result).shift(-1) / result.bars["close"]).fillna(0.0)
    return result.forecast + step.loc[result.forecast.index]


def _joined(result: Result, candle: np.ndarray) -> tuple[pd.DataFrame, pd.Series]:
    """The bars by candle, dated by their last, and the forecast that the close before a candle needs for its last p."""
    bars = result.bars.assign(date=result.bars.index, forecast=price_forecast(result))
    joined = bars.groupby(candle).agg(OHLC | {"date": "last"}).set_index("date")
    expected = np.log(joined["forecast"] / joined["close"].shift(1)).shift(-1)
    first = candle[result.bars.index.get_loc(result.forecast.index[0])]
    return joined, expected.iloc[first:].fillna(0.0)


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
    held = _sides(result).reindex(close.index).fillna(0)
    for sign, colour in ((1, "accent"), (-1, "bad")):
        plot.line(x, np.where(held == sign, bounds[0], np.nan), colour, "position")
    plot.line(x, np.log10(close), "ink")
    plot.rule(x=float(close.index.get_loc(result.forecast.index[0])))
    alt = f"The close from {number(close.iloc[0])} to {number(close.iloc[-1])}, lowest {number(close.min())}, highest "
    strip = "" if result.market.portfolio else "The strip at the foot: long (blue), short (red). "
    reading = f"Close, on a logarithmic axis. {strip}Dashed: the first forecast."
    return plot.chart("still", "Price", reading, alt + number(close.max()))


def _table(result: Result) -> tuple[str, list[tuple[str, ...]]]:
    forecast = price_forecast(result)
    frame = result.bars.assign(forecast=forecast, error=result.bars["close"] / forecast - 1, date=result.bars.index)
    every = "bar"
    for name, rule in (("bar", ""), ("day", "D"), ("week", "W"), ("month", "ME"), ("quarter", "QE"), ("year", "YE")):
        table = (
            frame.resample(rule).agg(OHLC | {"error": "last", "date": "last"}).dropna(subset="close") if rule else frame
        )
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
