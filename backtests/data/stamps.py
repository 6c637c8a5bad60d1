"""From dates as written to the closes of bars in exchange time."""

from __future__ import annotations

import pandas as pd

from .calendars import DEFAULT, schedule
from .dates import Stamps, exchange_time
from .options import DataOptions

# whose files date a bar by its start, and those of markets that never close, whose times are UTC
BY_START = ("yfinance", "Binance", "ccxt", "ccxt or freqtrade", "freqtrade", "Databento", "MetaTrader")
ROUND_THE_CLOCK = ("Binance", "ccxt", "ccxt or freqtrade", "freqtrade")


def kind_of(form: str | None, stamps: str, options: DataOptions) -> str:
    """Whether times are the starts or the closes of bars: as the caller said, as the form has it, or the layout."""
    return options.stamps or ("start" if form in BY_START else stamps)


def bar_closes(
    stamps: Stamps, closes: Stamps | None, kind: str, zone: str | None, form: str | None = None
) -> tuple[pd.DatetimeIndex, list[str]]:
    """The bars' closes in exchange time, and statements: a date for bars of a day or more, a time for shorter ones.

    closes: a second column with the times of the closes; kind: "start" or "close", what the stamps are of a bar.
    form: whose file it is, as `columns.form_of` knows it.

    Raises ValueError for a zone that is none, and for midnights of another exchange written in UTC.
    """
    coin = zone is None and form in ROUND_THE_CLOCK and stamps.offset is not None
    index, statements = exchange_time(stamps, "UTC" if coin else zone)
    distance = pd.Series(index.sort_values()).diff()
    step = distance[distance > pd.Timedelta(0)].median()
    # A day that is still running may stand there twice, once with the time of its last trade.
    twice = int(index.normalize().duplicated().sum())
    daily = len(index) > 1 and step >= pd.Timedelta(hours=23) and twice <= len(index) // 20
    if daily:
        if zone is None and stamps.offset is not None and (stamps.offset == pd.Timedelta(0)).all():
            _refuse_midnights_elsewhere(stamps.wall, index)
        if (index != index.normalize()).any():
            statements = [*statements, "the time of day of daily bars was dropped"]
        return index.normalize(), statements
    if (index == index.normalize()).all() or pd.isna(step):
        return index, statements
    if closes is not None:
        wall, _ = exchange_time(Stamps(closes.wall.ceil("s"), closes.offset, []), "UTC" if coin else zone)
        return wall, [*statements, "bars are dated by their close time"]
    if kind == "start":
        step = distance[distance > pd.Timedelta(0)].mode().iloc[0]
        ends = index + step
        if form == "yfinance" and stamps.offset is not None:
            ends = _within_sessions(index, ends)
        return ends, [*statements, f"bars were dated by their start; moved to their close, {step} later"]
    return index, [*statements, "times are taken as the bars' closes"]


def _within_sessions(starts: pd.DatetimeIndex, ends: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """The ends of bars, where New York closes while a bar runs its closing: the last of its hours is half an hour."""
    try:
        hours = schedule(DEFAULT, starts[0], starts[-1]).reindex(starts.normalize())
    except ValueError:  # days that the calendar does not cover
        return ends
    close = pd.DatetimeIndex(hours["close"])
    return ends.where(~((starts < close) & (close < ends)), close)


def _refuse_midnights_elsewhere(utc: pd.DatetimeIndex, local: pd.DatetimeIndex) -> None:
    """Raises ValueError for days of an exchange to the east, whose Mondays are Sundays in UTC or in New York.

    utc, local: as written, and as converted.
    """
    for wall, where in ((utc, "UTC"), (local, "New York's time")):
        sundays = wall[(wall.day_of_week == 6) & (wall != wall.normalize())]
        if len(sundays) and not (wall.day_of_week == 5).any():
            raise ValueError(
                f"there are bars on Sundays, at {sundays[0]:%H:%M} {where}, and none on Saturdays, as days of an "
                "exchange to the east have; say its zone, as in --time-zone Europe/London or Asia/Tokyo, or UTC if "
                "they are right"
            )
