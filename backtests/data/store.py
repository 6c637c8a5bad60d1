"""The local store: a Parquet file per symbol and bar size, of prices as traded with dividends and splits.

A download only ever appends rows, so that every earlier snapshot is the first rows of the file, bit for bit; the file's
metadata hold their number and their checksum. `DataOptions.snapshot` asks for one of them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote, unquote

import numpy as np
import pandas as pd

from ...predictors.bars import COLUMNS
from ...predictors.registry import suggest
from ..atomic import whole_file
from ..owner import clear_dead
from .table import Table

HOME = "ROLLCAST_DATA"  # an environment variable that moves the store
STORED = [*COLUMNS, "dividend", "split"]
ENDING = ".parquet"
KEY, DIGEST = b"rollcast", b"rollcast.sha256"


class About(TypedDict, total=False):
    """A source's description of a symbol.

    exchange: the code of its calendar; exchange_name, zone, currency, kind: in the source's own words.
    statements: of every download, each once.
    """

    source: str
    symbol: str
    exchange: str | None
    exchange_name: str | None
    zone: str | None
    currency: str | None
    kind: str | None
    statements: list[str]


class CorruptStore(ValueError):
    """A file of the store whose content is not what was written."""


@dataclass(frozen=True)
class Snapshot:
    """The state of a file after one download.

    time: of the download, UTC; rows: their number; first, last: dates; sha256: the checksum of the rows.
    """

    time: str
    rows: int
    first: str
    last: str
    sha256: str


@dataclass(frozen=True)
class Stored:
    """A file of the store.

    rows: the columns `STORED`, dated in exchange time without a zone; snapshots: oldest first.
    """

    rows: pd.DataFrame
    snapshots: tuple[Snapshot, ...]
    about: About


def folder() -> Path:
    """Where the store is: the variable ROLLCAST_DATA, or `prices` in the user's data directory."""
    if os.environ.get(HOME):
        return Path(os.environ[HOME])
    import platformdirs

    return Path(platformdirs.user_data_dir("rollcast", appauthor=False)) / "prices"


def path_of(symbol: str) -> Path:
    """The path of a symbol's file, which need not exist."""
    name = quote(symbol, safe="^=") + ENDING
    return folder() / (f"%2E{name[1:]}" if name.startswith(".") else name)  # hidden files are drafts and locks


def stored_symbols() -> list[str]:
    """The symbols the store holds, sorted."""
    return sorted(unquote(path.name.removesuffix(ENDING)) for path in folder().glob("[!.]*" + ENDING))


def read(symbol: str) -> Stored:
    """The file of a symbol, after its checksum was compared.

    Raises LookupError where it holds nothing, CorruptStore where the file is damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = path_of(symbol)
    if not path.is_file():
        raise LookupError(f"the store holds no {symbol!r}. {suggest(symbol, stored_symbols())}")
    try:
        table = pq.read_table(path)
        metadata = table.schema.metadata or {}
        if DIGEST in metadata and _digest(metadata[KEY]) != metadata[DIGEST]:  # before 0.2 there was none
            raise ValueError("what it says of its rows does not match its checksum")
        about = json.loads(metadata[KEY])
        snapshots = tuple(Snapshot(**one) for one in about.pop("snapshots"))
        stamps = table.column("date").to_numpy().astype("datetime64[ns]")
        values = {name: table.column(name).to_numpy() for name in STORED}
        rows = pd.DataFrame(values, index=pd.DatetimeIndex(stamps, name="date"))
        whole = checksum(rows) == snapshots[-1].sha256
    except (pa.ArrowException, OSError, KeyError, ValueError, TypeError, IndexError) as error:
        raise CorruptStore(_damaged(symbol, path, str(error).splitlines()[0] if str(error) else "no reason")) from None
    if not whole:
        raise CorruptStore(_damaged(symbol, path, "its checksum does not match"))
    return Stored(rows, snapshots, about)


def stored_table(symbol: str, snapshot: str | None = None) -> Table:
    """The rows of a symbol, all of them or those of an earlier snapshot, by the first characters of its sha256.

    Raises LookupError where there is no such symbol or snapshot, CorruptStore for a damaged file.
    """
    stored = read(symbol)
    one = stored.snapshots[-1] if snapshot is None else _snapshot(stored, symbol, snapshot)
    rows = stored.rows.iloc[: one.rows]
    if one is not stored.snapshots[-1] and checksum(rows) != one.sha256:
        raise CorruptStore(_damaged(symbol, path_of(symbol), f"snapshot {one.sha256[:12]} does not match"))
    origin = f"{stored.about['source']} {symbol}, downloaded {one.time}, sha256 {one.sha256[:12]}"
    pin = {"source": "store", "symbol": symbol, "downloaded": one.time, "snapshot": one.sha256}
    return Table(rows, origin, None, tuple(stored.about.get("statements", ())), stored.about.get("exchange"), pin)


def append(symbol: str, rows: pd.DataFrame, about: About, time: str, *, whole: bool = False) -> Stored:
    """Appends the rows later than the last one stored; whole: replaces all rows instead. Returns the new file.

    Call it inside `locked(symbol)`. The file is replaced in one step, after all of it was written and flushed.

    Raises CorruptStore where the old file is damaged, OSError where the store cannot be written to.
    """
    old = None if whole or not path_of(symbol).is_file() else read(symbol)
    rows = rows.reindex(columns=STORED).astype(float)
    rows.index = pd.DatetimeIndex(rows.index, name="date").as_unit("ns")
    if old is not None:
        rows = pd.concat([old.rows, rows[rows.index > old.rows.index[-1]]])
    stamp = checksum(rows)
    snapshots = () if old is None else old.snapshots
    one = Snapshot(time, len(rows), str(rows.index[0]), str(rows.index[-1]), stamp)
    if snapshots and snapshots[-1].sha256 == stamp:  # nothing new: the rows are as fresh as this download
        snapshots = snapshots[:-1]
    stored = Stored(rows, (*snapshots, one), about)
    _replace(path_of(symbol), stored)
    return stored


def remove(symbol: str) -> Path:
    """Deletes a symbol's file and returns its path. Raises LookupError where there is none."""
    path = path_of(symbol)
    with locked(symbol):
        if not path.is_file():
            raise LookupError(f"the store holds no {symbol!r}. {suggest(symbol, stored_symbols())}")
        path.unlink()
    return path


@contextmanager
def locked(symbol: str, wait: float = 60.0) -> Iterator[None]:
    """Holds the lock of a symbol's file, so that one process at a time downloads it; wait: seconds at most.

    Raises ValueError where another process still holds the lock after that time.
    """
    from filelock import FileLock, Timeout

    path = path_of(symbol)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=wait)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(f"another process is fetching {symbol}, and was after {wait:.0f} s; try again later") from None
    try:
        clear_dead(path.parent, depth=0)
        _clear_locks(path.parent, lock.lock_file)
        yield
    finally:
        if lock.is_locked:  # removed while it is held: whoever waits for it notices, and makes another
            Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()


def _clear_locks(place: Path, own: str) -> None:
    """Removes the lock files of processes that have ended, which nobody holds; not our own."""
    from filelock import FileLock, Timeout

    for path in place.glob(f".*{ENDING}.lock"):
        if str(path) == own:
            continue
        with suppress(Timeout, OSError), FileLock(path, timeout=0):
            path.unlink(missing_ok=True)


def checksum(rows: pd.DataFrame) -> str:
    """SHA-256 of dates, prices and actions, bit by bit."""
    stamp = hashlib.sha256(pd.DatetimeIndex(rows.index).as_unit("ns").asi8.tobytes())
    for column in STORED:
        stamp.update(np.ascontiguousarray(rows[column].to_numpy(float)).tobytes())
    return stamp.hexdigest()


def _replace(path: Path, stored: Stored) -> None:
    """Writes the file of a symbol in one step; whatever interrupts leaves the old one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"date": pa.array(stored.rows.index.asi8, pa.timestamp("ns"))}
    columns |= {name: pa.array(stored.rows[name].to_numpy(float)) for name in STORED}
    about = json.dumps(stored.about | {"snapshots": [asdict(one) for one in stored.snapshots]}).encode()
    table = pa.table(columns).replace_schema_metadata({KEY: about, DIGEST: _digest(about)})
    with whole_file(path) as draft:
        pq.write_table(table, draft)


def _digest(about: bytes) -> bytes:
    """The checksum of what a file says of its rows."""
    return hashlib.sha256(about).hexdigest().encode()


def _snapshot(stored: Stored, symbol: str, snapshot: str) -> Snapshot:
    """The snapshot whose checksum begins so. Raises LookupError where there is none."""
    for one in stored.snapshots:
        if len(snapshot) >= 6 and one.sha256.startswith(snapshot):
            return one
    known = ", ".join(f"{one.sha256[:12]} of {one.time}" for one in stored.snapshots[-3:])
    raise LookupError(f"the store no longer holds the snapshot {snapshot} of {symbol}; it holds {known}")


def _damaged(symbol: str, path: Path, why: str) -> str:
    """The message for a damaged file, with the command that downloads it again."""
    return f"the store's {symbol} is damaged ({why}) and was not traded; fetch it again: rollcast data fetch {symbol}"
