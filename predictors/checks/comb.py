"""A comb of changed bars: one forecast of a series probes the bar before every tooth.

Notation: T bars; L the memory, how many bars after a changed bar its forecasts still differ; a tooth, W changed bars,
each by an amount of its own, so that a sum of returns or a return among them is another too. With teeth that begin
L + W + 1 bars apart, the forecast at the bar before a tooth reads no tooth unless it looks ahead; as many shifted combs
probe every bar. What a comb shows counts only once it is seen with the teeth after that bar alone,
so that a memory longer than was measured accuses nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..bars import COLUMNS
from .lookahead import Leak, Predict, absolute_difference, size_of

CALLS = 400  # of combs; a memory that needs more leaves bars unprobed
BOTH_SIGNS = 128  # up to so many, every bar is moved up and down
WIDEST = 64  # bars of a tooth, where the memory leaves as many combs
CONFIRMED = 12  # bars whose forecast differed, looked at one by one
RELATIVE = 1e-7  # of a forecast, below which it is the same
COMBED = "changed one by one"


@dataclass(frozen=True)
class Combed:
    """What the combs show.

    probed: whether each bar was probed (T,).   calls: of `predict`.
    limit:  the change that could have gone unseen at each bar (T,), in log return.
    """

    leak: Leak | None
    probed: np.ndarray
    calls: int
    limit: np.ndarray


def comb(predict: Predict, bars: pd.DataFrame, reference: np.ndarray, noise: float = 0.0, calls: int = CALLS) -> Combed:
    """Changes single bars, many at once, and compares every forecast that reads none of them.

    reference: the forecasts on the unchanged bars (T,).   noise: by how much running again moves one.
    calls: the most combs.
    """
    return _Comb(predict, bars, reference, noise).result(calls)


class _Comb:
    def __init__(self, predict: Predict, bars: pd.DataFrame, reference: np.ndarray, noise: float) -> None:
        self.predict, self.bars, self.reference, self.noise = predict, bars, reference, noise
        self.values = bars.to_numpy(float)
        self.calls = 0
        rng = np.random.default_rng(0)
        n = len(bars)
        self.size = rng.uniform(0.02, 0.08, n) * rng.choice([-1.0, 1.0], n)
        self.volume = rng.normal(0.0, 1.0, n)

    def result(self, most: int) -> Combed:
        n = len(self.bars)
        limit = self._rounding()
        memory = self._memory(limit / 8)
        if memory + 2 > most:
            # What fades is never gone: judged at a size below which it no longer matters.
            limit = np.maximum(limit, RELATIVE * size_of(self.reference))
            memory = self._memory(limit / 8)
        # A memory of all bars leaves one tooth a call, spread evenly: as many cuts.
        width = int(np.clip(most - memory - 1, 1, min(WIDEST, n // 4)))
        probed, step = np.zeros(n, bool), min(memory + width + 1, n - 1)
        signs = (1.0, -1.0) if 2 * step <= min(most, BOTH_SIGNS) else (1.0,)
        for shift in np.unique(np.linspace(0, step - 1, min(step, most)).astype(int)):
            for sign in signs:
                starts = np.arange(1 + shift, n, step)
                teeth = (starts[:, None] + np.arange(width)).ravel()
                teeth = teeth[teeth < n]
                before = starts[np.isfinite(self.reference[starts - 1])] - 1
                moved = self._moved(teeth, sign)
                beyond = before[moved[before] > limit[before]]
                for at in beyond[np.argsort(-moved[beyond])][:CONFIRMED]:
                    if leak := self._confirmed(int(at), teeth, sign, limit):
                        return Combed(leak, probed, self.calls, limit)
                probed[np.setdiff1d(before, beyond)] = True
        return Combed(None, probed, self.calls, limit)

    def _rounding(self) -> np.ndarray:
        """What counts as rounding at each bar (T,): measured with every price and volume moved in its last place."""
        signs = np.random.default_rng(1).choice([-1.0, 1.0], self.values.shape)
        change = self._difference(self.values * (1.0 + signs * np.finfo(float).eps))
        # Not the largest: where a forecast turns on a sign, one last place is worth all of it.
        finite = change[np.isfinite(change) & np.isfinite(self.reference)]
        last_place = float(np.quantile(finite, 0.99)) if len(finite) else 0.0
        size = np.nan_to_num(np.abs(self.reference))
        # A Fourier transform spreads the rounding of its largest values over all bars.
        spread = np.finfo(float).eps * size_of(self.reference)
        return np.maximum(RELATIVE * size, max(64 * last_place, 64 * spread, 8 * self.noise, 1e-300))

    def _memory(self, limit: np.ndarray) -> int:
        """How many bars after a changed bar its forecasts still differ; the longest of three places and both signs."""
        n, longest = len(self.bars), 0
        for at in (n // 4, n // 2, 3 * n // 4):
            for sign in (1.0, -1.0):
                moved = self._moved(np.array([at]), sign)
                later = np.flatnonzero(moved > limit)
                later = later[later >= at]
                longest = max(longest, int(later[-1] - at) if len(later) else 0)
        return longest

    def _confirmed(self, at: int, teeth: np.ndarray, sign: float, limit: np.ndarray) -> Leak | None:
        """The leak at bar `at`, seen with the teeth after it alone."""
        after = teeth[teeth > at]
        size = float(self._moved(after, sign)[at])
        if size <= limit[at]:
            return None
        columns = [c for c in COLUMNS if self._moved(after, sign, [c])[at] > limit[at]]
        near = (k for k in range(1, WIDEST + 1) if self._moved(after[:k], sign)[at] > limit[at])
        ahead = int(after[next(near, len(after)) - 1]) - at
        return Leak(self.bars.index[at], at + 1, ahead, tuple(columns) or COLUMNS, size, self.noise, COMBED)

    def _moved(self, teeth: np.ndarray, sign: float, columns: list[str] | None = None) -> np.ndarray:
        """How far each forecast moves with these bars changed (T,); an idle bar stays idle."""
        values = self.values.copy()
        for column in columns or COLUMNS:
            size = self.volume if column == "volume" else self.size
            values[teeth, self.bars.columns.get_loc(column)] *= np.exp(sign * size[teeth])
        return self._difference(values)

    def _difference(self, values: np.ndarray) -> np.ndarray:
        self.calls += 1
        other = pd.DataFrame(values, index=self.bars.index, columns=self.bars.columns)
        return absolute_difference(self.predict(other).to_numpy(float), self.reference)
