"""Whether two runs were made on the same market, by the returns of their bars and whatever it was called.

Notation: ρ Spearman's rank correlation, which no split, no damaged cell and no scale moves far.
"""

from __future__ import annotations

import numpy as np

DAY = 1440  # minutes
POINTS = 512  # most returns to correlate
FEWEST = 10  # least returns to tell a market by
SAME = 0.97  # |ρ| from which on it is the same: daily and raw monthly prices have 0.987, BAC and JPM 0.95 at most

Series = tuple[np.ndarray, np.ndarray]  # minutes since 1970, log returns


def same_market(a: Series, b: Series, first: int, last: int) -> bool | None:
    """Whether |ρ| of the two is at least 0.97 from a minute to another, on the dates that both have.

    Returns are taken between dates that both have; where there are few, between the dates of the one with fewer bars,
    and of the other between its last bars until then; thinned to about 512. None where fewer than 10 are left, on which
    nothing can be said.
    """
    levels = [_levels(series, first, last) for series in (a, b)]
    coarse, fine = sorted(levels, key=lambda level: len(level[0]))
    if len(coarse[0]) < FEWEST:
        return None
    place = np.searchsorted(fine[0], coarse[0], side="right") - 1
    exact = (place >= 0) & (fine[0][place] == coarse[0])
    if exact.sum() <= 2 * FEWEST:  # such as days, and hours whose last is at 16:00
        exact = (place >= 0) & (fine[0][place] > np.r_[-np.inf, coarse[0][:-1]])
    known = np.flatnonzero(exact)[:: max(int(exact.sum()) // POINTS, 1)]
    x, y = np.diff(coarse[1][known]), np.diff(fine[1][place[known]])
    return None if len(x) < FEWEST else abs(_correlation(x, y)) >= SAME


def _levels(series: Series, first: int, last: int) -> Series:
    """Times and log prices within these minutes; bars of whole days are dated at their ends."""
    minutes, returns = series
    whole_days = not (minutes % DAY).any()
    inside = slice(*np.searchsorted(minutes, (first - first % DAY if whole_days else first, last + 1)))
    return minutes[inside] + (DAY - 1) * whole_days, returns.cumsum()[inside]


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    """ρ of two samples but for the 2 % of the points, one at least, that agree least; 0 where one never moves."""
    a, b = _ranks(x), _ranks(y)
    sign = 1.0 if a @ b >= 0 else -1.0
    kept = np.argsort(np.abs(a - sign * b))[: len(a) - max(len(a) // 50, 1)]
    a, b = _ranks(x[kept]), _ranks(y[kept])
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else 0.0


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks less their mean, equal values sharing theirs."""
    _, which, count = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (count.cumsum() - (count - 1) / 2)[which]
    return ranks - ranks.mean()
