"""A sketch of a run's returns, small enough to keep for every run and exact enough to correlate any two.

Notation: r simple return per bar, N trials, B blocks of 2^k minutes since 1970.
"""

from __future__ import annotations

import struct
from functools import lru_cache

import numpy as np
import pandas as pd

BLOCKS, OVERLAP, LARGEST = 512, 20, 500  # blocks of a sketch; least blocks to correlate on; most trials to cluster


def sketch(returns: pd.Series) -> bytes:
    """Log returns Σ log(1+r) over at most 512 calendar blocks: k, the first block's number, the sums as float32.

    Block b covers the minutes b·2^k to (b+1)·2^k - 1 since 1970, so that the blocks of any two runs nest. NaN: no bar.
    """
    minutes = returns.index.as_unit("s").asi8 // 60
    k = 0
    while (minutes[-1] >> k) - (minutes[0] >> k) >= BLOCKS:
        k += 1
    block = minutes >> k
    first = np.flatnonzero(np.r_[True, block[1:] != block[:-1]])  # the dates are sorted
    sums = np.full(block[-1] - block[0] + 1, np.nan, "<f4")
    sums[block[first] - block[0]] = np.add.reduceat(np.log1p(returns.to_numpy(float)), first)
    return struct.pack("<Bq", k, block[0]) + sums.tobytes()


def effective(sketches: list[bytes]) -> float:
    """How many of these trials are unlike, from the clusters of their correlations.

    Beyond 500 trials the clusters of the first 500 are scaled up in proportion, which can only overstate.
    """
    return _effective(tuple(sketches))


def returns_on(dates: pd.DatetimeIndex, sketches: list[bytes]) -> pd.DataFrame:
    """The returns of each trial in the blocks that hold these dates, (T, N), as `Trials.returns` has them.

    The blocks are those of the longest trial; beyond 500 trials the first 500.
    """
    taken = [_unpacked(s) for s in sketches[:LARGEST]]
    k = max(k for k, _, _ in taken)
    block = (dates.as_unit("s").asi8 // 60) >> k
    last = np.flatnonzero(np.r_[block[1:] != block[:-1], True])
    found = np.full((len(last), len(taken)), np.nan)
    for column, (first, sums) in zip(found.T, (_lifted(one, k) for one in taken), strict=True):
        place = block[last] - first
        inside = (place >= 0) & (place < len(sums))
        column[inside] = np.expm1(sums[place[inside]])
    return pd.DataFrame(found, dates[last])


@lru_cache(maxsize=4)  # a run's sheet and the index ask for the same
def _effective(sketches: tuple[bytes, ...]) -> float:
    from ..evidence.luck import effective_trials

    if len(sketches) < 2:
        return float(len(sketches))
    taken = [_unpacked(s) for s in sketches[:LARGEST]]
    # Rows of mean zero whose correlations are R = V Λ Vᵀ: [V √Λ, -V √Λ], the negative of Λ left out.
    values, vectors = np.linalg.eigh(_correlations(taken))
    rows = vectors * np.sqrt(values.clip(min=0))  # (N, N)
    rows[[not np.nanmax(np.abs(sums)) for _, _, sums in taken]] = 0.0  # never traded
    return effective_trials(np.hstack([rows, -rows])).count * len(sketches) / len(taken)


def _correlations(sketches: list[tuple[int, int, np.ndarray]]) -> np.ndarray:
    """Correlation of each pair over the blocks both have, the blocks being the longer of the two; 0 below 20 blocks."""
    first = min(b << k for k, b, _ in sketches)
    last = max((b + len(sums)) << k for k, b, sums in sketches)
    least = int((last - first) // (4 * BLOCKS)).bit_length()  # short runs far apart, at a bearable width
    ks = np.array([max(k, least) for k, _, _ in sketches])
    found = np.eye(len(sketches))
    for k in np.unique(ks):
        some, new = np.flatnonzero(ks <= k), np.flatnonzero(ks == k)
        lifted = [_lifted(sketches[i], k) for i in some]
        start = min(b for b, _ in lifted)
        table = np.full((len(some), max(b - start + len(sums) for b, sums in lifted)), np.nan)  # (N, B)
        for row, (b, sums) in zip(table, lifted, strict=True):
            row[b - start : b - start + len(sums)] = sums
        pairs = _pairwise(table[np.isin(some, new)], table)
        found[np.ix_(new, some)], found[np.ix_(some, new)] = pairs, pairs.T
    np.fill_diagonal(found, 1.0)
    return found


def _pairwise(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlations of the rows of a with those of b, (N, B) and (M, B), over the columns where neither is NaN."""
    (x, u), (y, v) = _centred(a), _centred(b)
    n = u @ v.T  # (N, M)
    with np.errstate(invalid="ignore", divide="ignore"):
        sx, sy, sxx, syy = x @ v.T, u @ y.T, x**2 @ v.T, u @ (y**2).T
        vx, vy = sxx - sx**2 / n, syy - sy**2 / n
        rho = (x @ y.T - sx * sy / n) / np.sqrt(vx * vy)
    return np.where((n >= OVERLAP) & (vx > 1e-9 * sxx) & (vy > 1e-9 * syy), rho, 0.0).clip(-1, 1)


def _centred(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows less their means, 0 where NaN; and 1 where not NaN."""
    known = ~np.isnan(table)
    return np.where(known, table - np.nanmean(table, axis=1, keepdims=True), 0.0), known.astype(float)


def _unpacked(blob: bytes) -> tuple[int, int, np.ndarray]:
    """k, the first block's number, and the sums."""
    k, first = struct.unpack_from("<Bq", blob)
    return k, first, np.frombuffer(blob, "<f4", offset=9).astype(float)


def _lifted(packed: tuple[int, int, np.ndarray], k: int) -> tuple[int, np.ndarray]:
    """A sketch summed over blocks of 2^k minutes: the first block's number and the sums."""
    own, first, sums = packed
    block = (first + np.arange(len(sums))) >> (k - own)
    known = ~np.isnan(sums)
    total = np.full(block[-1] - block[0] + 1, np.nan)
    total[np.unique(block[known]) - block[0]] = 0.0
    np.add.at(total, block[known] - block[0], sums[known])
    return int(block[0]), total
