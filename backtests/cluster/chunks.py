"""Chunks of work: long enough that the cost of starting one is small, short enough that all workers end together."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from ...predictors.executor import Work

FIRST = 4  # units of a chunk before any has been timed
GROWTH = 4  # a chunk has at most this many times as many units as the one before
OVERHEAD = 0.1  # largest share of a chunk's time that its start may take


@dataclass
class Chunks:
    """The units that remain, by their positions, in chains that are not split.

    seconds: target time of a chunk; infinite for as few chunks as `parts` allows.
    parts:   a chunk is at most 1/parts of what remains.
    size:    units of the next chunk.
    """

    chains: deque[list[int]]
    seconds: float
    parts: int = 1
    size: float = FIRST
    _last: tuple[int, float] | None = None
    _start: float = 0.0

    @classmethod
    def of(cls, work: Work, finished: Collection[int], seconds: float, parts: int = 1) -> Chunks:
        """All units of some work except the finished ones."""
        remaining = [k for k in range(len(work.units)) if k not in finished]
        if work.chains is None:
            chains = deque([k] for k in remaining)
        else:
            by_number: dict[int, list[int]] = {}
            for k in remaining:
                by_number.setdefault(work.chains[k], []).append(k)
            chains = deque(by_number.values())
        return cls(chains, seconds, parts, math.inf if math.isinf(seconds) else FIRST)

    def __len__(self) -> int:
        """The number of chains that remain."""
        return len(self.chains)

    def take(self) -> list[int]:
        """The next chunk, of consecutive units, so that their training log is in their order."""
        limit = max(1, min(self.size, math.ceil(len(self) / self.parts)))
        chunk = list(self.chains.popleft())
        while self.chains and self.chains[0][0] == chunk[-1] + 1 and len(chunk) + len(self.chains[0]) <= limit:
            chunk += self.chains.popleft()
        return chunk

    def record(self, units: int, seconds: float) -> None:
        """Sets the size of the next chunks from the time that a chunk took.

        The model is t = c + n·p: t is the time of a chunk of n units, c of its start and p of one unit. c and p follow
        from the last two chunks.
        """
        if math.isinf(self.seconds):
            return
        if self._last and units != self._last[0]:
            slope = (seconds - self._last[1]) / (units - self._last[0])
            self._start = max(0.0, seconds - units * slope) if slope > 0 else 0.0
        self._last = units, seconds
        unit = max(seconds - self._start, 0.1 * seconds, 1e-9) / units
        self.size = min(max(self.seconds, self._start / OVERHEAD) / unit, GROWTH * max(units, FIRST))
