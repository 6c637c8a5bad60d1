"""The tables of a ledger, and the digests that its rows are sealed with."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

NAME, VERSION, IDENTITY = "ledger.sqlite", 2, 0x726F6C6C  # "roll", in the file's header

# What version 1 kept of a run, and what version 2 added.
FIRST = {
    **dict.fromkeys(("created", "trial", "symbol", "bars_sha256", "frequency", "first", "last"), "TEXT NOT NULL"),
    **dict.fromkeys(("predictor", "predictor_parameters", "strategy", "strategy_parameters"), "TEXT NOT NULL"),
    **dict.fromkeys(("bars", "n", "bars_per_year", "passed"), "INTEGER NOT NULL"),
    **dict.fromkeys(("mean", "sd", "skew", "kurtosis", "sharpe_bar", "sharpe", "cagr", "max_drawdown"), "REAL"),
    **{"folder": "TEXT", "seed": "INTEGER"},
}
ADDED = {"workspace": "TEXT", "projection": "BLOB", "details_sha256": "TEXT", "digest": "TEXT"}
COLUMNS = FIRST | ADDED
TABLES = ("runs", "details", "markets")

MARKETS = "CREATE TABLE markets (bars_sha256 TEXT PRIMARY KEY, returns BLOB NOT NULL, digest TEXT NOT NULL)"
WORKSPACES = "CREATE INDEX workspaces ON runs (workspace)"
GUARDS = tuple(
    f"CREATE TRIGGER {table}_{verb} BEFORE {verb} ON {table} "
    "BEGIN SELECT RAISE(ABORT, 'what is recorded is not edited'); END"
    for table in TABLES
    for verb in ("UPDATE", "DELETE")
)
SCHEMA = (
    f"CREATE TABLE runs (id INTEGER PRIMARY KEY, {', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})",
    "CREATE TABLE details (run INTEGER PRIMARY KEY REFERENCES runs, recipe TEXT NOT NULL, returns BLOB NOT NULL)",
    *(MARKETS, WORKSPACES, *GUARDS),
    f"PRAGMA application_id = {IDENTITY}",
    f"PRAGMA user_version = {VERSION}",
)
SEALED = tuple(name for name in COLUMNS if name != "digest")


def sha256(*parts: bytes) -> str:
    """SHA-256 of these parts, joined."""
    return hashlib.sha256(b"".join(parts)).hexdigest()


def seal(values: Sequence[Any]) -> str:
    """The digest of a run's row: of its values in the order of SEALED."""
    blobs = [value for value in values if isinstance(value, bytes)]
    return sha256(json.dumps([None if isinstance(v, bytes) else v for v in values]).encode(), *blobs)


def sealed(row: Mapping[str, Any], recipe: str, returns: bytes) -> dict[str, Any]:
    """A run's row with the digests of its details and of itself."""
    whole = {**row, "details_sha256": sha256(recipe.encode(), returns)}
    return whole | {"digest": seal([whole[name] for name in SEALED])}


def insert(connection: sqlite3.Connection, row: Mapping[str, Any], recipe: str, returns: bytes) -> int:
    """Adds a sealed run with its details; returns its number."""
    marks = ", ".join("?" * len(COLUMNS))
    statement = f"INSERT INTO runs ({', '.join(COLUMNS)}) VALUES ({marks})"
    run = connection.execute(statement, [row[name] for name in COLUMNS]).lastrowid
    assert run is not None  # an INSERT always has a row id
    connection.execute("INSERT INTO details VALUES (?, ?, ?)", (run, recipe, returns))
    return run


def insert_market(connection: sqlite3.Connection, bars_sha256: str, returns: bytes) -> None:
    """Adds the returns of a market's bars, unless they are there."""
    values = (bars_sha256, returns, sha256(bars_sha256.encode(), returns))
    connection.execute("INSERT OR IGNORE INTO markets VALUES (?, ?, ?)", values)
