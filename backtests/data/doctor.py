"""The data checks: what stops a backtest, what is only doubtful, and the repairs that --repair makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from . import doubts
from .table import PRICES, Table

Where = Callable[[pd.DataFrame], np.ndarray]
Mend = Callable[[Table, np.ndarray], Table]
SHOWN = 3  # dates named in a message
SLACK = 1e-9  # adjusted prices are products, which round


@dataclass(frozen=True)
class Finding:
    """The rows that fail one check.

    check: its name.   fatal: whether it stops a backtest.   words: the message, without the dates.
    where: (T,) of bool, True at the rows that fail.
    """

    check: str
    fatal: bool
    words: str
    where: np.ndarray

    def sentence(self, table: Table) -> str:
        """The words with the first offending dates, and the lines of the file they stood on."""
        places = np.flatnonzero(self.where)
        if not len(places):
            return self.words
        named = [_named(table, place) for place in places[:SHOWN]]
        more = f", … ({len(places)} of {len(table.rows)} bars)" if len(places) > SHOWN else ""
        return f"{self.words}: {', '.join(named)}{more}"


def examine(table: Table) -> list[Finding]:
    """The fatal findings of a table; where there is none, the doubtful ones. The calendar is not compared."""
    rows = table.rows
    if rows.empty:
        return [Finding("empty", True, "there are no bars", np.zeros(0, bool))]
    fatal = [Finding(check, True, words, find(rows)) for check, words, find in FATAL]
    fatal = [finding for finding in fatal if finding.where.any()]
    return fatal or [finding for finding in _doubts(rows) if finding.where.any()]


def compare_calendar(table: Table) -> list[str]:
    """Differences from the exchange's calendar, one sentence each, and whether the last bar may be unfinished.

    table: one without fatal findings.
    """
    from .calendars import guess_exchange
    from .gaps import against_calendar, partial_last

    index = pd.DatetimeIndex(table.rows.index)
    exchange = table.exchange or guess_exchange(index)
    findings = against_calendar(index, exchange, guessed=table.exchange is None)
    if partial_last(index, exchange):
        findings.append(f"the last bar, {index[-1]:%Y-%m-%d %H:%M}, may not be finished")
    return findings


def repair(table: Table) -> tuple[Table, list[str]]:
    """The table without its fatal damage, and one sentence for each repair that was made."""
    sentences: list[str] = []
    for words, find, mend in REPAIRS:
        where = find(table.rows)
        if where.any():
            sentences.append(Finding("repair", False, words, where).sentence(table))
            table = mend(table, where)
    return table, sentences


def _drop(table: Table, where: np.ndarray) -> Table:
    """The table without these rows."""
    return table.select(~where)


def _sort(table: Table, where: np.ndarray) -> Table:
    """The table in order of time; rows of one date keep their order."""
    return table.select(np.argsort(table.rows.index.asi8, kind="stable"))


def _raise_high(table: Table, where: np.ndarray) -> Table:
    """The table with every high at least the other prices of its bar."""
    return replace(table, rows=table.rows.assign(high=table.rows[PRICES].max(axis=1)))


def _lower_low(table: Table, where: np.ndarray) -> Table:
    """The table with every low at most the other prices of its bar."""
    return replace(table, rows=table.rows.assign(low=table.rows[PRICES].min(axis=1)))


def _clear_volume(table: Table, where: np.ndarray) -> Table:
    """The table with the volume of these rows set to 0."""
    return replace(table, rows=table.rows.assign(volume=table.rows["volume"].mask(where, 0.0)))


def _undated(rows: pd.DataFrame) -> np.ndarray:
    """Rows without a date."""
    return np.asarray(rows.index.isna())


def _backwards(rows: pd.DataFrame) -> np.ndarray:
    """Rows dated before the row above them."""
    return np.r_[False, np.diff(rows.index.asi8) < 0]


def _future(rows: pd.DataFrame) -> np.ndarray:
    """Rows dated after tomorrow, which in some time zone is today."""
    return np.asarray(rows.index > pd.Timestamp.now() + pd.Timedelta(days=1))


def _prices(rows: pd.DataFrame) -> np.ndarray:
    """All price columns of a table, (T, P), in the order open, high, low, close, adj_close."""
    present = [price for price in (*PRICES, "adj_close") if price in rows]
    return np.column_stack([rows[price].to_numpy(float) for price in present])  # (T, P)


def _missing(rows: pd.DataFrame) -> np.ndarray:
    """Rows on which some price is NaN or infinite."""
    return ~np.isfinite(_prices(rows)).all(axis=1)


def _not_positive(rows: pd.DataFrame) -> np.ndarray:
    """Rows on which some price is zero or negative."""
    prices = _prices(rows)
    return (np.isfinite(prices) & (prices <= 0)).any(axis=1)


def _high_too_low(rows: pd.DataFrame) -> np.ndarray:
    """Rows whose high is below another price, by more than rounding."""
    if "high" not in rows:
        return np.zeros(len(rows), bool)
    ohlc = _prices(rows)[:, :4]
    with np.errstate(invalid="ignore"):  # what is infinite is refused as missing
        return ohlc[:, 1] < ohlc.max(axis=1) - SLACK * np.abs(ohlc).max(axis=1)


def _low_too_high(rows: pd.DataFrame) -> np.ndarray:
    """Rows whose low is above another price, by more than rounding."""
    if "low" not in rows:
        return np.zeros(len(rows), bool)
    ohlc = _prices(rows)[:, :4]
    return ohlc[:, 2] > ohlc.min(axis=1) + SLACK * np.abs(ohlc).max(axis=1)


def _bad_volume(rows: pd.DataFrame) -> np.ndarray:
    """Rows whose volume is negative or infinite; a missing one is only doubtful."""
    if "volume" not in rows:
        return np.zeros(len(rows), bool)
    volume = rows["volume"].to_numpy(float)
    return (volume < 0) | np.isinf(volume)


# what stops a backtest: the name of the check, its message, the rows that fail it
FATAL: tuple[tuple[str, str, Where], ...] = (
    ("date", "a bar has no date", _undated),
    ("future", "a bar lies in the future", _future),
    ("duplicates", "bars share a date with an earlier one", lambda rows: np.asarray(rows.index.duplicated())),
    ("unsorted", "bars stand after later ones", _backwards),
    ("missing", "a price is missing", _missing),
    ("positive", "a price is not positive", _not_positive),
    ("ohlc", "the high is below another price", _high_too_low),
    ("ohlc", "the low is above another price", _low_too_high),
    ("volume", "the volume is negative or infinite", _bad_volume),
)
# in the order in which they must be made: the message, the rows, the repair
REPAIRS: tuple[tuple[str, Where, Mend], ...] = (
    ("dropped bars without a date", _undated, _drop),
    ("dropped for a date in the future", _future, _drop),
    ("sorted by date; these stood after later ones", _backwards, _sort),
    ("dropped for a later bar of the same date", lambda rows: np.asarray(rows.index.duplicated(keep="last")), _drop),
    ("dropped for a price that is missing", _missing, _drop),
    ("dropped for a price that is not positive", _not_positive, _drop),
    ("raised the high to the highest of the four prices", _high_too_low, _raise_high),
    ("lowered the low to the lowest of the four prices", _low_too_high, _lower_low),
    ("set a volume that cannot be to 0", _bad_volume, _clear_volume),
)


def _doubts(rows: pd.DataFrame) -> list[Finding]:
    """The findings that do not stop a backtest."""
    findings: list[Finding] = []
    if "volume" in rows:
        volume = rows["volume"].to_numpy(float)
        if not np.isnan(volume).all():
            findings.append(Finding("volume", False, "the volume is missing, and taken as 0", np.isnan(volume)))
        if (volume != 0).any():
            findings.append(Finding("zero volume", False, "nothing was traded", volume == 0))
    tests: tuple[tuple[str, str, Where], ...] = (
        ("stale", f"{doubts.STALE} or more equal bars in a row", doubts.stale),
        ("split", "a move like a split nobody adjusted for", doubts.splits),
        ("spike", "a jump of more than half that the next bar takes back", doubts.spikes),
        ("range", "a high or low far from open and close, as of other units", doubts.far_ends),
    )
    return findings + [Finding(check, False, words, test(rows)) for check, words, test in tests]


def _named(table: Table, place: int) -> str:
    """The date of a row as messages have it, with the line of its file."""
    stamp = table.rows.index[place]
    day = "no date"
    if not pd.isna(stamp):
        day = f"{stamp:%Y-%m-%d}" if stamp == stamp.normalize() else f"{stamp:%Y-%m-%d %H:%M}"
    return day if table.lines is None else f"{day} (row {table.lines[place]})"
