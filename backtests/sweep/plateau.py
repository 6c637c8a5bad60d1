"""Whether the best variant stands on a plateau or is a lonely peak.

Notation: S the Sharpe ratio of a variant, w the winner, B its neighbours, med the median over all variants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NEAR = 1.25  # a parameter within this factor of the winner's is a neighbour's
SHARE = 0.125  # of the axis, the same where values may be 0 or negative
PLATEAU, LONELY = 0.75, 0.5


@dataclass(frozen=True)
class Plateau:
    """What stands around the winner.

    score:      (mean of S over B - med) / (S of w - med): 1 where the neighbours are as good as the winner, 0 where
                they are no better than the middle of all; NaN where the winner is no better than that itself.
    ratio:      mean of S over B / S of w.
    worst:      least S in B.
    neighbours: positions of B.
    """

    score: float
    ratio: float
    worst: float
    neighbours: tuple[int, ...]

    @property
    def word(self) -> str:
        """plateau, slope, lonely peak, or flat where there is nothing to stand out from."""
        if math.isnan(self.score):
            return "flat"
        return "plateau" if self.score >= PLATEAU else "lonely peak" if self.score < LONELY else "slope"


def plateau(axes: Sequence[np.ndarray], sharpe: np.ndarray, winner: int) -> Plateau:
    """The neighbourhood of a winner.

    axes:   the values of each parameter, (N,) numbers, or words, whose neighbours are the same word.
    sharpe: (N,), NaN counted as 0.

    Neighbours are all variants within a quarter of the winner's value on every axis (NEAR; SHARE of its range where it
    is not positive throughout), and on each axis the next value on either side with the others as they are. Where that
    leaves fewer than two an axis, the nearest others are added.
    """
    s = np.nan_to_num(np.asarray(sharpe, float))
    numeric = [axis for axis in axes if _is_numeric(axis)]
    same = np.ones(len(s), bool)
    for axis in axes:
        if not _is_numeric(axis):
            same &= axis == axis[winner]
    steps = np.array([_distances(axis, winner) for axis in numeric]).reshape(len(numeric), len(s))
    far = steps.max(axis=0) if len(numeric) else np.zeros(len(s))  # (N,)
    near = same & (far <= 1 + 1e-9)
    for k, axis in enumerate(numeric):
        others = same & (np.delete(steps, k, axis=0) == 0).all(axis=0)
        for side in (axis < axis[winner], axis > axis[winner]):
            if (there := np.flatnonzero(others & side)).size:
                near[there[steps[k, there] == steps[k, there].min()]] = True
    near[winner] = False
    wanted = 2 * len(numeric)
    if near.sum() < wanted:
        candidates = np.flatnonzero(same & ~near & (np.arange(len(s)) != winner))
        near[candidates[np.argsort(far[candidates], kind="stable")[: wanted - int(near.sum())]]] = True
    found = np.flatnonzero(near)
    if not len(found):
        return Plateau(math.nan, math.nan, math.nan, ())
    above, around = float(s[winner] - np.median(s)), float(s[found].mean())
    score = (around - float(np.median(s))) / above if above > 1e-9 else math.nan
    ratio = around / float(s[winner]) if s[winner] > 1e-9 else math.nan
    return Plateau(score, ratio, float(s[found].min()), tuple(map(int, found)))


def _is_numeric(axis: np.ndarray) -> bool:
    return axis.dtype.kind in "if"


def _distances(axis: np.ndarray, winner: int) -> np.ndarray:
    """How far each value is from the winner's; 1 at the edge of its neighbourhood."""
    if (axis > 0).all():
        return np.abs(np.log(axis / axis[winner])) / math.log(NEAR)
    return np.abs(axis - axis[winner]) / (SHARE * (np.ptp(axis) or 1.0))
