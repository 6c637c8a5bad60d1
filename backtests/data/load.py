"""The one way to all prices: of a file, the local store, the bundle, or Yahoo."""

from __future__ import annotations

import os.path
import sys
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ...predictors.bars import COLUMNS, check_bars
from ...predictors.registry import suggest
from . import doctor, store
from .adjust import ACTIONS, actions_in, as_bars
from .bundled import bundled, bundled_table
from .options import OF_FILES, DataOptions
from .recorded import settle
from .resample import resample
from .sessions import nights, spliced
from .table import Loaded, Table

ENDINGS = (".csv", ".txt", ".tsv", ".gz", ".zip", ".parquet", ".pq", ".feather", ".json", ".xlsx", ".xls", ".ods")


def load(symbol: str, options: DataOptions | None = None) -> Loaded:
    """The bars of a symbol, and a record of how they were made.

    Raises LookupError for an unknown symbol, file or snapshot; ValueError for an empty range, a file that cannot be
    read, bars that the doctor refuses, or a bar size they cannot make.
    """
    options = options or DataOptions()
    sys.audit("rollcast.load", symbol)  # a plugin that asks for prices is named, also where they are in memory already
    table = _between(settled(find_table(symbol, options), symbol, options), symbol, options)
    table, repairs = doctor.repair(table) if options.repair else (table, [])
    findings = _diagnose(table, symbol)
    prices = _prices(table, symbol, options)
    check_bars(prices.traded, symbol)
    return Loaded(
        bars=prices.traded,
        model_bars=for_model(prices.adjusted, options.overnight),
        actions=prices.actions,
        origin=table.origin,
        statements=(*table.statements, *prices.statements, *_night_statements(prices.traded, options.overnight)),
        findings=tuple(findings),
        repairs=tuple(repairs),
        pin=table.pin,
        adjusted=table.adjusted,
        cautions=(*table.cautions, *lacking(table)),
        missing=missing_in(table),
    )


def missing_in(table: Table) -> tuple[str, ...]:
    """The columns of bars that the rows lack."""
    return tuple(name for name in COLUMNS if name != "close" and name not in table.rows)


def lacking(table: Table) -> list[str]:
    """What the columns that are missing mean for a backtest, one sentence each."""
    missing = missing_in(table)
    sentences = []
    if "open" in missing:
        sentences.append("there are closes alone, and no opens: what is decided at a close is filled at the next close")
    if "volume" in missing:
        sentences.append("there is no volume: it is taken as 0")
    return sentences


def settled(table: Table, symbol: str, options: DataOptions) -> Table:
    """The table with the actions its prices lack. Raises ValueError for what contradicts, or `asof` cannot trade."""
    asof = options.adjust == "asof"
    try:
        table = settle(table, options.prices, needed=asof or "adj_close" not in table.rows)
    except ValueError as error:
        raise ValueError(f"{symbol}: {error}") from None
    if asof and (table.adjusted or "no").startswith("for"):
        raise ValueError(
            f"{symbol} holds prices adjusted {table.adjusted}, and --adjust asof trades prices as traded; take "
            "--adjust full, or a file of prices as traded with their dividends and splits"
        )
    return table


@dataclass(frozen=True)
class _Prices:
    """The bars of the size asked for: as the account trades them, and as adjusted for the predictor."""

    traded: pd.DataFrame
    adjusted: pd.DataFrame
    actions: pd.DataFrame
    statements: tuple[str, ...]


def _prices(table: Table, symbol: str, options: DataOptions) -> _Prices:
    """Rows that the doctor passed as adjusted and resampled bars."""
    asof = options.adjust == "asof"
    traded = as_bars(table.rows, options.adjust, symbol)
    adjusted_bars = as_bars(table.rows, "full", symbol) if asof else traded
    actions = actions_in(table.rows)
    statements: tuple[str, ...] = ()
    if options.bar is not None:
        adjusted_bars, *_ = resample(adjusted_bars, actions, options.bar, table.exchange, symbol)
        traded, actions, statements = resample(traded, actions, options.bar, table.exchange, symbol)
    if asof:
        traded = traded.join(actions).fillna({"dividend": 0.0, "split": 1.0})
        statements = (*statements, "prices are as traded; dividends and splits are booked on their dates")
    return _Prices(traded, adjusted_bars, actions, statements)


def from_bars(bars: pd.DataFrame, overnight: bool = False) -> Loaded:
    """A caller's own bars as `load` would return them: the predictor reads them adjusted and without nights."""
    return Loaded(bars, for_model(adjusted(bars), overnight))


def adjusted(bars: pd.DataFrame) -> pd.DataFrame:
    """Bars adjusted for the dividends and splits in their columns; the same object where they have none."""
    return as_bars(bars, "full", "bars") if set(ACTIONS) & set(bars) else bars


def for_model(bars: pd.DataFrame, overnight: bool = False) -> pd.DataFrame:
    """Adjusted bars as a predictor reads them: without the nights between sessions, unless `overnight`."""
    return bars if overnight else spliced(bars)


def _night_statements(bars: pd.DataFrame, overnight: bool) -> list[str]:
    """How the returns over nights were treated; empty for bars without nights."""
    count = len(nights(bars))
    if not count:
        return []
    if overnight:
        return [f"{count} of {len(bars) - 1} returns are over a night, and read as they are, as asked"]
    return [f"{count} nights are left out of what the predictor reads; the account holds its position through them"]


def is_file(symbol: str) -> bool:
    """Whether a symbol means a file: it has the ending of one, or a file of that name exists."""
    return symbol.lower().endswith(ENDINGS) or "/" in symbol or os.path.isfile(symbol)


def find_table(symbol: str, options: DataOptions) -> Table:
    """All rows of a symbol, before the doctor examined them, from the first source that has it.

    Raises LookupError for an unknown symbol, file or snapshot; ValueError for a file that cannot be read, and for
    options of files where the symbol is no file.
    """
    source = options.source
    if source == "file" or (source is None and is_file(symbol)):
        from . import files

        return files.read_file(symbol, options)
    inapplicable = next((name for name in OF_FILES if getattr(options, name)), None)
    if inapplicable is not None:
        raise ValueError(f"{inapplicable} settles how a file is read, and {symbol!r} is no file")
    if source == "yahoo":
        return _downloaded(symbol, options)
    if source == "store" or options.snapshot is not None or (source is None and store.path_of(symbol).is_file()):
        return store.stored_table(symbol, options.snapshot)
    if symbol in bundled():
        return bundled_table(symbol)
    known = {*bundled(), *(store.stored_symbols() if source is None else ())}
    raise LookupError(f"unknown symbol {symbol!r}. {suggest(symbol, known)}")


def _downloaded(symbol: str, options: DataOptions) -> Table:
    """The store's rows of a symbol, after a download of what it lacks."""
    from . import fetch

    statements: tuple[str, ...] = ()
    if options.snapshot is None and fetch.needs_download(symbol, options.last):
        statements = fetch.fetch(symbol).statements
    table = store.stored_table(fetch.canonical(symbol), options.snapshot)
    return replace(table, statements=tuple(dict.fromkeys([*table.statements, *statements])))


def _between(table: Table, symbol: str, options: DataOptions) -> Table:
    """The rows from start to end; those without a date stay, for the doctor to report."""
    index = pd.DatetimeIndex(table.rows.index)
    inside = np.ones(len(index), bool)
    if options.first is not None:
        inside &= np.asarray((index >= options.first) | index.isna())
    if options.last is not None:
        inside &= np.asarray((index <= options.last) | index.isna())
    if not inside.any():
        raise ValueError(
            f"{symbol} has no bars from {options.start or 'its start'} to {options.end or 'its end'}; "
            f"it has {len(index)} from {index.min():%Y-%m-%d} to {index.max():%Y-%m-%d}"
        )
    return table if inside.all() else table.select(inside)


def _diagnose(table: Table, symbol: str) -> list[str]:
    """The doctor's doubts, one sentence each. Raises ValueError for what it refuses, with the first offending dates.

    Only files are compared with the calendar here: the store is by `data check`, and the bundle was once.
    """
    findings = doctor.examine(table)
    fatal = [finding for finding in findings if finding.fatal]
    if fatal:
        more = f"; and {len(fatal) - 1} more kinds of damage" if len(fatal) > 1 else ""
        remedy = " (--repair mends what it can, and says how)" if fatal[0].check != "empty" else ""
        raise ValueError(f"{symbol}: {fatal[0].sentence(table)}{more}{remedy}")
    sentences = [finding.sentence(table) for finding in findings]
    if table.pin.get("source") == "file":
        sentences += doctor.compare_calendar(table)
    return sentences
