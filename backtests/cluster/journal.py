"""Windows that were forecast, kept until their run has ended, so that the same command goes on after a kill.

unfinished/KEY/N.zip   some windows: which, their forecasts, the records of their training, as Arrow tables

The key is of the learner, its parameters, all code and all versions, as in `pipeline.cache_key`.
"""

from __future__ import annotations

import io
import shutil
import time
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from rollcast.backtests.atomic import write_whole
from rollcast.backtests.cluster.task import Done
from rollcast.backtests.data.bars import digest
from rollcast.backtests.pipeline.cache_key import code_of, key_of
from rollcast.predictors import Learner, Window
from rollcast.predictors.executor import Work
from rollcast.predictors.training_log import TrainingLog

SECONDS = 5.0  # between two writes, and before the first: what takes less is not worth keeping
LIMIT = 1 << 30  # bytes of runs that never went on; beyond it the oldest go


@dataclass
class Journal:
    """A folder of unfinished windows, and the keys in it that this process has used."""

    folder: Path
    used: set[str] = field(default_factory=set)

    def entry(self, work: Work, noted: bool) -> Entry | None:
        """The place of some work; None for what is not kept: all but the windows of a learner."""
        learner = getattr(work.function, "__self__", None)
        if not isinstance(learner, Learner) or getattr(work.function, "__name__", "") != "forecast":
            return None
        return Entry(self, learner, list(work.units), noted)

    def clear(self) -> None:
        """Removes what this process has used, and the longest unused of what is over LIMIT."""
        for key in self.used:
            shutil.rmtree(self.folder / key, ignore_errors=True)
        if not self.folder.is_dir():
            return
        folders = sorted((p.stat().st_mtime_ns, p) for p in self.folder.iterdir() if p.is_dir())
        sizes = {p: sum(file.stat().st_size for file in p.iterdir()) for _, p in folders}
        total = sum(sizes.values())
        for _, path in folders:
            if total > LIMIT:
                shutil.rmtree(path, ignore_errors=True)
                total -= sizes[path]
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


@dataclass
class Entry:
    """The windows of one learner: those found, and those to keep."""

    journal: Journal
    learner: Learner
    windows: Sequence[Window]
    noted: bool

    def __post_init__(self) -> None:
        self._key: str | None = None
        self._pending: list[tuple[list[int], Done]] = []
        self._last = time.monotonic()

    def found(self) -> Iterator[tuple[list[int], Done]]:
        """Chunks of an earlier process, of which all windows are among these; a damaged one is left out."""
        if not self.journal.folder.is_dir() or not self._keyed():
            return
        names = self._names()
        place = {name: k for k, name in enumerate(names)}
        if len(place) < len(names):
            return
        for path in sorted((self.journal.folder / str(self._key)).glob("*.zip")):
            chunk = _read(path)
            if chunk is not None and all(name in place for name in chunk[0]):
                positions = [place.pop(name) for name in chunk[0]]
                yield positions, self._done(positions, *chunk[1:])

    def keep(self, positions: list[int], done: Done) -> None:
        """Notes a finished chunk, and writes all that is noted every few seconds."""
        self._pending.append((positions, done))
        if time.monotonic() - self._last < SECONDS:
            return
        key = self._key
        # Code that was loaded on the way is not in an earlier key.
        if self._keyed() and key in (None, self._key):
            names = self._names()
            for positions, done in self._pending:
                content = _packed([names[k] for k in positions], done)
                write_whole(self.journal.folder / str(self._key) / f"{uuid.uuid4().hex}.zip", content, lasting=False)
        self._pending.clear()
        self._last = time.monotonic()

    def _keyed(self) -> bool:
        """Sets the key as of now; False where the code cannot be told."""
        code = code_of(self.learner)
        self._key = None if code is None else key_of(self.learner, f"windows, noted: {self.noted}", code)
        if self._key is not None:
            self.journal.used.add(self._key)
        return self._key is not None

    def _names(self) -> list[str]:
        """What each window is called: its bars and its bounds."""
        frames = {id(w.bars): w.bars for w in self.windows}
        stamps = {frame: digest(bars) for frame, bars in frames.items()}
        return [f"{stamps[id(w.bars)]} {w.start} {w.split} {w.stop}" for w in self.windows]

    def _done(self, positions: list[int], values: np.ndarray, page: TrainingLog) -> Done:
        """The chunk as it was done; its values are those of its windows, one block after another."""
        results, at = [], 0
        for number, window in enumerate(self.windows[k] for k in positions):
            index = window.bars.index[window.split - 1 : window.stop]
            results.append((number, pd.Series(values[at : at + window.block], index=index)))
            at += window.block
        return Done(results, page if self.noted else None)


def _packed(names: list[str], done: Done) -> bytes:
    blocks = dict(done.results)
    page = done.page or TrainingLog()
    tables = {
        "windows": pd.DataFrame({"name": names}),
        "forecasts": pd.DataFrame({"value": np.concatenate([blocks[k].to_numpy(float) for k in range(len(names))])}),
        "notes": pd.DataFrame(page.windows),
        **({"spreads": pd.concat(page.spreads).to_frame("spread")} if page.spreads else {}),
        **({"states": pd.concat(page.states)} if page.states else {}),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as whole:
        for name, table in tables.items():
            whole.writestr(name, _arrow(table))
    return buffer.getvalue()


def _read(path: Path) -> tuple[list[str], np.ndarray, TrainingLog] | None:
    """The windows' names, their forecasts and their training log; None where the file is damaged."""
    try:
        with zipfile.ZipFile(path) as whole:
            tables = {name: pa.ipc.open_file(whole.read(name)).read_pandas() for name in whole.namelist()}
        notes = tables["notes"].to_dict("records")
        spreads = [tables["spreads"]["spread"]] if "spreads" in tables else []
        states = [tables["states"]] if "states" in tables else []
        values = tables["forecasts"]["value"].to_numpy(float)
        return tables["windows"]["name"].to_list(), values, TrainingLog(notes, spreads, states)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def _arrow(table: pd.DataFrame) -> bytes:
    """A table in Arrow's format, which keeps every type and unit."""
    arrow, buffer = pa.Table.from_pandas(table), io.BytesIO()
    with pa.ipc.new_file(buffer, arrow.schema) as writer:
        writer.write_table(arrow)
    return buffer.getvalue()
