"""A cache on disk of slow forecasts, under keys that any change of code, parameters or bars changes."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..atomic import write_whole
from ..digests import body_of, say, signed
from ..owner import DRAFT

LIMIT = 1 << 30  # bytes; beyond it the least recently used entries are removed


@dataclass(frozen=True)
class CachedForecast:
    """A forecast with what is known of its computation.

    values:  at every bar, (T,).
    probes:  of the look-ahead gate; -1 where the gate has not examined the predictor.
    noise:   of the same gate: by how much predicting again changes a forecast.
    seconds: of the prediction.
    """

    values: np.ndarray
    probes: int = -1
    noise: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True)
class ForecastCache:
    """A folder of forecasts, one file each. Files appear whole; a damaged one counts as absent.

    limit: size of the folder, in bytes.
    """

    folder: Path
    limit: int = LIMIT

    def get(self, key: str) -> CachedForecast | None:
        """The forecast of a key; None where it is absent, or damaged, which is said."""
        path = self.folder / key
        try:
            content = path.read_bytes()
            os.utime(path)  # the time of its last use
        except OSError:
            return None
        body = body_of(content, key)
        if body is None:
            say(f"{path} is not what was written; the forecast is made again")
            return None
        head, _, values = body.partition(b"\n")
        return CachedForecast(np.frombuffer(values, "<f8").copy(), **json.loads(head))

    def put(self, key: str, forecast: CachedForecast) -> None:
        """Writes a forecast; the least recently used ones are removed where the folder exceeds its limit.

        An error of the disk is said, and ends nothing.
        """
        head = {"probes": forecast.probes, "noise": forecast.noise, "seconds": forecast.seconds}
        body = json.dumps(head).encode() + b"\n" + np.ascontiguousarray(forecast.values, "<f8").tobytes()
        try:
            write_whole(self.folder / key, signed(body, key))
            self._shrink()
        except OSError as error:
            say(f"{self.folder} cannot keep a forecast, which will be made again: {error}")

    def _shrink(self) -> None:
        files = []
        for path in self.folder.iterdir():
            if path.name.startswith(DRAFT):  # another process is writing it
                continue
            try:
                status = path.stat()
            except OSError:  # another process has removed it
                continue
            files.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self.limit:
                return
            path.unlink(missing_ok=True)
            total -= size
