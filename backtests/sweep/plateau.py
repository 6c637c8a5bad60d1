"""Whether variants with similar parameters score like the best one (a plateau) or not (a lonely peak).

Notation: S the Sharpe ratio of a variant, w the winner, B its neighbours, med the median over all variants.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

NEAR = 1.25  # a variant is a neighbour where every parameter is within this factor of the winner's
SHARE = 0.125  # of the range of an axis, the same for parameters that may be 0 or negative
PLATEAU, LONELY = 0.75, 0.5  # scores from which on there is a plateau, and below which there is a lonely peak


@dataclass(frozen=True)
class Plateau:
    """The neighbourhood of the winner.

    score:      (mean of S over B - med) / (S of w - med): 1 where the neighbours are as good as the winner, 0 where
                they are no better than the median variant; NaN where the winner is no better than that itself.
    ratio:      mean of S over B / S of w; NaN where S of w is not positive.
    worst:      the least S in B.
    neighbours: positions of B.
    """

    score: float
    ratio: float
    worst: float
    neighbours: tuple[int, ...]

    @property
    def word(self) -> str:
        """plateau, slope or lonely peak; flat where the winner is no better than the median variant."""
        if math.isnan(self.score):
            return "flat"
        return "plateau" if self.score >= PLATEAU else "lonely peak" if self.score < LONELY else "slope"


def plateau(axes: Sequence[np.ndarray], sharpe: np.ndarray, winner: int) -> Plateau:
    """The neighbourhood of a winner.

    axes:   the values of each parameter, (N,), numbers or text.
    sharpe: (N,); NaN counts as 0.
    winner: position of the winner.

    Neighbours are all variants within a quarter of the winner's value on every axis (NEAR; SHARE of the range of an
    axis that is not positive throughout) and with the same text on axes of text; and on each axis the next value on
    either side, with the other parameters as they are. Where there are fewer than two for each axis, the nearest other
    variants are added.
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
            if (candidates := np.flatnonzero(others & side)).size:
                near[candidates[steps[k, candidates] == steps[k, candidates].min()]] = True
    near[winner] = False
    fewest = 2 * len(numeric)
    if near.sum() < fewest:
        candidates = np.flatnonzero(same & ~near & (np.arange(len(s)) != winner))
        near[candidates[np.argsort(far[candidates], kind="stable")[: fewest - int(near.sum())]]] = True
    neighbours = np.flatnonzero(near)
    if not len(neighbours):
        return Plateau(math.nan, math.nan, math.nan, ())
    above, around = float(s[winner] - np.median(s)), float(s[neighbours].mean())
    score = (around - float(np.median(s))) / above if above > 1e-9 else math.nan
    ratio = around / float(s[winner]) if s[winner] > 1e-9 else math.nan
    return Plateau(score, ratio, float(s[neighbours].min()), tuple(map(int, neighbours)))


def _is_numeric(axis: np.ndarray) -> bool:
    return axis.dtype.kind in "if"


def _distances(axis: np.ndarray, winner: int) -> np.ndarray:
    """The distance of each value from the winner's, in units of the neighbourhood: 1 is its edge."""
    if (axis > 0).all():
        return np.abs(np.log(axis / axis[winner])) / math.log(NEAR)
    return np.abs(axis - axis[winner]) / (SHARE * (np.ptp(axis) or 1.0))
