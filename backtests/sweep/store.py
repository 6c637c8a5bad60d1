"""The folder of a sweep, whose files appear whole or not at all, so that a sweep resumes after a kill.

sweep.json       the sweep, and the date from which all points are scored
parts/N.parquet  the points of a finished chunk, one row each: values, scores, returns
results.parquet  the rows of all points without their returns, once the sweep is finished
returns.parquet  their returns, bars × points
winner.json      the run of the best point
judgement.json   every number of the judgement
sweep.html       the page
"""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..atomic import remove_drafts, write_whole
from ..json_values import plain

RETURNS = "returns"


@dataclass(frozen=True)
class Store:
    """The files of a sweep in its folder."""

    folder: Path

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Locks the folder for this process inside the block. Raises OSError where another process has locked it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        # SQLite uses locks of the operating system, which end with the process on every platform.
        with closing(sqlite3.connect(self.folder / "lock.sqlite", timeout=0, isolation_level=None)) as lock:
            try:
                lock.execute("BEGIN EXCLUSIVE")
            except sqlite3.OperationalError as error:
                raise OSError(f"{self.folder} is in use: the same sweep is running ({error})") from error
            remove_drafts(self.folder)
            yield

    def read(self, name: str) -> dict[str, Any] | None:
        """The content of a JSON file; None where there is no such file."""
        path = self.folder / name
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def write(self, name: str, values: Mapping[str, object]) -> None:
        """Writes a JSON file. Raises ValueError for values that JSON does not have."""
        write_whole(self.folder / name, (json.dumps(plain(values), indent=2, allow_nan=False) + "\n").encode())

    def add(self, rows: pd.DataFrame, returns: np.ndarray) -> None:
        """Writes a finished chunk of N points: their rows and returns (n, N). It is on the disk when this returns."""
        table = pa.Table.from_pandas(rows, preserve_index=False)
        column = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(returns.T).ravel()), len(returns))
        parts = self._parts()
        number = int(parts[-1].stem) + 1 if parts else 0
        write_whole(self.folder / "parts" / f"{number:06d}.parquet", _parquet(table.append_column(RETURNS, column)))

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
        try:
            file = pq.ParquetFile(path)
            return file.read(columns=[name for name in file.schema_arrow.names if selected(name)])
        except (OSError, pa.ArrowInvalid) as error:
            raise ValueError(
                f"{path} cannot be read: {str(error).splitlines()[0]}. Remove it, and its points are run again"
            ) from error


def _parquet(table: pa.Table) -> bytes:
    buffer = io.BytesIO()
    # Returns rarely repeat, so that a dictionary or compression would cost time and save nothing.
    pq.write_table(table, buffer, use_dictionary=False, compression="NONE")
    return buffer.getvalue()
