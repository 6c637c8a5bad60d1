"""The SQLite file of a ledger: connections that no kill and no neighbour can hurt."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .migration import migrate
from .schema import IDENTITY, SCHEMA, VERSION
from .schema import NAME as NAME

PATIENCE = 60.0  # seconds to wait for other writers


@dataclass(frozen=True)
class Database:
    """The file of a ledger, made by the first write. Every call opens it for itself, so threads and forks are safe.

    patience: seconds to wait for other writers; None for PATIENCE.
    copy:     whether what is in it is elsewhere too, so that a power cut may cost the last rows, and no write waits for
              the disk longer than a sound file needs.

    Raises ValueError for a file that is no ledger or a newer one, OSError for one that cannot be read or written. An
    older one is read as one of today would be, and becomes one with the first write.
    """

    path: Path
    patience: float | None = None
    copy: bool = False

    def read(self, query: str, *values: object) -> pd.DataFrame:
        """The rows of a query, with its columns' names."""
        with self.reading() as connection:
            cursor = connection.execute(query, values)
            return pd.DataFrame(cursor.fetchall(), columns=[name for name, *_ in cursor.description])

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection to read with; where there is nothing yet, to an empty ledger in memory."""
        with self._errors(), ExitStack() as stack:
            connection = self._connect("rw" if self.path.exists() else None, stack)
            version = self._version(connection)
            if version < VERSION:
                memory = self._connect(None, stack)
                if version:
                    connection.backup(memory)
                    migrate(memory, self._workspace)
                else:
                    _create(memory)
                connection = memory
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a transaction, which is committed at the end."""
        with self._errors(), ExitStack() as stack:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = self._connect("rwc", stack)
            self._version(connection)  # raises before anything is locked
            connection.execute("BEGIN IMMEDIATE")
            version = self._version(connection)  # asked again, under the lock
            if not version:
                _create(connection)
            elif version < VERSION:
                migrate(connection, self._workspace)
            yield connection
            connection.execute("COMMIT")

    def update(self) -> None:
        """Makes a file of an earlier version one of today."""
        with self._errors(), ExitStack() as stack:
            old = self.path.exists() and 0 < self._version(self._connect("rw", stack)) < VERSION
        if old:
            with self.writing():
                pass

    @property
    def _workspace(self) -> Path:
        return self.path.parent.resolve()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Tells SQLite's errors as this class does."""
        try:
            yield
        except sqlite3.OperationalError as error:
            raise OSError(f"cannot use {self.path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise ValueError(
                f"{self.path} is not a sound ledger: {error}. It was left as it is; move it away"
            ) from error

    def _connect(self, mode: str | None, stack: ExitStack) -> sqlite3.Connection:
        """A connection outside any transaction, to the file or, without a mode, to memory."""
        place = f"{self.path.absolute().as_uri()}?mode={mode}" if mode else ":memory:"
        patience = PATIENCE if self.patience is None else self.patience
        connection = sqlite3.connect(place, patience, isolation_level=None, uri=True)
        stack.enter_context(closing(connection))
        # EXTRA: a commit survives a power cut too.
        connection.execute(f"PRAGMA synchronous = {'NORMAL' if self.copy else 'EXTRA'}")
        return connection

    def _version(self, connection: sqlite3.Connection) -> int:
        """The version of a ledger, 0 for nothing yet; raises for something else than a ledger this code knows."""
        (identity,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if not (identity or version or connection.execute("SELECT 1 FROM sqlite_master").fetchone()):
            return 0
        if identity != IDENTITY:
            raise sqlite3.DatabaseError("it is a database of something else")
        if version > VERSION:
            raise ValueError(
                f"{self.path} is of version {version}, newer than the {VERSION} known here; update rollcast"
            )
        return version


def _create(connection: sqlite3.Connection) -> None:
    for statement in SCHEMA:
        connection.execute(statement)
