"""The folder of a sweep, whose files appear whole or not at all, so that a sweep resumes after a kill.

sweep.json       the sweep, and the date from which all points are scored
parts/N-SHA256.parquet  the points of a finished chunk, one row each: values, scores, returns
results.parquet  the rows of all points without their returns, once the sweep is finished
returns.parquet  their returns, bars × points
winner.json      the run of the best point
judgement.json   every number of the judgement
sweep.html       the page
SHA256SUMS       the manifest of all but the parts

What is read again carries its digest, a part in its name and a JSON file in a key: what is damaged is made again.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..atomic import write_whole
from ..digests import say
from ..json_values import plain
from ..owner import clear_dead

RETURNS = "returns"
DIGEST = "sha256"  # of the other keys of a JSON file
LOCK = "lock.sqlite"
DIGITS = 6  # of the number in a part's name
PART = re.compile(rf"\d{{{DIGITS},}}-[0-9a-f]{{64}}\.parquet")


@dataclass(frozen=True)
class Store:
    """The files of a sweep in its folder."""

    folder: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the folder for this process inside the block. Raises OSError where another process has locked it."""
        made = [one for one in self.folder.parents if not one.exists()]
        self.folder.mkdir(parents=True, exist_ok=True)
        # SQLite uses locks of the operating system, which end with the process on every platform.
        path = self.folder / LOCK
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as lock:
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                raise OSError(f"{self.folder} is in use: the same sweep is running ({error})") from error
            if not path.exists():  # removed by the process that had it, with the folder
                raise OSError(f"{self.folder} was in use until now; run it again")
            clear_dead(self.folder)
            try:
                yield
            finally:
                files = list(self.folder.iterdir())
                if all(one.name.startswith(path.name) for one in files):  # refused before anything was stored
                    for one in files:
                        one.unlink()
                    for one in (self.folder, *made):
                        with suppress(OSError):  # something else is in it
                            one.rmdir()

    def read(self, name: str) -> dict[str, Any] | None:
        """The content of a JSON file; None where there is none, or a damaged one, which is said."""
        path = self.folder / name
        if not path.exists():
            return None
        try:
            values = json.loads(path.read_bytes())
            if values.pop(DIGEST) == _digest(values):
                return values
        except (ValueError, AttributeError, KeyError, RecursionError):
            pass  # it is no JSON, no table, or one without a digest: said below
        say(f"{path} is not what was written; it is made again")
        return None

    def write(self, name: str, values: Mapping[str, object]) -> None:
        """Writes a JSON file with its digest. Raises ValueError for values that JSON does not have."""
        content: dict[str, object] = json.loads(json.dumps(plain(values), allow_nan=False))
        text = json.dumps(content | {DIGEST: _digest(content)}, indent=2, allow_nan=False)
        write_whole(self.folder / name, (text + "\n").encode())

    def add(self, rows: pd.DataFrame, returns: np.ndarray) -> None:
        """Writes a finished chunk of N points: their rows and returns (n, N). It is on the disk when this returns."""
        table = pa.Table.from_pandas(rows, preserve_index=False)
        column = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(returns.T).ravel()), len(returns))
        parts = self._parts()
        number = int(parts[-1].name[:DIGITS]) + 1 if parts else 0
        content = _parquet(table.append_column(RETURNS, column))
        name = f"{number:0{DIGITS}d}-{hashlib.sha256(content).hexdigest()}.parquet"
        write_whole(self.folder / "parts" / name, content)

    def discard_damaged(self) -> None:
        """Removes the parts that are not what was written, and says so; their points are then run again."""
        for path in sorted((self.folder / "parts").glob("*.parquet")):
            if not PART.fullmatch(path.name) or hashlib.sha256(path.read_bytes()).hexdigest() not in path.name:
                say(f"{path} is not what was written; its points are run again")
                path.unlink()

    def rows(self) -> pd.DataFrame:
        """The rows of all finished chunks, without returns. Raises ValueError for a damaged part, with its path."""
        parts = [self._read(path, lambda name: name != RETURNS).to_pandas() for path in self._parts()]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"key": []}, dtype=str)

    def returns(self) -> np.ndarray:
        """The returns of the same rows, (n, N). Raises ValueError for a damaged part, with its path."""
        columns = [self._read(path, lambda name: name == RETURNS)[RETURNS].combine_chunks() for path in self._parts()]
        return np.concatenate([c.flatten().to_numpy().reshape(len(c), -1) for c in columns]).T

    def merge(self, rows: pd.DataFrame, returns: pd.DataFrame) -> None:
        """Writes the two tables of the finished sweep."""
        tables = {"returns": pa.Table.from_pandas(returns), "results": pa.Table.from_pandas(rows, preserve_index=False)}
        for name, table in tables.items():
            write_whole(self.folder / f"{name}.parquet", _parquet(table), lasting=False)

    def _parts(self) -> list[Path]:
        return sorted((self.folder / "parts").glob("*.parquet"))

    def _read(self, path: Path, selected: Callable[[str], bool]) -> pa.Table:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() not in path.name:
            raise ValueError(f"{path} is not what was written. Run the same command again, which makes it again")
        file = pq.ParquetFile(pa.BufferReader(content))
        return file.read(columns=[name for name in file.schema_arrow.names if selected(name)])


def clear_empty(out: Path) -> None:
    """Removes the folders of sweeps that were killed before anything was stored; those in use stay."""
    for folder in out.glob("sweep-*"):
        if all(one.name.startswith(LOCK) for one in folder.iterdir()):
            with suppress(OSError), Store(folder).locked():
                pass


def _digest(values: Mapping[str, object]) -> str:
    """The SHA-256 of values as JSON."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    # Returns rarely repeat, so that a dictionary or compression would cost time and save nothing.
    pq.write_table(table, buffer, use_dictionary=False, compression="NONE")
    return buffer.getvalue()
