"""Compares bars with the calendar of their exchange: sessions without bars, bars outside sessions."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .calendars import schedule, zone_of

SHOWN = 3
DAY = pd.Timedelta(days=1)


def against_calendar(index: pd.DatetimeIndex, exchange: str, guessed: bool = False) -> list[str]:
    """Where these dates differ from the sessions of an exchange, one sentence each.

    guessed: the source does not name the exchange, and the sentences say that it is assumed.

    Bars of more than four days, and markets that never close, are compared with their own usual distance instead. A
    calendar that does not cover the dates is itself a finding.
    """
    if len(index) < 3:
        return []
    step = pd.Series(index).diff().median()
    if exchange == "24/7" or step > 4 * DAY:
        return _holes(index, step)
    name = f"{exchange} (assumed)" if guessed else exchange
    try:
        sessions = schedule(exchange, index[0], index[-1])
    except (LookupError, ValueError) as error:
        return [f"not compared with a calendar: {str(error).splitlines()[0]}"]
    days = pd.DatetimeIndex(index.normalize().unique())
    findings = [
        _some(f"sessions of {name} have no bar", sessions.index.difference(days)),
        _some(f"bars stand on days {name} was closed", days.difference(sessions.index)),
    ]
    if step < DAY:
        findings += _hours(index, sessions, name, step)
    return [sentence for sentence in findings if sentence]


def partial_last(index: pd.DatetimeIndex, exchange: str, now: pd.Timestamp | None = None) -> bool:
    """Whether the last bar's session, or its own time span, is not over yet.

    now: the time in UTC; the clock's by default. Raises LookupError for an exchange that is not known.
    """
    now = pd.Timestamp.now("UTC").tz_localize(None) if now is None else now
    last = index[-1]
    if last < now.normalize() - DAY:  # over in every time zone
        return False
    zone = "UTC" if exchange.startswith("24/") else zone_of(exchange)
    local = now.tz_localize("UTC").tz_convert(zone).tz_localize(None)
    if last != last.normalize() or last > local:
        return bool(last > local)
    if last < local.normalize():
        return False
    sessions = None if exchange.startswith("24/") else schedule(exchange, last, last)
    return sessions is None or bool(len(sessions) and sessions["close"].iloc[0] > local)


def _holes(index: pd.DatetimeIndex, step: pd.Timedelta) -> list[str]:
    """Bars missing by their own usual distance: gaps of over 1.6 times it."""
    distance = pd.Series(index).diff()
    wide = (distance > 1.6 * step).to_numpy()
    if not wide.any():
        return []
    missing = int((distance[wide] / step).round().sum() - wide.sum())
    after = index[np.flatnonzero(wide) - 1]
    return [_some(f"bars are missing ({missing} at the usual distance) after", after)]


def _hours(index: pd.DatetimeIndex, sessions: pd.DataFrame, name: str, step: pd.Timedelta) -> list[str]:
    """Bars outside the hours of their session, and sessions with fewer than four fifths of the usual bars.

    sessions: `open` and `close` by day, in the exchange's own time.
    """
    day = index.normalize()
    inside = day.isin(sessions.index)
    hours = sessions.reindex(day[inside])
    # a bar is dated by its close: after the opening, up to the closing
    outside = (index[inside] <= hours["open"].to_numpy()) | (
        index[inside] > hours["close"].to_numpy() + np.timedelta64(1, "m")
    )
    findings = []
    if outside.mean() > 0.5:
        findings.append(
            f"most bars lie outside the hours of {name}: the time zone is doubtful, or bars are dated by their start"
        )
    elif outside.any():
        findings.append(_some(f"bars lie outside the hours of {name}", index[inside][outside]))
    counts = pd.Series(1, index=day).groupby(level=0).size()
    short = counts[counts < 0.8 * counts.median()].index
    full = sessions["close"] - sessions["open"]
    # an early closing is no gap
    early = full[full < 0.9 * full.median()].index
    findings.append(_some("sessions have fewer than four fifths of their usual bars", short.difference(early)))
    return findings


def _some(words: str, dates: pd.DatetimeIndex) -> str:
    """A sentence with the number of these dates and the first of them; empty where there is none."""
    if not len(dates):
        return ""
    plain = (dates == dates.normalize()).all()
    named = ", ".join(f"{date:%Y-%m-%d}" if plain else f"{date:%Y-%m-%d %H:%M}" for date in dates[:SHOWN])
    return f"{len(dates)} {words}: {named}{', …' if len(dates) > SHOWN else ''}"
