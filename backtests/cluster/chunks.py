"""How work is cut into chunks: long enough that starting one costs nothing, short enough that all end together."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from rollcast.predictors.executor import Work

FIRST = 4  # units of a chunk before any has been timed
GROWTH = 4  # a chunk is at most so many times as long as the one before
START = 0.1  # share of a chunk's time that may go into what a chunk costs however short it is


@dataclass
class Chunks:
    """The units that are left, by their positions, in chains that are not to be cut.

    seconds: a chunk should take; infinite for as few chunks as `parts` allows.
    parts:   a chunk is at most one part in so many of what is left.
    """

    chains: deque[list[int]]
    seconds: float
    parts: int = 1
    size: float = FIRST
    _last: tuple[int, float] | None = None
    _start: float = 0.0

    @classmethod
    def of(cls, work: Work, done: Collection[int], seconds: float, parts: int = 1) -> Chunks:
        """All units of some work but those already done."""
        left = [k for k in range(len(work.units)) if k not in done]
        if work.chains is None:
            chains = deque([k] for k in left)
        else:
            by_number: dict[int, list[int]] = {}
            for k in left:
                by_number.setdefault(work.chains[k], []).append(k)
            chains = deque(by_number.values())
        return cls(chains, seconds, parts, math.inf if math.isinf(seconds) else FIRST)

    @property
    def left(self) -> int:
        """How many chains are left."""
        return len(self.chains)

    def take(self) -> list[int]:
        """The next chunk: neighbours, so that what is noted of them is in their order."""
        most = max(1, min(self.size, math.ceil(self.left / self.parts)))
        chunk = list(self.chains.popleft())
        while self.chains and self.chains[0][0] == chunk[-1] + 1 and len(chunk) + len(self.chains[0]) <= most:
            chunk += self.chains.popleft()
        return chunk

    def timed(self, units: int, seconds: float) -> None:
        """Learns from a chunk how long the next ones should be.

        t = c + n·p, units n and seconds t of the last two chunks, the cost c of starting and the pace p.
        """
        if math.isinf(self.seconds):
            return
        if self._last and units != self._last[0]:
            slope = (seconds - self._last[1]) / (units - self._last[0])
            self._start = max(0.0, seconds - units * slope) if slope > 0 else 0.0
        self._last = units, seconds
        pace = max(seconds - self._start, 0.1 * seconds, 1e-9) / units
        self.size = min(max(self.seconds, self._start / START) / pace, GROWTH * max(units, FIRST))
