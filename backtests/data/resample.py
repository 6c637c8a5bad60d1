"""Coarser bars made of finer ones: hours or days of minutes, weeks or months of days, never across sessions.

A bar has the open of its first source bar and the close and the date of its last, so that no date lies in the future. A
bar is made only once it is complete, so that later source bars do not change it.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from ...predictors.bars import COLUMNS
from .calendars import guess_exchange, schedule
from .gaps import partial_last

DAY, WEEK, MONTH = (pd.Timedelta(days=n) for n in (1, 7, 28))  # no month is shorter
NAMED = {"1d": DAY, "1wk": WEEK, "1mo": MONTH}
LONG = pd.Timedelta(hours=23)  # bars of this and more are of whole days
INSTANT = pd.Timedelta(1, "ns")


def width_of(bar: str) -> pd.Timedelta:
    """The length of a bar size, 28 days for a month. Raises ValueError for a text that is no bar size."""
    if bar in NAMED:
        return NAMED[bar]
    match = re.fullmatch(r"([1-9]\d{0,3})([mh])", bar)
    width = pd.Timedelta(minutes=int(match[1]) * (60 if match[2] == "h" else 1)) if match else DAY
    if width >= DAY:
        raise ValueError(f"{bar!r} is no bar size; write it as 5m, 15m, 30m, 1h, 1d, 1wk or 1mo")
    return width


def name_of(width: pd.Timedelta) -> str:
    """The bar size of a length, as `width_of` reads it."""
    minutes = round(width / pd.Timedelta(minutes=1))
    short = f"{minutes // 60}h" if minutes % 60 == 0 else f"{minutes}m"
    named = {length: name for name, length in NAMED.items()}
    return short if width < LONG else named.get(width, f"{width.days} days")


def resample(
    bars: pd.DataFrame, actions: pd.DataFrame, bar: str, exchange: str | None = None, name: str = "the data"
) -> tuple[pd.DataFrame, pd.DataFrame, tuple[str, ...]]:
    """Bars of another size, the dividends and splits on them, and statements; all unchanged for the bars' own size.

    actions: `dividend` and `split` by the date of a source bar; they move to the bar that it is part of.
    exchange: whose sessions they are; None where it is not known, and sessions are the days of the bars.
    name: of the symbol, for messages.

    Raises ValueError for a size that is finer than the source's, or that its bars do not divide, and for bars too few
    to make one of.
    """
    index = pd.DatetimeIndex(bars.index)
    width, source = width_of(bar), _source_width(index, name)
    if width == source:
        return bars, actions, ()
    _refuse(width, source, name)
    days = index.normalize() if source >= LONG else (index - INSTANT).normalize().as_unit(index.unit)
    hours = None if source >= LONG else _hours(exchange, days)
    bins, whole = (
        _within(index, days, hours, width, source) if width < DAY else _over(index, days, hours, bar, exchange)
    )
    first = np.flatnonzero(np.r_[True, np.diff(bins) != 0])
    last = np.r_[first[1:], len(index)] - 1
    dates = (index if width < DAY else days)[last].rename(index.name)
    statements = [f"bars of {bar} made of {len(index):,} of {name_of(source)}"]
    if hours is None and source < LONG:
        statements.append("a session is a day from its first bar on, since no calendar is known for them")
    if not whole:
        until = str(dates[-1]).removesuffix(" 00:00:00")
        statements.append(f"left out: the last {last[-1] - first[-1] + 1}, to {until}, which may not be a whole bar")
        first, last, dates = first[:-1], last[:-1], dates[:-1]
    if dates.empty:
        raise ValueError(f"{name}: its {len(index)} bars do not make one whole bar of {bar}")
    return _joined(bars, first, last, dates), _moved(actions, index, last, dates), tuple(statements)


def _joined(bars: pd.DataFrame, first: np.ndarray, last: np.ndarray, dates: pd.DatetimeIndex) -> pd.DataFrame:
    """One bar of the source bars from each position in `first` to that in `last`, both included."""
    values = {column: bars[column].to_numpy()[: last[-1] + 1] for column in COLUMNS}
    return pd.DataFrame(
        {
            "open": values["open"][first],
            "high": np.maximum.reduceat(values["high"], first),
            "low": np.minimum.reduceat(values["low"], first),
            "close": values["close"][last],
            "volume": np.add.reduceat(values["volume"], first),
        },
        index=dates,
    )


def _source_width(index: pd.DatetimeIndex, name: str) -> pd.Timedelta:
    """The most frequent distance of two bars; of days and longer ones, the length of their bar size.

    Raises ValueError for fewer than three bars.
    """
    if len(index) < 3:
        raise ValueError(f"{name}: {len(index)} bars are too few to make coarser ones of")
    step = pd.Series(index).diff().mode().iloc[0]
    if step < LONG or step > pd.Timedelta(days=31):
        return step
    return max(length for length in (DAY, WEEK, MONTH) if length <= max(step, DAY))


def _refuse(width: pd.Timedelta, source: pd.Timedelta, name: str) -> None:
    """Raises ValueError for a width finer than the source's, or one that the source's bars do not divide."""
    bar, source_bar = name_of(width), name_of(source)
    if width < source:
        raise ValueError(f"{name} has bars of {source_bar}, and none finer than that can be made; {bar} is")
    if (width < DAY and width % source) or (width == MONTH and source == WEEK):
        raise ValueError(f"{name} has bars of {source_bar}, which do not fill bars of {bar} without a rest")


def _hours(exchange: str | None, days: pd.DatetimeIndex) -> pd.DataFrame | None:
    """`open` and `close` of every bar's session, NaT on days without one; None where there is no calendar."""
    try:
        return None if exchange is None else schedule(exchange, days[0], days[-1]).reindex(days)
    except (LookupError, ValueError):
        return None


def _within(
    index: pd.DatetimeIndex, days: pd.DatetimeIndex, hours: pd.DataFrame | None, width: pd.Timedelta, step: pd.Timedelta
) -> tuple[np.ndarray, bool]:
    """The number of the coarser bar that every bar is part of, (T,), and whether the last of these is complete.

    Counted from the opening of each session; bars after its closing are counted from there.
    """
    stamps = index.to_numpy("datetime64[ns]")
    begins = np.r_[True, np.diff(days.asi8) != 0]
    own = (stamps[begins] - step.to_timedelta64())[np.cumsum(begins) - 1]
    if hours is None:
        anchor, closing = own, np.full(len(stamps), np.datetime64("NaT", "ns"))
    else:
        opening, closing = (hours[side].to_numpy("datetime64[ns]") for side in ("open", "close"))
        anchor = np.where(np.isnat(opening), own, opening)
    late = stamps > closing  # never where there is no closing
    anchor = np.where(late, closing, anchor)
    place = -((anchor - stamps) // width.to_timedelta64())  # ceil
    begins |= np.r_[False, (np.diff(place) != 0) | np.diff(late)]
    end = anchor[-1] + place[-1] * width.to_timedelta64()
    if not late[-1] and end > closing[-1]:
        end = closing[-1]
    return np.cumsum(begins), bool(stamps[-1] >= end)


def _over(
    index: pd.DatetimeIndex, days: pd.DatetimeIndex, hours: pd.DataFrame | None, bar: str, exchange: str | None
) -> tuple[np.ndarray, bool]:
    """The number of the day, week or month of every bar, (T,), and whether the last of these is complete."""
    last = days[-1]
    if bar == "1d":
        bins, end = days.as_unit("s").asi8 // 86_400, last
    elif bar == "1wk":
        bins, end = (days.as_unit("s").asi8 // 86_400 + 3) // 7, last + pd.Timedelta(days=6 - last.day_of_week)
    else:
        bins, end = days.year.to_numpy() * 12 + days.month.to_numpy(), last + pd.offsets.MonthEnd(0)
    return bins, _day_over(index, days, hours, exchange) and not _sessions_left(days, end, exchange)


def _day_over(
    index: pd.DatetimeIndex, days: pd.DatetimeIndex, hours: pd.DataFrame | None, exchange: str | None
) -> bool:
    """Whether the last bar is the last of its day: by the closing time, else by the latest time of earlier days."""
    if (index == days).all():
        return not partial_last(index, exchange or guess_exchange(index))
    close = None if hours is None else hours["close"].to_numpy("datetime64[ns]")
    if close is not None and not np.isnat(close[-1]) and not (index.to_numpy() > close).any():
        return bool(index[-1] >= close[-1])
    times, before = index - days, days < days[-1]
    return bool(before.any() and times[-1] >= times[before].max())


def _sessions_left(days: pd.DatetimeIndex, end: pd.Timestamp, exchange: str | None) -> bool:
    """Whether another session may follow until `end`: by the calendar, else on weekdays, and on weekends with bars."""
    rest = pd.date_range(days[-1] + DAY, end)
    if rest.empty:
        return False
    try:
        if exchange is not None:
            return len(schedule(exchange, rest[0], rest[-1])) > 0
    except (LookupError, ValueError):
        pass
    return bool((rest.day_of_week < 5).any() or (days.day_of_week >= 5).any())


def _moved(actions: pd.DataFrame, index: pd.DatetimeIndex, last: np.ndarray, dates: pd.DatetimeIndex) -> pd.DataFrame:
    """Dividends and splits on the coarser bars of their dates.

    A dividend after a split within one coarser bar is converted to one per share held before the split.
    """
    if actions.empty:
        return actions
    place = np.searchsorted(last, index.get_indexer(pd.DatetimeIndex(actions.index)))
    before = actions["split"].groupby(place).cumprod() / actions["split"]
    moved = pd.DataFrame({"dividend": actions["dividend"] * before, "split": actions["split"]})
    moved = moved.groupby(place).agg({"dividend": "sum", "split": "prod"})
    moved = moved[moved.index < len(dates)]
    return moved.set_index(dates[moved.index])
