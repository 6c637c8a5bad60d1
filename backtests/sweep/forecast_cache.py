"""Forecasts that were slow to make, kept under a key that any change of code, parameters or bars changes."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rollcast.backtests.atomic import write_whole

LIMIT = 1 << 30  # bytes kept; beyond it the longest unused go first
MAGIC = b"rollcast forecast 1\n"


@dataclass(frozen=True)
class Kept:
    """A forecast as it is kept: its values at every bar, and what was found when it was made.

    probes, noise: of the gate, -1 probes where it was not asked.   seconds: what predicting took.
    """

    values: np.ndarray
    probes: int = -1
    noise: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class ForecastCache:
    """A folder of forecasts, a file each; files appear whole, and one that was damaged is a miss.

    limit: bytes kept at most.
    """

    folder: Path
    limit: int = LIMIT

    def get(self, key: str) -> Kept | None:
        """The forecast under a key, if it is there and sound."""
        path = self.folder / key
        try:
            content = path.read_bytes()
            os.utime(path)  # used now
        except OSError:
            return None
        body = content[len(MAGIC) + 32 :]
        if not content.startswith(MAGIC) or hashlib.sha256(body).digest() != content[len(MAGIC) : len(MAGIC) + 32]:
            return None
        head, _, values = body.partition(b"\n")
        return Kept(np.frombuffer(values, "<f8").copy(), **json.loads(head))

    def put(self, key: str, kept: Kept) -> None:
        """Keeps a forecast; those longest unused make room."""
        head = {"probes": kept.probes, "noise": kept.noise, "seconds": kept.seconds}
        body = json.dumps(head).encode() + b"\n" + np.ascontiguousarray(kept.values, "<f8").tobytes()
        write_whole(self.folder / key, MAGIC + hashlib.sha256(body).digest() + body)
        self._shrink()

    def _shrink(self) -> None:
        files = []
        for path in self.folder.iterdir():
            try:
                status = path.stat()
            except OSError:  # another process made room
                continue
            files.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self.limit:
                return
            path.unlink(missing_ok=True)
            total -= size
