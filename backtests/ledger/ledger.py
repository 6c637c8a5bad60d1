"""The ledger: every run of a workspace in one SQLite file, so that what was tried is counted and not remembered.

Notation: r simple return per bar, n bars, A bars per year, SR Sharpe ratio per bar.
docs/ledger.md says what is kept, what counts as a trial and how much damage the file survives.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.evidence.luck import TrialCount
from rollcast.backtests.json_values import Record, Values, plain
from rollcast.backtests.ledger.returns_sketch import effective, sketch
from rollcast.backtests.ledger.trial_key import Row, utc
from rollcast.predictors import BUILT_IN as PREDICTORS
from rollcast.predictors.registry import suggest
from rollcast.strategies import BUILT_IN as STRATEGIES

NAME, VERSION, IDENTITY = "ledger.sqlite", 1, 0x726F6C6C  # "roll", in the file's header
PATIENCE = 60.0  # seconds to wait for other writers
SORTS = ("created", "sharpe", "cagr")

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
class Ledger:
    """A ledger file, made by the first record. Every call opens it for itself, so threads, forks and kills are safe.

    Raises ValueError for a file that is no ledger or a newer one, OSError for one that cannot be read or written.
    """

    path: Path

    def record(self, row: Row, folder: Path | None = None) -> int:
        """Adds a run in one transaction and returns its id; once this has returned, no kill can lose the run.

        folder: where the run was saved, beside the ledger
        """
        columns = {**row.columns, "folder": folder and folder.name}
        with self._writing() as connection:
            run = _insert(connection, columns, _details(row))
        return run

    def record_many(self, rows: Iterable[Row]) -> int:
        """Adds runs without folders in one transaction, and returns how many.

        A trial that is recorded as made at the same time was added by an earlier call, and is left out.
        """
        entries = [({**row.columns, "folder": None}, _details(row)) for row in rows]
        with self._writing() as connection:
            known = set(connection.execute("SELECT trial, created FROM runs"))
            new = [entry for entry in entries if (entry[0]["trial"], entry[0]["created"]) not in known]
            for columns, details in new:
                _insert(connection, columns, details)
        return len(new)

    def runs(
        self,
        *,
        symbol: str | None = None,
        predictor: str | None = None,
        strategy: str | None = None,
        since: str | None = None,
        limit: int | None = None,
        sort: str = "created",
    ) -> pd.DataFrame:
        """Runs by id, newest or highest first; `gone` where the folder is no longer there.

        predictor, strategy: a class or the name it is asked for by, however spelt: ols-features, OLSFeatures
        since: a date, in UTC where it does not say

        Raises ValueError for an unknown sort, a limit below 1 or a date that is none.
        """
        if sort not in SORTS:
            raise ValueError(f"cannot sort by {sort!r}. {suggest(sort, SORTS)}")
        if limit is not None and limit < 1:
            raise ValueError(f"limit must be at least 1, got {limit}")
        wanted = {"symbol = ?": symbol, "created >= ?": since and utc(pd.Timestamp(since))}
        for column, name, built_in in (("predictor", predictor, PREDICTORS), ("strategy", strategy, STRATEGIES)):
            wanted[f"replace(replace(lower({column}), '_', ''), '-', '') = ?"] = name and _spelt(name, built_in)
        wanted = {condition: value for condition, value in wanted.items() if value is not None}
        where = f"WHERE {' AND '.join(wanted)}" if wanted else ""
        query = f"SELECT * FROM runs {where} ORDER BY {sort} DESC NULLS LAST, id DESC LIMIT {limit or -1}"
        runs = _typed(self._read(query, *wanted.values()))
        beside = set(os.listdir(self.path.parent)) if len(runs) else set()
        runs["gone"] = runs["folder"].notna() & ~runs["folder"].isin(beside)
        return runs.set_index("id")

    def run(self, number: int) -> Values:
        """Everything about one run, its recipe included; LookupError where there is no such run."""
        runs = _typed(self._read("SELECT runs.*, recipe FROM runs JOIN details ON run = id WHERE id = ?", number))
        if runs.empty:
            raise LookupError(f"{self.path} has no run {number}; `ledger list` shows the runs there are")
        found = runs.to_dict("records")[0]
        return plain(found) | {"recipe": json.loads(found["recipe"])}

    def trials(self, run: Row) -> TrialCount:
        """The trials on the bars of a run: on the same bars, or the same symbol at overlapping times; itself included.

        Runs that looked ahead are no trials, because nobody may choose them, but for the run itself.
        """
        row = run.columns
        tried = self._read(
            "SELECT trial, created, sharpe, sketch FROM runs JOIN details ON run = id WHERE passed AND "
            "(bars_sha256 = ? OR (symbol = ? AND first <= ? AND last >= ?)) ORDER BY id DESC",
            *(row[name] for name in ("bars_sha256", "symbol", "last", "first")),
        )
        recorded = ((tried["trial"] == row["trial"]) & (tried["created"] == row["created"])).any()
        distinct = _distinct([(row["trial"], row["sharpe"], sketch(run.returns)), *_outcomes(tried)])
        # Per bar of this run, whatever the frequency of the others: SR = annual/√A.
        sharpe = np.array([sharpe for sharpe, _ in distinct if sharpe is not None]) / np.sqrt(row["bars_per_year"])
        spread = max(float(sharpe.var(ddof=1)) if len(sharpe) > 1 else 0.0, 1 / row["n"])
        variance = spread if len(distinct) > 1 else 0.0
        return TrialCount(len(distinct), effective([s for _, s in distinct]), variance, len(tried) + (not recorded))

    def summary(self, symbols: Iterable[str] | None = None) -> pd.DataFrame:
        """Runs, distinct trials and effective trials of each symbol, or of these, over all dates."""
        chosen = None if symbols is None else set(symbols)
        query = "SELECT symbol, trial, sharpe, passed, sketch FROM runs JOIN details ON run = id ORDER BY id DESC"
        rows = {}
        for symbol, runs in self._read(query).groupby("symbol"):
            if chosen is None or symbol in chosen:
                distinct = _distinct(_outcomes(runs[runs["passed"] == 1]))
                alike = effective([s for _, s in distinct])
                rows[symbol] = {"runs": len(runs), "trials": len(distinct), "effective": alike}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["runs", "trials", "effective"])

    def export(self, file: Path) -> int:
        """Writes every run with its recipe to .csv, .json or .parquet; returns how many."""
        runs = _typed(self._read("SELECT runs.*, recipe FROM runs JOIN details ON run = id ORDER BY id"))
        if file.suffix == ".csv":
            runs.to_csv(file, index=False)
        elif file.suffix == ".parquet":
            runs.to_parquet(file, index=False)
        elif file.suffix == ".json":
            rows = [row | {"recipe": json.loads(row["recipe"])} for row in runs.to_dict("records")]
            file.write_text(json.dumps(plain(rows), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        else:
            raise ValueError(f"cannot export to {file.name}: its name must end in .csv, .json or .parquet")
        return len(runs)

    def _read(self, query: str, *values: Any) -> pd.DataFrame:
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
    def _writing(self) -> Iterator[sqlite3.Connection]:
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


def _details(row: Row) -> tuple[str, bytes]:
    """The recipe of a row, and the sketch of its returns."""
    return json.dumps(plain(row.recipe), allow_nan=False), sketch(row.returns)


def _insert(connection: sqlite3.Connection, row: Record, details: tuple[str, bytes]) -> int:
    marks = ", ".join("?" * len(COLUMNS))
    insert = f"INSERT INTO runs ({', '.join(COLUMNS)}) VALUES ({marks})"
    run = connection.execute(insert, [row[name] for name in COLUMNS]).lastrowid
    assert run is not None  # an INSERT always has a row id
    connection.execute("INSERT INTO details VALUES (?, ?, ?)", (run, *details))
    return run


def _typed(runs: pd.DataFrame) -> pd.DataFrame:
    """Whole columns in one type, NaN for what is not defined."""
    kinds = {"REAL": float, "INTEGER NOT NULL": int, "INTEGER": "Int64"}
    runs = runs.astype({name: kinds[kind] for name, kind in COLUMNS.items() if kind in kinds})
    return runs.astype({"passed": bool})


def _outcomes(runs: pd.DataFrame) -> Iterator[tuple[str, float | None, bytes]]:
    sharpe = (None if np.isnan(s) else float(s) for s in runs["sharpe"].astype(float))
    return zip(runs["trial"], sharpe, runs["sketch"], strict=True)


def _distinct(outcomes: Iterable[tuple[str, float | None, bytes]]) -> list[tuple[float | None, bytes]]:
    """One of each trial; the same recipe with another Sharpe ratio, in six digits, is another: its code was edited."""
    found: dict[tuple[str, str], tuple[float | None, bytes]] = {}
    for trial, sharpe, blob in outcomes:
        found.setdefault((trial, "" if sharpe is None else f"{sharpe:.6g}"), (sharpe, blob))
    return list(found.values())


def _connect(place: str, stack: ExitStack) -> sqlite3.Connection:
    connection = sqlite3.connect(place, PATIENCE, isolation_level=None, uri=True)
    stack.enter_context(closing(connection))
    connection.execute("PRAGMA synchronous = EXTRA")  # a commit survives a power cut too
    return connection


def _create(connection: sqlite3.Connection) -> None:
    for statement in SCHEMA:
        connection.execute(statement)


def _spelt(name: str, built_in: Mapping[str, str]) -> str:
    """The class a name, a class or a file.py[:Class] stands for, in lower case without dashes."""
    file, _, cls = built_in.get(name, name).partition(":")
    return re.sub("[-_]", "", cls or Path(file).stem).lower()
