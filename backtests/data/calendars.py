"""The sessions of exchanges, from exchange_calendars, and sessions counted from the bars themselves."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from exchange_calendars import ExchangeCalendar

DEFAULT = "XNYS"
MARGIN = pd.Timedelta(days=14)  # exchange_calendars refuses a range without a session
# sessions in a year of stocks, of currencies on five days a week, of markets that never close
USUAL = (252, 260, 365)
# Yahoo's name of an exchange → its calendar
YAHOO = {
    **dict.fromkeys(("NYQ", "NMS", "NGM", "NCM", "PCX", "ASE", "BTS", "NAS", "NYS"), "XNYS"),
    **{"LSE": "XLON", "IOB": "XLON", "GER": "XETR", "FRA": "XFRA", "PAR": "XPAR", "AMS": "XAMS", "BRU": "XBRU"},
    **{"MIL": "XMIL", "MCE": "XMAD", "EBS": "XSWX", "STO": "XSTO", "HEL": "XHEL", "CPH": "XCSE", "OSL": "XOSL"},
    **{"JPX": "XTKS", "HKG": "XHKG", "SHH": "XSHG", "SHZ": "XSHG", "KSC": "XKRX", "KOE": "XKRX", "TAI": "XTAI"},
    **{"ASX": "XASX", "TOR": "XTSE", "SAO": "BVMF", "NSI": "XBOM", "BSE": "XBOM", "SES": "XSES", "VIE": "XWBO"},
    **{"CCC": "24/7", "CCY": "24/5"},
}


def guess_exchange(index: pd.DatetimeIndex) -> str:
    """The calendar to assume for bars of no named exchange: 24/7 with over a fifth of bars on weekends, else XNYS."""
    return "24/7" if (index.day_of_week >= 5).mean() > 0.2 else DEFAULT


def schedule(exchange: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """The sessions of an exchange between two days, both included.

    Columns `open` and `close` in the exchange's time, without a zone; the index has the days of the sessions.

    Raises LookupError for an exchange that is not known, ValueError for days its calendar does not cover.
    """
    return _schedule(exchange, first.normalize(), last.normalize())


def zone_of(exchange: str) -> str:
    """The time zone of an exchange. Raises LookupError for one that is not known."""
    return str(_calendar(exchange).tz)


@lru_cache(maxsize=16)
def _schedule(exchange: str, first: pd.Timestamp, last: pd.Timestamp) -> pd.DataFrame:
    """As `schedule`, remembered for the last days asked for."""
    calendar = _calendar(exchange, first - MARGIN, last + MARGIN)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hours = calendar.schedule.loc[first:last]
        zoned = {side: hours[side].dt.tz_convert(calendar.tz).dt.tz_localize(None) for side in ("open", "close")}
        return pd.DataFrame(zoned, index=pd.DatetimeIndex(hours.index))


@lru_cache(maxsize=16)
def _calendar(exchange: str, first: pd.Timestamp | None = None, last: pd.Timestamp | None = None) -> ExchangeCalendar:
    """The calendar of an exchange between two days. Raises LookupError for an exchange that is not known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # exchange_calendars 4.13 uses what pandas 3.1 deprecates
        import exchange_calendars

        try:
            return exchange_calendars.get_calendar(exchange, start=first, end=last)
        except exchange_calendars.errors.InvalidCalendarName:
            raise LookupError(f"exchange_calendars knows no exchange {exchange!r}") from None


def session_starts(index: pd.DatetimeIndex) -> np.ndarray:
    """(T,) of bool: True at the first bar of every session, whose return is over a night and not over a bar.

    A session is the bars of one day where they are shorter than a day and pause for longer than a bar overnight; a
    market that never closes has one session, and daily or longer bars have none.
    """
    starts = np.zeros(len(index), bool)
    if len(index) < 2:
        return starts
    distance = np.diff(index.to_numpy())
    step = np.sort(distance)[len(distance) // 4]  # sessions of two bars have as many nights as bars
    if step >= np.timedelta64(23, "h"):
        return starts
    day = index.normalize().asi8
    starts[1:] = (np.diff(day) != 0) & (distance > step)
    starts[0] = starts.any()
    return starts


def sessions_per_year(index: pd.DatetimeIndex) -> int:
    """Sessions in a year, counted over the whole years that the index covers, back from its last bar.

    A count within sampling error of a usual number (252, 260, 365) is taken as that number: within 4/√years sessions,
    and at least 1.5. With less than a year of bars it is 365 where weekends are among them, else 252.
    """
    sessions = pd.DatetimeIndex(index.normalize().unique()).sort_values()
    years = int((sessions[-1] - sessions[0]) / pd.Timedelta(days=365.25))
    if years < 1:
        return 365 if (sessions.day_of_week >= 5).mean() > 0.1 else 252
    first = sessions[-1] - pd.DateOffset(years=years)
    count = (sessions > first).sum() / years
    slack = max(4 / np.sqrt(years), 1.5)
    near = [usual for usual in USUAL if abs(count - usual) <= slack]
    return near[0] if near else max(round(count), 1)
