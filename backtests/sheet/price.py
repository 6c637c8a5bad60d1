"""The price with its forecasts and trades: data of the interactive chart, a still for paper, and a table in its place.

Notation: c close, b the close before a bar in the bar's own terms, f forecast of the log return after a bar,
p[i] = b[i]·exp(f[i-1]) the price forecast for bar i, c/p - 1 its error. b[i] is c[i-1], but for a night that was left
out or an ex-date: then it is what makes c/b the return that was read, such as the open after a night. Of very many bars
the chart has candles of several bars, never across a session; the forecast and the error of a candle are those of its
last bar.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..data.calendars import session_starts
from ..pipeline.result import Result
from .scales import log_ticks, padded_range
from .svg import WIDE, Chart, Plot, dated_plot
from .values import Cells, Context
from .words import day, number, percent

MOST_CANDLES = 50_000  # more than any browser scrolls well
CANDLE_SIZES = (1, 5, 10, 15, 30, 60, 120, 240)  # bars to a candle
MOST_ROWS = 120  # of the table that stands in for the chart
# What a row of the table is of where there are too many bars, from the shortest → its frequency as pandas names it.
LONGER_INTERVALS = {"day": "D", "week": "W", "month": "ME", "quarter": "QE", "year": "YE"}
OHLC = {"open": "first", "high": "max", "low": "min", "close": "last", "forecast": "last"}


@dataclass(frozen=True)
class Price:
    """What the section shows.

    label:       the chart in words.
    data:        read by price.js, as `chart_data` documents it.
    picture:     the chart where no script runs, on paper above all.
    rows:        of the table: date, open, high, low, close, forecast, error, as text; `interval` is what a row is of.
    candle_size: bars to a candle.
    is_index:    whether it is the equal-weight index of a panel, on which nothing was traded.
    """

    label: str
    data: Context
    picture: Chart
    rows: list[Cells]
    interval: str
    candle_size: int
    is_index: bool


def price(result: Result) -> Price:
    """The price section of a result."""
    dates, portfolio = pd.DatetimeIndex(result.bars.index), result.market.portfolio
    trades = "" if portfolio else f", {len(result.trades):,} trades"
    label = (
        f"Candlestick chart of {len(dates):,} bars from {day(dates[0])} to {day(dates[-1])}, with the price "
        f"forecast for each bar{trades} and the error of each forecast below"
    )
    interval, rows = _table(result)
    candle_size, _ = candles(dates)
    return Price(label, chart_data(result), _picture(result), rows, interval, candle_size, portfolio)


def price_forecast(result: Result) -> pd.Series:
    """p on every bar of the result, NaN where nothing was forecast for it."""
    before = _close_before(result)
    return before * np.exp(result.forecast.reindex(before.index).shift(1))


def _close_before(result: Result) -> pd.Series:
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


def chart_data(result: Result) -> Context:
    """The chart in whole numbers: prices in units of 10^-digits and, like the dates, as differences; forecasts in 1e-6.

    t: dates in `unit` seconds, the first since 1970, then differences; c: closes likewise; o, h, l: less the close.
    first: bar of the first forecast in f, which is log(p/c) of the next p. r: bars of the refits.
    m: [bar, 1 long or -1 short entry or 0 exit]. p: [bar, side of the position from its close on].
    """
    candle_size, candle = candles(pd.DatetimeIndex(result.bars.index))
    bars, forecasts = _bars_by_candle(result, candle) if candle_size > 1 else (result.bars, _from_close(result))
    unit, t = dates_as_differences(pd.DatetimeIndex(bars.index))
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
        "t": t,
        "c": np.diff(close, prepend=0).tolist(),
        **{column[0]: (whole[column].to_numpy() - close).tolist() for column in ("open", "high", "low")},
        "first": int(candle[first]),
        "f": (forecasts * 1e6).round().clip(-1e9, 1e9).astype("int64").tolist(),
        "m": [] if result.market.portfolio else [[int(candle[i]), kind] for i, kind in _markers(result)],
        "p": [[int(candle[first + i]), int(side[i])] for i in change],
        "r": np.unique(candle[refits(result)]).tolist(),
    }


def _sides(result: Result) -> pd.Series:
    """1 long, -1 short, 0 flat at every close; an index is never traded."""
    if result.market.portfolio:
        return pd.Series(0.0, index=result.positions.index)
    return np.sign(result.positions.iloc[:, 0])


def dates_as_differences(dates: pd.DatetimeIndex) -> tuple[int, list[int]]:
    """Seconds to a unit, and the dates in units: the first since 1970, then differences."""
    seconds = dates.as_unit("s").asi8
    unit = next(length for length in (86_400, 60, 1) if not (seconds % length).any())
    return unit, np.diff(seconds // unit, prepend=0).tolist()


def candles(dates: pd.DatetimeIndex) -> tuple[int, np.ndarray]:
    """Bars to a candle, 1 unless there are very many, and the candle of every bar."""
    place = np.arange(len(dates))
    starts = np.flatnonzero(session_starts(dates))
    starts = np.r_[0, starts[starts > 0]]
    place_in_session = place - np.repeat(starts, np.diff(np.r_[starts, len(dates)]))
    for size in CANDLE_SIZES:
        candle = np.cumsum(place_in_session % size == 0) - 1
        if candle[-1] < MOST_CANDLES:
            break
    return size, candle


def _from_close(result: Result) -> pd.Series:
    """log(p/c) of the next bar's p, at every bar of the window."""
    step = np.log(_close_before(result).shift(-1) / result.bars["close"]).fillna(0.0)
    return result.forecast + step.loc[result.forecast.index]


def _bars_by_candle(result: Result, candle: np.ndarray) -> tuple[pd.DataFrame, pd.Series]:
    """The bars by candle, dated by their last, and the forecast that the close before a candle needs for its last p."""
    bars = result.bars.assign(date=result.bars.index, forecast=price_forecast(result))
    candles = bars.groupby(candle).agg(OHLC | {"date": "last"}).set_index("date")
    expected = np.log(candles["forecast"] / candles["close"].shift(1)).shift(-1)
    first = candle[result.bars.index.get_loc(result.forecast.index[0])]
    return candles, expected.iloc[first:].fillna(0.0)


def _markers(result: Result) -> list[tuple[int, int]]:
    """The entries and exits of all trades, (bar, kind as in `chart_data`); of one bar the exits first."""
    trades, dates = result.trades, result.bars.index
    sides = np.where(trades["side"] == "long", 1, -1)
    entries = zip(dates.get_indexer(trades["entry_date"]).tolist(), sides.tolist(), strict=True)
    exit_dates = trades.loc[trades["exit_date"].notna(), "exit_date"]
    exits = [(int(i), 0) for i in dates.get_indexer(pd.DatetimeIndex(exit_dates))]
    return sorted([*entries, *exits], key=lambda marker: (marker[0], abs(marker[1])))


def log_price_plot(close: pd.Series, width: float, height: float) -> Plot:
    """A plot over bars of the common logarithm of a price, labelled in the price's units."""
    y = padded_range(np.log10(close))
    digits = 0 if close.min() >= 20 else 2 if close.min() >= 0.1 else 6
    return dated_plot(close.index, y, lambda v: number(10**v, digits), width, height, log_ticks(*y))


def _picture(result: Result) -> Chart:
    """The close, and at the foot of the frame a strip over the bars that ended with a position."""
    close = result.bars["close"]
    plot = log_price_plot(close, WIDE, 300)
    side = _sides(result).reindex(close.index).fillna(0)
    for sign, colour in ((1, "accent"), (-1, "bad")):
        plot.curve(np.where(side == sign, plot.y[0], np.nan), colour, "position")
    plot.curve(np.log10(close), "ink").rule(x=float(close.index.get_loc(result.forecast.index[0])))
    first, last, low, high = (number(p) for p in (close.iloc[0], close.iloc[-1], close.min(), close.max()))
    strip = "" if result.market.portfolio else "The strip at the foot: long (blue), short (red). "
    reading = f"Close, on a logarithmic axis. {strip}Dashed: the first forecast."
    return plot.chart("still", "Price", reading, f"The close from {first} to {last}, lowest {low}, highest {high}")


def _table(result: Result) -> tuple[str, list[Cells]]:
    """The shortest interval of which there are not too many, and a row for each."""
    forecast = price_forecast(result)
    frame = result.bars.assign(forecast=forecast, error=result.bars["close"] / forecast - 1, date=result.bars.index)
    interval, table = "bar", frame
    for longer, frequency in LONGER_INTERVALS.items():
        if len(table) <= MOST_ROWS:
            break
        interval = longer
        table = frame.resample(frequency).agg(OHLC | {"error": "last", "date": "last"}).dropna(subset="close")
    columns = ("open", "high", "low", "close", "forecast")
    return interval, [
        (day(row["date"]), *(number(row[name]) for name in columns), percent(row["error"], 2))
        for row in table.to_dict("records")
    ]
