"""What prices there are, and what is wrong with some of them: for `cli.py data`."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from . import doctor, store
from .bars import frequency, list_bars
from .load import find_table, lacking, settled
from .options import DataOptions


@dataclass(frozen=True)
class Checkup:
    """The findings on one symbol, one sentence each.

    fatal: what would stop a backtest; doubts: what would be listed on its sheet; repairs: what --repair would correct.
    origin, cautions, statements: as in `Table`.
    """

    origin: str
    cautions: tuple[str, ...]
    statements: tuple[str, ...]
    fatal: tuple[str, ...]
    doubts: tuple[str, ...]
    repairs: tuple[str, ...]


def check(symbol: str, options: DataOptions | None = None) -> Checkup:
    """The doctor's findings on all rows of a symbol, and those of the calendar.

    Raises LookupError for an unknown symbol, file or snapshot, ValueError for a file that cannot be read.
    """
    options = options or DataOptions()
    table = settled(find_table(symbol, options), symbol, options)
    findings = doctor.examine(table)
    fatal = [finding.sentence(table) for finding in findings if finding.fatal]
    doubts = [finding.sentence(table) for finding in findings if not finding.fatal]
    sound, repairs = doctor.repair(table) if fatal else (table, [])
    if not sound.rows.empty:
        doubts += doctor.compare_calendar(sound)
    return Checkup(
        table.origin, (*table.cautions, *lacking(table)), table.statements, tuple(fatal), tuple(doubts), tuple(repairs)
    )


def inventory() -> pd.DataFrame:
    """One row per symbol of the store and the bundle: the columns of `list_bars`, `source`, and the last download.

    A symbol in both is listed twice, and a backtest takes the store's. A damaged file has no dates.
    """
    stored = [_stored(symbol) for symbol in store.stored_symbols()]
    bundled = list_bars().reset_index().assign(source="bundled", downloaded="")
    if not stored:
        return bundled
    return pd.concat([pd.DataFrame(stored), bundled], ignore_index=True)


def _stored(symbol: str) -> dict[str, object]:
    """The row of a symbol of the store."""
    row: dict[str, object] = {"symbol": symbol, "source": "store", "prices": "raw+adjusted"}
    try:
        stored = store.read(symbol)
    except store.CorruptStore:
        return row | {"bars": 0, "first": pd.NaT, "last": pd.NaT, "frequency": "", "downloaded": "damaged"}
    index = pd.DatetimeIndex(stored.rows.index)
    return row | {
        "bars": len(index),
        "first": index[0],
        "last": index[-1],
        "frequency": frequency(index),
        "downloaded": stored.snapshots[-1].time,
    }
