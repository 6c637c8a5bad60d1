"""What prices there are, and what is wrong with some of them: for `cli.py data`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from rollcast.backtests.data import doctor, store
from rollcast.backtests.data.bars import frequency, list_bars
from rollcast.backtests.data.load import find_table


@dataclass(frozen=True)
class Checkup:
    """What the doctor and the calendar say of one symbol.

    fatal: what would stop a backtest; doubts: what would be listed on its sheet; repairs: what --repair would do.
    """

    origin: str
    statements: tuple[str, ...]
    fatal: tuple[str, ...]
    doubts: tuple[str, ...]
    repairs: tuple[str, ...]


def check(
    symbol: str,
    source: str | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    date_format: str | None = None,
    decimal: str | None = None,
    zone: str | None = None,
) -> Checkup:
    """Everything that is found in the whole of a symbol, the calendar asked too. Raises as `load` does."""
    told = {"columns": columns, "date_format": date_format, "decimal": decimal, "zone": zone}
    table = find_table(symbol, source, None, None, told)
    found = [(finding.fatal, finding.sentence(table)) for finding in doctor.examine(table)]
    fatal = [sentence for stops, sentence in found if stops]
    mended, repairs = doctor.repair(table) if fatal else (table, [])
    doubts = [sentence for stops, sentence in found if not stops]
    if not mended.rows.empty:
        doubts += doctor.ask_calendar(mended)
    return Checkup(table.origin, table.statements, tuple(fatal), tuple(doubts), tuple(repairs))


def inventory() -> pd.DataFrame:
    """One row per symbol of the store and the bundle, as `list_bars`, with `source` and the last download.

    A symbol in both is listed twice; the store's is what a backtest takes. A damaged file has no dates.
    """
    held = [_stored(symbol) for symbol in store.stored_symbols()]
    bundled = list_bars().reset_index().assign(source="bundled", downloaded="")
    if not held:
        return bundled
    return pd.concat([pd.DataFrame(held), bundled], ignore_index=True)


def _stored(symbol: str) -> dict[str, object]:
    row: dict[str, object] = {"symbol": symbol, "source": "store", "prices": "raw+adjusted"}
    try:
        held = store.read(symbol)
    except store.CorruptStore:
        nothing = {"bars": 0, "first": pd.NaT, "last": pd.NaT, "frequency": "", "downloaded": "damaged"}
        return row | nothing
    index = pd.DatetimeIndex(held.rows.index)
    return row | {
        "bars": len(index),
        "first": index[0],
        "last": index[-1],
        "frequency": frequency(index),
        "downloaded": held.snapshots[-1].time,
    }
