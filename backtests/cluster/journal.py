"""The journal: windows that are finished, kept until their run has ended, so that it can resume after a kill.

unfinished/KEY/OWNER-ID.zip   some windows, as Arrow tables: their names, their forecasts and their training log

The key is a digest of the learner, its parameters, all code and all versions, as in `pipeline.cache_key`.
"""

from __future__ import annotations

import io
import time
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ...predictors import Learner, Window
from ...predictors.executor import Work
from ...predictors.training_log import TrainingLog
from ..atomic import write_whole
from ..data.bars import digest
from ..digests import body_of, say, signed
from ..owner import of_another, owned_name
from ..pipeline.cache_key import code_of, key_of
from .task import ChunkResult

SECONDS = 5.0  # between two writes, and before the first: shorter work is not worth a file
LIMIT = 1 << 30  # bytes of runs that were never resumed; the oldest are removed beyond it


@dataclass
class Journal:
    """A folder of finished windows, a folder in it for each key.

    keys: those which this process has used.   failed: whether the disk refused a write, after which none is tried.
    """

    folder: Path
    keys: set[str] = field(default_factory=set)
    failed: bool = False

    def entry(self, work: Work, logged: bool) -> Entry | None:
        """The entry of some work; None for all work but the windows of a learner, which alone is kept."""
        learner = getattr(work.function, "__self__", None)
        if not isinstance(learner, Learner) or getattr(work.function, "__name__", "") != "forecast":
            return None
        return Entry(self, learner, list(work.units), logged)

    def fail(self, error: OSError) -> None:
        """Says that nothing more is kept: an error of the journal ends no run."""
        self.failed = True
        say(f"{self.folder} cannot keep finished windows, which a killed run would train again: {error}")

    def clear(self) -> None:
        """Removes the windows of this run, and the oldest of other runs beyond LIMIT; none of a living process."""
        for key in self.keys:
            _remove(self.folder / key)
        try:
            self._shrink()
        except OSError as error:  # another process may clear it at the same time
            if self.folder.is_dir() and not isinstance(error, FileNotFoundError):
                say(f"{self.folder} cannot be cleared: {error}")

    def _shrink(self) -> None:
        if not self.folder.is_dir():
            return
        folders = sorted((p.stat().st_mtime_ns, p) for p in self.folder.iterdir() if p.is_dir())
        sizes = {p: sum(file.stat().st_size for file in p.iterdir()) for _, p in folders}
        total = sum(sizes.values())
        for _, path in folders:
            if total > LIMIT:
                _remove(path)
                total -= sizes[path]
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


@dataclass
class Entry:
    """The windows of one learner in the journal; `logged` says whether their training log is kept too."""

    journal: Journal
    learner: Learner
    windows: Sequence[Window]
    logged: bool
    _key: str | None = None
    _pending: list[tuple[list[int], ChunkResult]] = field(default_factory=list)
    _last_write: float = field(default_factory=time.monotonic)

    def read(self) -> Iterator[tuple[list[int], ChunkResult]]:
        """The chunks of an earlier process whose windows are all among these; a damaged file is said."""
        if not self.journal.folder.is_dir() or not self._update_key():
            return
        names = self._window_names()
        position = {name: k for k, name in enumerate(names)}
        if len(position) < len(names):
            return
        for path in sorted((self.journal.folder / str(self._key)).glob("*.zip")):
            chunk = _read(path, str(self._key))
            if chunk is not None and all(name in position for name in chunk[0]):
                positions = [position.pop(name) for name in chunk[0]]
                yield positions, self._chunk_result(positions, *chunk[1:])

    def add(self, positions: list[int], result: ChunkResult) -> None:
        """Adds a finished chunk; all that were added are written every SECONDS."""
        self._pending.append((positions, result))
        if self.journal.failed or time.monotonic() - self._last_write < SECONDS:
            return
        key = self._key
        # A key changes when training imports further code: earlier chunks do not belong to the new one.
        if self._update_key() and key in (None, self._key):
            names = self._window_names()
            try:
                for positions, result in self._pending:
                    self._write(_serialised([names[k] for k in positions], result))
            except OSError as error:
                self.journal.fail(error)
        self._pending.clear()
        self._last_write = time.monotonic()

    def _write(self, body: bytes) -> None:
        path = self.journal.folder / str(self._key) / owned_name(f"{uuid.uuid4().hex}.zip")
        write_whole(path, signed(body, str(self._key)), lasting=False)

    def _update_key(self) -> bool:
        """Sets the key for the code as it is now; False where `code_of` cannot tell what the code is."""
        code = code_of(self.learner)
        self._key = None if code is None else key_of(self.learner, f"windows, logged: {self.logged}", code)
        if self._key is not None:
            self.journal.keys.add(self._key)
        return self._key is not None

    def _window_names(self) -> list[str]:
        """A name for each window: the digest of its bars, and its bounds."""
        frames = {id(w.bars): w.bars for w in self.windows}
        digests = {frame: digest(bars) for frame, bars in frames.items()}
        return [f"{digests[id(w.bars)]} {w.start} {w.split} {w.stop}" for w in self.windows]

    def _chunk_result(self, positions: list[int], values: np.ndarray, log: TrainingLog) -> ChunkResult:
        """A chunk from its file; `values` are the forecasts of its windows, one block after another."""
        results: list[tuple[int, object]] = []
        start = 0
        for number, window in enumerate(self.windows[k] for k in positions):
            index = window.bars.index[window.split - 1 : window.stop]
            results.append((number, pd.Series(values[start : start + window.block], index=index)))
            start += window.block
        return ChunkResult(results, log if self.logged else None)


def _remove(folder: Path) -> None:
    """Removes the files of a key, but for those of another living process, which may be killed and resume from them."""
    with suppress(FileNotFoundError):
        for path in list(folder.iterdir()):
            if not of_another(path):
                path.unlink(missing_ok=True)
    with suppress(OSError):  # files are left in it, or another process has removed it
        folder.rmdir()


def _serialised(names: list[str], chunk: ChunkResult) -> bytes:
    """A chunk as the content of its file."""
    forecasts = [forecast for _, forecast in sorted(chunk.results, key=lambda pair: pair[0])]
    log = chunk.log or TrainingLog()
    tables = {
        "windows": pd.DataFrame({"name": names}),
        "forecasts": pd.DataFrame({"value": np.concatenate([np.asarray(values, float) for values in forecasts])}),
        "training": pd.DataFrame(log.windows),
        **({"spreads": pd.concat(log.spreads).to_frame("spread")} if log.spreads else {}),
        **({"states": pd.concat(log.states)} if log.states else {}),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, table in tables.items():
            archive.writestr(name, _arrow(table))
    return buffer.getvalue()


def _read(path: Path, key: str) -> tuple[list[str], np.ndarray, TrainingLog] | None:
    """The windows' names, their forecasts and their training log; None where the file cannot be used, which is said."""
    try:
        body = body_of(path.read_bytes(), key)
    except OSError as error:  # another process has ended and removed it, or the disk fails
        say(f"{path} cannot be read, and its windows are trained again: {error}")
        return None
    if body is None:
        say(f"{path} is not what was written; its windows are trained again")
        return None
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        tables = {name: pa.ipc.open_file(archive.read(name)).read_pandas() for name in archive.namelist()}
    training = tables["training"].to_dict("records")
    spreads = [tables["spreads"]["spread"]] if "spreads" in tables else []
    states = [tables["states"]] if "states" in tables else []
    values = tables["forecasts"]["value"].to_numpy(float)
    return tables["windows"]["name"].to_list(), values, TrainingLog(training, spreads, states)


def _arrow(table: pd.DataFrame) -> bytes:
    """A table in Arrow's format, which preserves every type and unit."""
    arrow, buffer = pa.Table.from_pandas(table), io.BytesIO()
    with pa.ipc.new_file(buffer, arrow.schema) as writer:
        writer.write_table(arrow)
    return buffer.getvalue()
