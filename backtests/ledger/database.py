"""The SQLite file of a ledger: its tables, and connections that no kill and no neighbour can hurt."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

NAME, VERSION, IDENTITY = "ledger.sqlite", 1, 0x726F6C6C  # "roll", in the file's header
PATIENCE = 60.0  # seconds to wait for other writers

COLUMNS = {
    **dict.fromkeys(("created", "trial", "symbol", "bars_sha256", "frequency", "first", "last"), "TEXT NOT NULL"),
    **dict.fromkeys(("predictor", "predictor_parameters", "strategy", "strategy_parameters"), "TEXT NOT NULL"),
    **dict.fromkeys(("bars", "n", "bars_per_year", "passed"), "INTEGER NOT NULL"),
    **dict.fromkeys(("mean", "sd", "skew", "kurtosis", "sharpe_bar", "sharpe", "cagr", "max_drawdown"), "REAL"),
    **{"folder": "TEXT", "seed": "INTEGER"},
}
SCHEMA = (
    f"CREATE TABLE runs (id INTEGER PRIMARY KEY, {', '.join(f'{name} {kind}' for name, kind in COLUMNS.items())})",
    "CREATE TABLE details (run INTEGER PRIMARY KEY REFERENCES runs, recipe TEXT NOT NULL, sketch BLOB NOT NULL)",
    *(
        f"CREATE TRIGGER {table}_{verb} BEFORE {verb} ON {table} "
        "BEGIN SELECT RAISE(ABORT, 'what is recorded is not edited'); END"
        for table in ("runs", "details")
        for verb in ("UPDATE", "DELETE")
    ),
    f"PRAGMA application_id = {IDENTITY}",
    f"PRAGMA user_version = {VERSION}",
)


@dataclass(frozen=True)
class Database:
    """The file of a ledger, made by the first write. Every call opens it for itself, so threads and forks are safe.

    Raises ValueError for a file that is no ledger or a newer one, OSError for one that cannot be read or written.
    """

    path: Path

    def read(self, query: str, *values: object) -> pd.DataFrame:
        """The rows of a query, with its columns' names."""
        with self._open() as connection:
            cursor = connection.execute(query, values)
            return pd.DataFrame(cursor.fetchall(), columns=[name for name, *_ in cursor.description])

    @contextmanager
    def _open(self, *, write: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection outside any transaction; to read what is not there yet, one to an empty ledger in memory."""
        place = f"{self.path.absolute().as_uri()}?mode={'rwc' if write else 'rw'}"
        if write:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        elif not self.path.exists():
            place = ":memory:"
        try:
            with ExitStack() as stack:
                connection = _connect(place, stack)
                if self._is_empty(connection) and not write:
                    connection = _connect(":memory:", stack)
                    _create(connection)
                yield connection
        except sqlite3.OperationalError as error:
            raise OSError(f"cannot use {self.path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"{self.path} is not a sound ledger: {error}. It was left as it is; move it away"
            ) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a transaction, which is committed at the end."""
        with self._open(write=True) as connection:
            connection.execute("BEGIN IMMEDIATE")
            if self._is_empty(connection):  # asked again, under the lock
                _create(connection)
            yield connection
            connection.execute("COMMIT")

    def _is_empty(self, connection: sqlite3.Connection) -> bool:
        """Whether the file holds nothing yet; raises where it holds something else than a ledger this code knows."""
        (identity,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if not (identity or version or connection.execute("SELECT 1 FROM sqlite_master").fetchone()):
            return True
        if identity != IDENTITY:
            raise sqlite3.DatabaseError("it is a database of something else")
        if version > VERSION:
            raise ValueError(
                f"{self.path} is of version {version}, newer than the {VERSION} known here; update rollcast"
            )
        return False


def _connect(place: str, stack: ExitStack) -> sqlite3.Connection:
    connection = sqlite3.connect(place, PATIENCE, isolation_level=None, uri=True)
    stack.enter_context(closing(connection))
    connection.execute("PRAGMA synchronous = EXTRA")  # a commit survives a power cut too
    return connection


def _create(connection: sqlite3.Connection) -> None:
    for statement in SCHEMA:
        connection.execute(statement)
