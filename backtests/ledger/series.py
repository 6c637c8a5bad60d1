"""Returns of a run or of a market, small enough to keep for every run and exact enough to correlate any two.

Notation: r simple return per bar, T bars, N trials, D draws.
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import pandas as pd

from ..evidence.luck import expected_maximum

STEPS = 200  # of the rounding in a standard deviation: noise of 0.14 % of it, and 1.2 bytes a bar
FORM = 255  # the first byte; in a ledger of version 1 it is the width of the blocks of a sketch, below 64
BLOCKS = 8192  # most bars of a projection
DRAWS = 256  # of random signs, in a projection
SCALE = 30  # of a projection's numbers, which are bytes
RUIN = 1e-9 - 1  # the least return, whose logarithm is finite


def pack(returns: pd.Series) -> bytes:
    """Simple returns on their dates as bytes: the minutes since 1970, and log(1+r) rounded to a 200th of its deviation.

    About 1.2 bytes a bar; coarser where the largest return is beyond 160 deviations.
    """
    r = np.log1p(np.maximum(returns.to_numpy(float), RUIN))
    r = np.where(np.isfinite(r), r, 0.0)
    step = max(float(r.std()) / STEPS, float(np.abs(r).max(initial=0.0)) / 32767, 1e-12)
    dates = _packed_dates((pd.DatetimeIndex(returns.index).as_unit("s").asi8 // 60).tobytes())
    values = zlib.compress(np.round(r / step).astype("<i2").tobytes(), 1)
    return struct.pack("<BdI", FORM, step, len(dates)) + dates + values


@lru_cache(maxsize=2)
def _packed_dates(minutes: bytes) -> bytes:
    return zlib.compress(np.diff(np.frombuffer(minutes, np.int64), prepend=0).astype("<i4").tobytes())


def is_packed(blob: bytes) -> bool:
    """Whether these are returns bar by bar, and not a sketch of version 1."""
    return blob[0] == FORM


def unpack(blob: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Minutes since 1970 and log(1+r) of packed returns, (T,) each; of a sketch of version 1 those of its blocks.

    Such a sketch is k, the number of the first block and the sums in each block as float32; block b covers the minutes
    b·2^k to (b+1)·2^k - 1 since 1970; NaN: no bar.
    """
    if not is_packed(blob):
        k, first_block = struct.unpack_from("<Bq", blob)
        sums = np.frombuffer(blob, "<f4", offset=9).astype(float)
        known = np.flatnonzero(~np.isnan(sums))
        return (first_block + known) << k, sums[known]
    _, step, size = struct.unpack_from("<BdI", blob)
    start = struct.calcsize("<BdI")
    values = np.frombuffer(zlib.decompress(blob[start + size :]), "<i2") * step
    return _minutes(blob[start : start + size]), values


@lru_cache(maxsize=64)  # the trials of a sweep have the same dates
def _minutes(dates: bytes) -> np.ndarray:
    return np.frombuffer(zlib.decompress(dates), "<i4").cumsum(dtype=np.int64)


def projection(minutes: np.ndarray, values: np.ndarray) -> bytes | None:
    """As `projections`, of one run."""
    return projections(minutes, [values])[0]


def projections(minutes: np.ndarray, runs: Sequence[np.ndarray]) -> list[bytes | None]:
    """Of each run's log returns on these dates, (T,) each, what tells how alike any two are.

    The studentised mean of returns whose bars are given random signs, 256 times; None for returns that never move.

    The sign of a draw depends on the bar's time alone, so that two runs' numbers are correlated as their returns are,
    whatever their first bars. One byte a draw. (Rademacher multipliers: van der Vaart & Wellner 1996, Weak convergence
    and empirical processes, chapter 2.9.)
    """
    times, first = _blocks(minutes)
    table = np.zeros((len(runs), len(first)), np.float32)  # (N, B)
    moving = []
    for row, values in zip(table, runs, strict=True):
        sums = np.add.reduceat(values, first)
        moves = sums - sums.mean()
        size = float(np.sqrt(moves @ moves))
        moving.append(size > 1e-12 * float(np.sqrt(sums @ sums)))
        row[:] = moves / size if moving[-1] else 0.0
    draws = 2 * SCALE * (table @ _signs(times.tobytes()))  # the moves add up to 0, so that 1 or 0 does for + or −
    numbers = np.round(draws).clip(-127, 127).astype(np.int8)
    return [row.tobytes() if moves else None for row, moves in zip(numbers, moving, strict=True)]


def _blocks(minutes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The times of the bars and their places, (B,); of more than 8192 those of the first in each of as few blocks.

    Block b covers the minutes b·2^k to (b+1)·2^k - 1 since 1970, with the least k.
    """
    k = 0
    while len(first := np.flatnonzero(np.diff(minutes >> k, prepend=-1))) > BLOCKS:
        k += 1
    return (minutes[first] >> k) << k, first


@lru_cache(maxsize=2)
def _signs(minutes: bytes) -> np.ndarray:
    """1 or 0, for + or −, of every bar and draw, (T, D): hashes of the bars' times.

    SplitMix64: Steele, Lea & Flood (2014), Fast splittable pseudorandom number generators, OOPSLA.
    """
    times = np.frombuffer(minutes, np.int64).astype(np.uint64)[:, None] * np.uint64(DRAWS // 64)
    x: np.ndarray = (times + np.arange(1, DRAWS // 64 + 1, dtype=np.uint64)) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        x = (x ^ (x >> np.uint64(shift))) * np.uint64(factor)
    x ^= x >> np.uint64(31)
    return np.unpackbits(x.view(np.uint8), axis=1).astype(np.float32)


def effective(projections: list[bytes]) -> float:
    """How many independent trials would show as high a best one by luck as these do, at least 1.

    The mean over the draws, and their mirror images, of the highest number of all trials, as the number of independent
    normals with that expected maximum. It never falls when a trial is added, and a copy adds nothing.
    """
    if len(projections) < 2:
        return 1.0
    table = np.frombuffer(b"".join(projections), np.int8).reshape(len(projections), -1)
    highest = (table.max(axis=0).astype(float) - table.min(axis=0)).mean() / (2 * SCALE)
    if highest <= 0:
        return 1.0
    low, high = 1.0, 1e9
    while high > low * (1 + 1e-12):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if expected_maximum(middle) < highest else (low, middle)
    return high
