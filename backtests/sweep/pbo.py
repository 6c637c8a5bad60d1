"""The probability of backtest overfitting: how often the variant selected as the best is below the median afterwards.

Combinatorially symmetric cross-validation (CSCV): the bars are cut into S blocks of equal length; every choice of S/2
of them is a sample to select on (in sample, IS), the other half a sample to test on (out of sample, OOS).

Notation: n bars, N variants, S blocks, C splits; r returns (n, N); SR = mean/sd per bar, 0 for constant returns; ω the
relative rank OOS of the variant selected IS, λ = log(ω/(1-ω)).

Reference: Bailey, Borwein, López de Prado & Zhu (2017), The probability of backtest overfitting, Journal of
Computational Finance 20(4), sections 3 and 4.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

BLOCKS = 16
MOST_SPLITS = 12_870  # all splits of 16 blocks
CHUNK = 500  # splits at once, to bound memory


@dataclass(frozen=True)
class Overfitting:
    """The result of selecting the variant with the highest Sharpe ratio in sample, over all splits.

    pbo:           share of splits in which the selected variant is at or below the median OOS (λ ≤ 0).
    loss:          share of splits in which its mean return OOS is below 0.
    slope, intercept, r2: of the regression over the splits of its SR OOS on its SR IS; NaN where that is constant.
    logits:        λ of each split, (C,).
    variants:      the position of the selected variant, (C,).
    in_sample, out_of_sample: its SR per bar IS and OOS, (C,).
    """

    pbo: float
    loss: float
    slope: float
    intercept: float
    r2: float
    logits: np.ndarray
    variants: np.ndarray
    in_sample: np.ndarray
    out_of_sample: np.ndarray


def overfitting(returns: np.ndarray, blocks: int = BLOCKS, most: int = MOST_SPLITS) -> Overfitting:
    """CSCV of returns (n, N); the oldest n mod S bars are left out so that all blocks have the same length.

    most: of the splits; where there are more, this many are drawn, each with its complement, with a fixed seed.

    Raises ValueError for an odd number of blocks, fewer than 2 variants, fewer than 2 bars a block, and returns that
    are not finite.
    """
    r = np.asarray(returns, float)
    if blocks < 2 or blocks % 2:
        raise ValueError(f"the number of blocks must be even and at least 2; got {blocks}")
    if r.ndim != 2 or r.shape[1] < 2 or len(r) < 2 * blocks or not np.isfinite(r).all():
        raise ValueError(f"expected finite returns of at least {2 * blocks} bars and 2 variants, got shape {r.shape}")
    length = len(r) // blocks
    r = r[len(r) - length * blocks :].reshape(blocks, length, -1)
    sums, squares = r.sum(axis=1), (r * r).sum(axis=1)  # (S, N)
    sides = _splits(blocks, most)  # (C, S), 1 where a block is IS
    chunks = (sides[start : start + CHUNK] for start in range(0, len(sides), CHUNK))
    parts = [_evaluate(chunk, sums, squares, length * blocks // 2) for chunk in chunks]
    logits, variants, in_sample, out_of_sample, lost = (np.concatenate(column) for column in zip(*parts, strict=True))
    slope, intercept, r2 = _regression(in_sample, out_of_sample)
    pbo, loss = float((logits <= 0).mean()), float(lost.mean())
    return Overfitting(pbo, loss, slope, intercept, r2, logits, variants, in_sample, out_of_sample)


def _evaluate(sides: np.ndarray, sums: np.ndarray, squares: np.ndarray, n: int) -> tuple[np.ndarray, ...]:
    """Of some splits: λ, the variant selected, its SR IS and OOS, and whether it lost money OOS, (C,) each."""
    inside = _sharpe(sides @ sums, sides @ squares, n)  # (C, N)
    total = (1 - sides) @ sums
    outside = _sharpe(total, (1 - sides) @ squares, n)
    variants = inside.argmax(axis=1)
    row = np.arange(len(sides))
    after = outside[row, variants]
    # Rank 1 is the worst; equal variants have the mean of their ranks.
    below, same = (outside < after[:, None]).sum(axis=1), (outside == after[:, None]).sum(axis=1)
    relative = (below + (same + 1) / 2) / (outside.shape[1] + 1)  # ω
    return np.log(relative / (1 - relative)), variants, inside[row, variants], after, total[row, variants] < 0


def _sharpe(total: np.ndarray, square: np.ndarray, n: int) -> np.ndarray:
    """SR of n returns from their sum and the sum of their squares; the variance divides by n-1."""
    mean = total / n
    variance = (square - total * mean) / (n - 1)
    flat = variance <= 1e-12 * square / n  # the rest is rounding
    return np.where(flat, 0.0, mean / np.sqrt(np.where(flat, 1.0, variance)))


def _splits(blocks: int, most: int) -> np.ndarray:
    """The splits, (C, S), 1 for a block in sample; with every split its complement is among them."""
    if math.comb(blocks, blocks // 2) <= most:
        choices = np.array(list(itertools.combinations(range(blocks), blocks // 2)))
        sides = np.zeros((len(choices), blocks))
        np.put_along_axis(sides, choices, 1.0, axis=1)
        return sides
    rng = np.random.default_rng(0)
    unique: dict[bytes, np.ndarray] = {}
    while len(unique) < most - most % 2:
        side = np.zeros(blocks)
        side[rng.permutation(blocks)[: blocks // 2]] = 1.0
        unique.setdefault(side.tobytes(), side)
        unique.setdefault((1 - side).tobytes(), 1 - side)
    return np.array(list(unique.values()))


def _regression(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Slope, intercept and R² of the regression of y on x; NaN where x is constant."""
    dx, dy = x - x.mean(), y - y.mean()
    xx, yy, xy = float(dx @ dx), float(dy @ dy), float(dx @ dy)
    if xx <= 1e-24:
        return math.nan, math.nan, math.nan
    slope = xy / xx
    return slope, float(y.mean() - slope * x.mean()), xy * xy / (xx * yy) if yy > 1e-24 else math.nan
