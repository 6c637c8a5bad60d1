"""One door to all prices: a file, the local store, what is bundled, or Yahoo."""

from __future__ import annotations

import os.path
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from rollcast.backtests.data import doctor, store
from rollcast.backtests.data.adjust import ACTIONS, actions, as_bars
from rollcast.backtests.data.bundled import bundled, bundled_table
from rollcast.backtests.data.resample import resample, width_of
from rollcast.backtests.data.sessions import nights, spliced
from rollcast.backtests.data.table import ADJUSTMENTS, Adjust, Loaded, Table
from rollcast.predictors.bars import check_bars
from rollcast.predictors.registry import suggest

SOURCES = ("file", "store", "bundled", "yahoo")
ENDINGS = (".csv", ".txt", ".tsv", ".gz", ".zip", ".parquet", ".pq", ".xlsx", ".xls", ".ods")


def load(
    symbol: str,
    start: str | None = None,
    end: str | None = None,
    *,
    adjust: Adjust = "full",
    overnight: bool = False,
    source: str | None = None,
    columns: Mapping[str, str] | None = None,
    date_format: str | None = None,
    decimal: str | None = None,
    zone: str | None = None,
    repair: bool = False,
    snapshot: str | None = None,
    bar: str | None = None,
) -> Loaded:
    """The bars of a symbol between two dates, both included, and how they came to be.

    source: one of `SOURCES`; None for the first of file, store and bundled that has the symbol. "yahoo" downloads what
            the store lacks first.
    adjust: "full" multiplies prices so that returns include dividends and splits up to the last bar loaded; "none"
            leaves them as traded, beside the `actions`; "asof" likewise, with dividends and splits as columns for the
            account to book on their bars, while the predictor reads what "full" gives.
    overnight: whether the predictor reads the returns over the nights of bars with sessions.
    columns, date_format, decimal, zone: settle what a file leaves open, as `files.read_file` takes them.
    repair: mend what the doctor would stop for, and say how.
    snapshot: the rows of an earlier download, by its sha256 as a recipe holds it.
    bar: the size of bars to make of the symbol's own, such as 1h or 1wk, as `resample.width_of` takes it.

    Raises LookupError for an unknown symbol, file or snapshot; ValueError for an empty range, a file that cannot be
    read, bars that the doctor refuses, or a bar size they cannot make.
    """
    first, last = _asked(start, end, source, adjust, bar)
    told = {"columns": columns, "date_format": date_format, "decimal": decimal, "zone": zone}
    table = find_table(symbol, source, snapshot, None if last is None else last.end_time, told)
    table = _between(table, first, last, symbol, start, end)
    repairs: list[str] = []
    if repair:
        table, repairs = doctor.repair(table)
    findings = _diagnose(table, symbol)
    bars = as_bars(table.rows, adjust, symbol)
    whole = as_bars(table.rows, "full", symbol) if adjust == "asof" else bars
    acted, said = actions(table.rows), table.statements
    if bar is not None:
        coarse = [resample(each, acted, bar, table.exchange, symbol) for each in (bars, whole)]
        (bars, acted, made), (whole, *_) = coarse
        said = (*said, *made)
    if adjust == "asof":
        bars = bars.join(acted).fillna({"dividend": 0.0, "split": 1.0})
        said = (*said, "traded as of then: dividends and splits are booked on their dates")
    check_bars(bars, symbol)
    return Loaded(
        *(bars, as_read(whole, overnight), acted, table.origin, (*said, *_of_nights(bars, overnight))),
        *(tuple(findings), tuple(repairs), table.pin),
    )


def given(bars: pd.DataFrame, overnight: bool = False) -> Loaded:
    """Bars of one's own as `load` would hand them on: read adjusted where they carry actions, and without nights."""
    return Loaded(bars, as_read(adjusted(bars), overnight), pd.DataFrame(), "given")


def adjusted(bars: pd.DataFrame) -> pd.DataFrame:
    """Bars adjusted for the dividends and splits they carry; the very same where they carry none."""
    return as_bars(bars, "full", "bars") if set(ACTIONS) & set(bars) else bars


def as_read(bars: pd.DataFrame, overnight: bool = False) -> pd.DataFrame:
    """What a predictor reads of adjusted bars: without their nights, unless these are asked for."""
    return bars if overnight else spliced(bars)


def _of_nights(bars: pd.DataFrame, overnight: bool) -> list[str]:
    """What was done about the nights."""
    count = len(nights(bars))
    if not count:
        return []
    if overnight:
        return [f"{count} of {len(bars) - 1} returns are over a night, and read as they are, as asked"]
    return [f"{count} nights are left out of what the predictor reads; the account holds its position through them"]


def _asked(
    start: str | None, end: str | None, source: str | None, adjust: str, bar: str | None
) -> tuple[pd.Period | None, pd.Period | None]:
    if source not in (None, *SOURCES):
        raise LookupError(f"unknown source {source!r}. {suggest(source or '', SOURCES)}")
    if adjust not in ADJUSTMENTS:
        raise ValueError(f"adjust is one of {', '.join(ADJUSTMENTS)}, and not {adjust!r}")
    if bar is not None:
        width_of(bar)
    first, last = (None if text is None else period(text) for text in (start, end))
    if first and last and first.start_time > last.end_time:
        raise ValueError(f"start {start} is after end {end}")
    return first, last


def period(text: str) -> pd.Period:
    """The span of time a date names: a year, a month, a day or less. Raises ValueError for a text that is none."""
    try:
        span = pd.Period(text)
    except ValueError:
        span = pd.NaT
    if span is pd.NaT:
        raise ValueError(f"{text!r} is not a date; write it as 2020, 2020-06 or 2020-06-30")
    return span


def is_file(symbol: str) -> bool:
    """Whether a symbol means a file: its ending says so, or one of that name is there."""
    return symbol.lower().endswith(ENDINGS) or "/" in symbol or os.path.isfile(symbol)


def find_table(
    symbol: str,
    source: str | None,
    snapshot: str | None,
    end: pd.Timestamp | None,
    told: Mapping[str, Mapping[str, str] | str | None],
) -> Table:
    """The rows of a symbol before the doctor, from the first source that has it; arguments as `load` takes them."""
    if source == "file" or (source is None and is_file(symbol)):
        from rollcast.backtests.data import files

        return files.read_file(symbol, **told)  # type: ignore[arg-type]
    given = next((name for name, value in told.items() if value), None)
    if given is not None:
        raise ValueError(f"{given} settles how a file is read, and {symbol!r} is no file")
    if source == "yahoo":
        from rollcast.backtests.data import fetch

        said: tuple[str, ...] = ()
        if snapshot is None and fetch.needs_download(symbol, end):
            said = fetch.fetch(symbol).statements
        table = store.stored_table(fetch.canonical(symbol), snapshot)
        return replace(table, statements=tuple(dict.fromkeys([*table.statements, *said])))
    if source == "store" or snapshot is not None or (source is None and store.path_of(symbol).is_file()):
        return store.stored_table(symbol, snapshot)
    if symbol in bundled():
        return bundled_table(symbol)
    known = {*bundled(), *(store.stored_symbols() if source is None else ())}
    raise LookupError(f"unknown symbol {symbol!r}. {suggest(symbol, known)}")


def _between(
    table: Table,
    first: pd.Period | None,
    last: pd.Period | None,
    symbol: str,
    start: str | None,
    end: str | None,
) -> Table:
    """The rows between two dates; those without a date stay, for the doctor to find."""
    index = pd.DatetimeIndex(table.rows.index)
    inside = np.ones(len(index), bool)
    if first:
        inside &= np.asarray((index >= first.start_time) | index.isna())
    if last:
        inside &= np.asarray((index <= last.end_time) | index.isna())
    if not inside.any():
        raise ValueError(
            f"{symbol} has no bars from {start or 'its start'} to {end or 'its end'}; "
            f"it has {len(index)} from {index.min():%Y-%m-%d} to {index.max():%Y-%m-%d}"
        )
    if inside.all():
        return table
    return replace(table, rows=table.rows[inside], lines=None if table.lines is None else table.lines[inside])


def _diagnose(table: Table, symbol: str) -> list[str]:
    """What the doctor doubts. Raises ValueError for what it refuses, with the first offending dates.

    The calendar is asked for files only: of the store `data check` asks it, and the bundled prices were compared once.
    """
    found = doctor.examine(table)
    fatal = [finding for finding in found if finding.fatal]
    if fatal:
        more = f"; and {len(fatal) - 1} more kinds of damage" if len(fatal) > 1 else ""
        mend = " (--repair mends what it can, and says how)" if fatal[0].check != "empty" else ""
        raise ValueError(f"{symbol}: {fatal[0].sentence(table)}{more}{mend}")
    sentences = [finding.sentence(table) for finding in found]
    if table.pin.get("source") == "file":
        sentences += doctor.ask_calendar(table)
    return sentences
