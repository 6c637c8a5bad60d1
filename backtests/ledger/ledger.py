"""The ledger: every run of a workspace in one SQLite file, so that what was tried is counted and not remembered.

docs/ledger.md says what is kept, what counts as a trial and how much damage the file survives.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from ...predictors import BUILT_IN as PREDICTORS
from ...predictors.registry import suggest
from ...strategies import BUILT_IN as STRATEGIES
from ..json_values import Values, plain, without_formulas
from .database import Database
from .schema import COLUMNS, FIRST, insert, insert_market, seal, sha256
from .series import unpack
from .trial_key import Row, sealed_rows, utc

AT_ONCE = 250  # rows with their returns, in memory
SORTS = ("created", "sharpe", "cagr")
SHOWN = (*FIRST, "workspace")
HIDDEN = ("projection", "details_sha256", "digest")


@dataclass(frozen=True)
class Ledger:
    """A ledger file, made by the first record. Every call opens it for itself, so threads, forks and kills are safe.

    patience, copy: as of `Database`.

    Raises ValueError for a file that is no ledger or a newer one, OSError for one that cannot be read or written.
    """

    path: Path
    patience: float | None = None
    copy: bool = False

    @property
    def _database(self) -> Database:
        return Database(self.path, self.patience, self.copy)

    @property
    def workspace(self) -> Path:
        """The folder it is in."""
        return self.path.parent.resolve()

    def size(self) -> int:
        """The number of runs."""
        return int(self._database.read("SELECT count(*) FROM runs").iloc[0, 0])

    def newest(self) -> int:
        """The id of the last run; 0 for none."""
        return int(self._database.read("SELECT coalesce(max(id), 0) FROM runs").iloc[0, 0])

    def update(self) -> None:
        """Makes a file of an earlier version one of today; nothing else is changed."""
        self._database.update()

    def record(self, row: Row, folder: Path | None = None) -> int:
        """Adds a run in one transaction and returns its id; once this has returned, no kill can lose the run.

        folder: where the run was saved, beside the ledger
        """
        (entry,) = sealed_rows([row], self.workspace, None if folder is None else folder.name)
        with self._database.writing() as connection:
            run = insert(connection, *entry)
            _add_market(connection, row)
        return run

    def record_many(self, rows: Iterable[Row]) -> int:
        """Adds runs without folders in one transaction, and returns how many.

        A trial that is recorded as made at the same time was added by an earlier call, and is left out.
        """
        rows, count = iter(rows), 0
        with self._database.writing() as connection:
            known = set(connection.execute("SELECT trial, created FROM runs"))
            while some := list(islice(rows, AT_ONCE)):
                new = [row for row in some if (row.columns["trial"], row.columns["created"]) not in known]
                for entry in sealed_rows(new, self.workspace):
                    insert(connection, *entry)
                for row in {row.columns["bars_sha256"]: row for row in new}.values():
                    _add_market(connection, row)
                count += len(new)
        return count

    def copy_to(self, other: Ledger) -> int:
        """Adds to another ledger what it does not have of this one, as it stands here; returns how many runs."""
        with self._database.reading() as here:
            with other._database.reading() as there:
                if not _lacking(here, there):
                    return 0
            with other._database.writing() as there:
                known = {digest for (digest,) in there.execute("SELECT digest FROM runs")}
                query = f"SELECT {', '.join(COLUMNS)}, recipe, returns FROM runs JOIN details ON run = id ORDER BY id"
                count = 0
                for *values, recipe, returns in here.execute(query):
                    row = dict(zip(COLUMNS, values, strict=True))
                    if row["digest"] not in known and row["digest"] == seal(values[:-1]):
                        insert(there, row, recipe, returns)
                        count += 1
                for market in here.execute("SELECT bars_sha256, returns FROM markets"):
                    insert_market(there, *market)
        return count

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
        """Runs by id, newest or highest first; `gone` where the folder is no longer there, `damaged` as `rows` has it.

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
        rest = f"{where} ORDER BY {sort} DESC NULLS LAST, id DESC LIMIT {limit or -1}"
        runs = self.rows(rest, *wanted.values()).drop(columns=list(HIDDEN))
        beside = set(os.listdir(self.path.parent)) if len(runs) else set()
        runs["gone"] = runs["folder"].notna() & np.array([folder not in beside for folder in runs["folder"]], bool)
        return runs.set_index("id")

    def run(self, number: int) -> Values:
        """Everything about one run, its recipe included. Raises LookupError where there is no such run."""
        runs = self.rows("WHERE id = ?", number).drop(columns=list(HIDDEN))
        if runs.empty:
            raise LookupError(f"{self.path} has no run {number}; `ledger list` shows the runs there are")
        recipe = self._database.read("SELECT recipe FROM details WHERE run = ?", number)["recipe"][0]
        return plain(runs.to_dict("records")[0]) | {"recipe": json.loads(recipe)}

    def rows(self, rest: str = "ORDER BY id", *values: object) -> pd.DataFrame:
        """Runs as the rest of a query chooses them; `damaged` where a row is not what was recorded."""
        with self._database.reading() as connection:
            rows = connection.execute(f"SELECT id, {', '.join(COLUMNS)} FROM runs {rest}", values).fetchall()
        runs = _typed(pd.DataFrame(rows, columns=["id", *COLUMNS]))
        runs["damaged"] = np.array([seal(row[1:-1]) != row[-1] for row in rows], bool)
        return runs

    def returns(self, runs: Iterable[int]) -> dict[int, bytes]:
        """The packed returns of some runs by their ids, without those that are not what was recorded."""
        query = "SELECT details_sha256, recipe, returns FROM runs JOIN details ON run = id WHERE id = ?"
        found = {}
        with self._database.reading() as connection:
            for run in runs:
                for digest, recipe, returns in connection.execute(query, (run,)):
                    if sha256(recipe.encode(), returns) == digest:
                        found[run] = returns
        return found

    def row(self, run: int) -> Row:
        """A run as it was recorded. Raises LookupError where there is no such run, ValueError for a damaged one."""
        recorded = self.run(run)
        returns = self.returns([run])
        if recorded["damaged"] or not returns:
            raise ValueError(f"run {run} of {self.path} is damaged: it is not what was recorded")
        bars = recorded["bars_sha256"]
        closes = _simple(self.markets([bars]).get(bars)).add(1.0).cumprod()
        columns = {name: recorded[name] for name in FIRST if name != "folder"}
        return Row(columns, recorded["recipe"], _simple(returns[run]), closes)

    def markets(self, bars: Iterable[str]) -> dict[str, bytes | None]:
        """The packed returns of bars by their SHA-256; None for those that are not what was recorded."""
        query = "SELECT returns, digest FROM markets WHERE bars_sha256 = ?"
        found: dict[str, bytes | None] = {}
        with self._database.reading() as connection:
            for one in bars:
                for returns, digest in connection.execute(query, (one,)):
                    found[one] = returns if sha256(one.encode(), returns) == digest else None
        return found

    def export(self, file: Path) -> int:
        """Writes every run with its recipe to .csv, .json or .parquet; returns how many.

        Raises ValueError for a file with another ending.
        """
        columns = f"id, {', '.join(SHOWN)}, recipe"
        runs = _typed(self._database.read(f"SELECT {columns} FROM runs JOIN details ON run = id ORDER BY id"))
        if file.suffix == ".csv":
            without_formulas(runs).to_csv(file, index=False)
        elif file.suffix == ".parquet":
            runs.to_parquet(file, index=False)
        elif file.suffix == ".json":
            rows = [row | {"recipe": json.loads(row["recipe"])} for row in runs.to_dict("records")]
            file.write_text(json.dumps(plain(rows), indent=2, allow_nan=False) + "\n", encoding="utf-8")
        else:
            raise ValueError(f"cannot export to {file.name}: its name must end in .csv, .json or .parquet")
        return len(runs)


def _add_market(connection: sqlite3.Connection, row: Row) -> None:
    bars = row.columns["bars_sha256"]
    if not connection.execute("SELECT 1 FROM markets WHERE bars_sha256 = ?", (bars,)).fetchone():
        insert_market(connection, bars, row.market)


def _lacking(here: sqlite3.Connection, there: sqlite3.Connection) -> bool:
    """Whether there may be fewer runs of some workspace there than here."""
    counts = "SELECT workspace, count(*) FROM runs GROUP BY workspace"
    known = dict(there.execute(counts).fetchall())
    return any(count > known.get(workspace, 0) for workspace, count in here.execute(counts))


def _simple(packed: bytes | None) -> pd.Series:
    """Packed returns as simple ones on their dates."""
    minutes, values = unpack(packed) if packed else (np.zeros(0, int), np.zeros(0))
    return pd.Series(np.expm1(values), pd.DatetimeIndex(minutes.astype("datetime64[m]")))


def _typed(runs: pd.DataFrame) -> pd.DataFrame:
    """Whole columns in one type, NaN for what is not defined."""
    kinds = {"REAL": float, "INTEGER NOT NULL": int, "INTEGER": "Int64"}
    runs = runs.astype({name: kinds[kind] for name, kind in FIRST.items() if kind in kinds})
    return runs.astype({"passed": bool})


def _spelt(name: str, built_in: Mapping[str, str]) -> str:
    """The class a name, a class or a file.py[:Class] stands for, in lower case without dashes."""
    file, _, cls = built_in.get(name, name).partition(":")
    return re.sub("[-_]", "", cls or Path(file).stem).lower()
