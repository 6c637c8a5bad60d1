"""From a ledger of version 1 to one of version 2, in one transaction and without a loss."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pandas as pd

from ..data.bars import digest
from .schema import ADDED, GUARDS, MARKETS, SEALED, VERSION, WORKSPACES, insert_market, seal, sha256
from .series import pack, projection, unpack


def migrate(connection: sqlite3.Connection, workspace: Path) -> None:
    """Adds the columns and tables of version 2, inside a transaction of the caller's.

    Rows get their workspace, digests and projections. What only run folders hold is taken from those that are still
    there: the market's returns for every run on these bars, and the returns of each run bar by bar. Of the others, the
    sketch of version 1 stays in the place of the returns.
    """
    for table in ("runs", "details"):
        for verb in ("UPDATE", "DELETE"):
            connection.execute(f"DROP TRIGGER IF EXISTS {table}_{verb}")
    for name, kind in ADDED.items():
        connection.execute(f"ALTER TABLE runs ADD COLUMN {name} {kind}")
    connection.execute("ALTER TABLE details RENAME COLUMN sketch TO returns")
    connection.execute(MARKETS)
    connection.execute(WORKSPACES)
    known: set[str] = set()
    query = "SELECT id, bars_sha256, folder, recipe, returns FROM runs JOIN details ON run = id"
    for run, bars, folder, recipe, sketch in connection.execute(query).fetchall():
        returns = _returns(workspace, folder) or sketch
        if bars not in known and (market := _market(workspace, folder, bars)):
            insert_market(connection, bars, market)
            known.add(bars)
        added = (str(workspace), projection(*unpack(returns)), sha256(recipe.encode(), returns), run)
        connection.execute("UPDATE runs SET workspace = ?, projection = ?, details_sha256 = ? WHERE id = ?", added)
        connection.execute("UPDATE details SET returns = ? WHERE run = ?", (returns, run))
        row = connection.execute(f"SELECT {', '.join(SEALED)} FROM runs WHERE id = ?", (run,)).fetchone()
        connection.execute("UPDATE runs SET digest = ? WHERE id = ?", (seal(row), run))
    for guard in GUARDS:
        connection.execute(guard)
    connection.execute(f"PRAGMA user_version = {VERSION}")


def _returns(workspace: Path, folder: str | None) -> bytes | None:
    """The packed returns of a run from its folder; None where it is gone or cannot be read."""
    table = _table(workspace, folder, "equity")
    if table is None or "equity" not in table:
        return None
    return pack(table["equity"].pct_change().fillna(0.0))


def _market(workspace: Path, folder: str | None, bars_sha256: str) -> bytes | None:
    """The packed returns of a run's bars from its folder; None where there are no bars with this digest."""
    bars = _table(workspace, folder, "bars")
    if bars is None or not {"open", "high", "low", "close", "volume"} <= set(bars) or digest(bars) != bars_sha256:
        return None
    return pack(bars["close"].pct_change().fillna(0.0))


def _table(workspace: Path, folder: str | None, name: str) -> pd.DataFrame | None:
    try:
        return None if folder is None else pd.read_parquet(workspace / folder / f"{name}.parquet")
    except (OSError, ValueError):  # gone, or damaged since: the ledger is kept for that
        return None
