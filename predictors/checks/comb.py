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
WIDEST = 64  # bars of a tooth, where the memory leaves as many combs
CONFIRMED = 12  # bars whose forecast differed, looked at one by one
RELATIVE = 1e-7  # of a forecast, below which it is the same
# Of the forecasts' size, below which an influence counts as forgotten: the first at which every bar can be probed.
FORGOTTEN = (0.0, RELATIVE, 1e-6, 1e-5, 1e-4, 1e-3)
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


def comb(
    predict: Predict,
    bars: pd.DataFrame,
    reference: np.ndarray,
    noise: float = 0.0,
    calls: int = CALLS,
    nearest: np.ndarray | None = None,
) -> Combed:
    """Changes single bars, many at once, and compares every forecast that reads none of them.

    reference: the forecasts on the unchanged bars (T,).   noise: by how much running again moves one.
    calls: the most combs.   nearest: how far it is to the nearest forecast of another name (T,).
    """
    used = np.nan_to_num(np.abs(reference)) if nearest is None else np.fmin(np.abs(reference), nearest)
    return _Comb(predict, bars, reference, noise).result(calls, np.nan_to_num(used))


class _Comb:
    def __init__(self, predict: Predict, bars: pd.DataFrame, reference: np.ndarray, noise: float) -> None:
        self.predict, self.bars, self.reference, self.noise = predict, bars, reference, noise
        self.values = bars.to_numpy(float)
        self.at = [bars.columns.get_loc(column) for column in COLUMNS]
        self.calls = 0
        self.factors = _factors(self.values[:, self.at])

    def result(self, most: int, used: np.ndarray) -> Combed:
        n, first = len(self.bars), int(np.argmax(np.isfinite(self.reference)))
        rounding = self._rounding()
        limit, memory = self._memory(most, rounding)
        # A change that turns the sign of a forecast, or its rank, is more than the forecast, or its lead.
        judged = np.maximum(rounding, np.minimum(limit, used))
        # Up and down, where there are calls for both. A memory of all bars leaves one tooth a call: as many cuts.
        signs = (1.0, -1.0) if 2 * (memory + 2) <= most else (1.0,)
        width = int(np.clip(most // len(signs) - memory - 1, 1, max(min(WIDEST, (n - first) // 4), 1)))
        probed, step = np.zeros(n, bool), max(min(memory + width + 1, n - first - 1), 1)
        for shift in np.unique(np.linspace(0, step - 1, min(step, most)).astype(int)):
            for sign in signs:
                starts = np.arange(first + 1 + shift, n, step)
                teeth = (starts[:, None] + np.arange(width)).ravel()
                teeth = teeth[teeth < n]
                before = starts[np.isfinite(self.reference[starts - 1])] - 1
                moved = self._moved(teeth, sign)
                beyond = before[moved[before] > judged[before]]
                beyond = beyond[np.argsort(-moved[beyond])]
                for at in beyond[:CONFIRMED]:
                    if leak := self._confirmed(int(at), teeth, sign, rounding):
                        return Combed(leak, probed, self.calls, limit)
                probed[np.setdiff1d(before, beyond[CONFIRMED:])] = True
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

    def _memory(self, most: int, rounding: np.ndarray) -> tuple[np.ndarray, int]:
        """What could go unseen at each bar (T,), and after how many bars an influence of more than that is forgotten.

        The longest of a few places, a week among them, for what reads Fridays alone, and of both signs, at the first of
        `FORGOTTEN` at which `most` combs probe every bar.
        """
        n, first, size = len(self.bars), int(np.argmax(np.isfinite(self.reference))), size_of(self.reference)
        middle = first + (n - first) // 2
        places = [first + (n - first) // 4, first + (n - first) * 3 // 4, *range(middle, min(middle + 5, n))]
        moved = {(at, sign): self._moved(np.array([at]), sign) for at in places for sign in (1.0, -1.0)}
        memory = {}
        for share in FORGOTTEN:
            limit = np.maximum(rounding, share * size)
            later = [np.flatnonzero(change[at:] > limit[at:] / 8) for (at, _), change in moved.items()]
            memory[share] = max((int(bars[-1]) for bars in later if len(bars)), default=0)
            if memory[share] + 2 <= most:
                return limit, memory[share]
        return np.maximum(rounding, RELATIVE * size), memory[RELATIVE]

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
        """How far each forecast moves with these bars changed (T,)."""
        values = self.values.copy()
        for k in map(COLUMNS.index, columns or COLUMNS):
            values[teeth, self.at[k]] *= self.factors[sign][teeth, k]
        if columns is None:
            prices = values[teeth][:, self.at[:4]]
            values[teeth, self.at[1]], values[teeth, self.at[2]] = prices.max(axis=1), prices.min(axis=1)
        return self._difference(values)

    def _difference(self, values: np.ndarray) -> np.ndarray:
        self.calls += 1
        other = pd.DataFrame(values, index=self.bars.index, columns=self.bars.columns)
        return absolute_difference(self.predict(other).to_numpy(float), self.reference)


def _factors(values: np.ndarray) -> dict[float, np.ndarray]:
    """By what a changed bar is multiplied (T, columns), up or down.

    First each column by its own factor, the close so that it turns the sign of its return; then all prices together,
    the other way. An idle bar stays idle.
    """
    n, rng = len(values), np.random.default_rng(0)
    returns = np.diff(np.log(values[:, 3]), prepend=np.log(values[0, 3]))
    close = np.where(returns > 0, -1.0, 1.0) * (np.abs(np.nan_to_num(returns)) + rng.uniform(0.02, 0.08, n))
    apart = rng.uniform(0.02, 0.08, (n, 3)) * rng.choice([-1.0, 1.0], (n, 3))
    apart[values[:, 1] == values[:, 2]] = close[values[:, 1] == values[:, 2], None]
    volume = rng.normal(0.0, 1.0, n)
    changes = {1.0: np.column_stack([apart, close, volume]), -1.0: -np.column_stack([*[close] * 4, volume])}
    return {sign: np.exp(change) for sign, change in changes.items()}
