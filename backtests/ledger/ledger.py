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
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ...predictors import BUILT_IN as PREDICTORS
from ...predictors.registry import suggest
from ...strategies import BUILT_IN as STRATEGIES
from ..evidence.trials import Trials
from ..json_values import Record, Values, plain
from .database import COLUMNS, Database
from .returns_sketch import effective, returns_on, sketch
from .trial_key import Row, utc

SORTS = ("created", "sharpe", "cagr")


@dataclass(frozen=True)
class Ledger:
    """A ledger file, made by the first record. Every call opens it for itself, so threads, forks and kills are safe.

    Raises ValueError for a file that is no ledger or a newer one, OSError for one that cannot be read or written.
    """

    path: Path

    @property
    def _database(self) -> Database:
        return Database(self.path)

    def record(self, row: Row, folder: Path | None = None) -> int:
        """Adds a run in one transaction and returns its id; once this has returned, no kill can lose the run.

        folder: where the run was saved, beside the ledger
        """
        columns = {**row.columns, "folder": folder and folder.name}
        with self._database.writing() as connection:
            run = _insert(connection, columns, _details(row))
        return run

    def record_many(self, rows: Iterable[Row]) -> int:
        """Adds runs without folders in one transaction, and returns how many.

        A trial that is recorded as made at the same time was added by an earlier call, and is left out.
        """
        entries = [({**row.columns, "folder": None}, _details(row)) for row in rows]
        with self._database.writing() as connection:
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
        runs = _typed(self._database.read(query, *wanted.values()))
        beside = set(os.listdir(self.path.parent)) if len(runs) else set()
        runs["gone"] = runs["folder"].notna() & ~runs["folder"].isin(beside)
        return runs.set_index("id")

    def run(self, number: int) -> Values:
        """Everything about one run, its recipe included. Raises LookupError where there is no such run."""
        runs = _typed(
            self._database.read("SELECT runs.*, recipe FROM runs JOIN details ON run = id WHERE id = ?", number)
        )
        if runs.empty:
            raise LookupError(f"{self.path} has no run {number}; `ledger list` shows the runs there are")
        found = runs.to_dict("records")[0]
        return plain(found) | {"recipe": json.loads(found["recipe"])}

    def trials(self, run: Row) -> Trials:
        """The trials on the bars of a run: on the same bars, or the same symbol at overlapping times; itself included.

        Runs that looked ahead are no trials, because nobody may choose them, but for the run itself.
        """
        row = run.columns
        tried = self._database.read(
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
        sketches = [s for _, s in distinct]
        returns = returns_on(pd.DatetimeIndex(run.returns.index), sketches)
        return Trials(len(distinct), effective(sketches), variance, len(tried) + (not recorded), returns)

    def summary(self, symbols: Iterable[str] | None = None) -> pd.DataFrame:
        """Runs, distinct trials and effective trials of each symbol, or of these, over all dates."""
        chosen = None if symbols is None else set(symbols)
        query = "SELECT symbol, trial, sharpe, passed, sketch FROM runs JOIN details ON run = id ORDER BY id DESC"
        rows = {}
        for symbol, runs in self._database.read(query).groupby("symbol"):
            if chosen is None or symbol in chosen:
                distinct = _distinct(_outcomes(runs[runs["passed"] == 1]))
                alike = effective([s for _, s in distinct])
                rows[symbol] = {"runs": len(runs), "trials": len(distinct), "effective": alike}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["runs", "trials", "effective"])

    def export(self, file: Path) -> int:
        """Writes every run with its recipe to .csv, .json or .parquet; returns how many.

        Raises ValueError for a file with another ending.
        """
        runs = _typed(self._database.read("SELECT runs.*, recipe FROM runs JOIN details ON run = id ORDER BY id"))
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


def _spelt(name: str, built_in: Mapping[str, str]) -> str:
    """The class a name, a class or a file.py[:Class] stands for, in lower case without dashes."""
    file, _, cls = built_in.get(name, name).partition(":")
    return re.sub("[-_]", "", cls or Path(file).stem).lower()
