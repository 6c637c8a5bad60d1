"""How likely the best of many variants is to be below the middle of them afterwards: overfitting by selection.

Combinatorially symmetric cross-validation: the bars are cut into S blocks of equal length; every choice of S/2 of them
is a sample to select on, and the other half the sample to be judged on.

Notation: n bars, N variants, S blocks, C splits; r returns (n, N); sums of a block (S, N); IS and OOS the two halves;
SR = mean/sd per bar, 0 for a variant that never moves; ω the relative rank OOS of the variant that is best IS, λ its
logit. Source: Bailey, Borwein, López de Prado & Zhu (2017), The probability of backtest overfitting, Journal of
Computational Finance 20(4), sections 3 and 4.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

BLOCKS = 16
MOST_SPLITS = 12_870  # all of 16 blocks
CHUNK = 500  # splits at once, (CHUNK, N) at a time


@dataclass(frozen=True)
class Overfitting:
    """What the splits say of choosing the variant with the highest Sharpe ratio.

    pbo:         share of splits in which the chosen variant is at or below the median of all OOS (λ ≤ 0).
    loss:        share of splits in which its mean return OOS is below 0.
    slope:       of its SR OOS on its SR IS over the splits; below 0, a better past means a worse future.
    intercept, r2: of the same regression.
    logits, chosen, best, after: of each split: λ, the variant chosen, its SR per bar IS and OOS, (C,).
    """

    pbo: float
    loss: float
    slope: float
    intercept: float
    r2: float
    logits: np.ndarray
    chosen: np.ndarray
    best: np.ndarray
    after: np.ndarray


def overfitting(returns: np.ndarray, blocks: int = BLOCKS, most: int = MOST_SPLITS) -> Overfitting:
    """CSCV of returns (n, N); the oldest n mod S bars are left out so that the blocks are equal.

    most: where there are more splits than this, as many are drawn, each with its complement, always the same ones.

    Raises ValueError for an odd number of blocks, fewer than 2 variants or fewer than 2 bars a block.
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
    parts = [_judged(sides[at : at + CHUNK], sums, squares, length * blocks // 2) for at in range(0, len(sides), CHUNK)]
    logits, chosen, best, after, lost = (np.concatenate(column) for column in zip(*parts, strict=True))
    slope, intercept, r2 = _line(best, after)
    return Overfitting(
        *(float((logits <= 0).mean()), float(lost.mean()), slope, intercept, r2), *(logits, chosen, best, after)
    )


def _judged(sides: np.ndarray, sums: np.ndarray, squares: np.ndarray, n: int) -> tuple[np.ndarray, ...]:
    """Some splits: logits, chosen, its SR IS and OOS, and whether it lost OOS; each (C,)."""
    inside = _sharpe(sides @ sums, sides @ squares, n)  # (C, N)
    total = (1 - sides) @ sums
    outside = _sharpe(total, (1 - sides) @ squares, n)
    chosen = inside.argmax(axis=1)
    row = np.arange(len(sides))
    mine = outside[row, chosen]
    # Rank 1 is the worst; variants that tie share the mean of their ranks.
    below, same = (outside < mine[:, None]).sum(axis=1), (outside == mine[:, None]).sum(axis=1)
    relative = (below + (same + 1) / 2) / (outside.shape[1] + 1)  # ω
    return np.log(relative / (1 - relative)), chosen, inside[row, chosen], mine, total[row, chosen] < 0


def _sharpe(total: np.ndarray, square: np.ndarray, n: int) -> np.ndarray:
    """SR of n returns from their sum and the sum of their squares, n-1 in the variance."""
    mean = total / n
    variance = (square - total * mean) / (n - 1)
    flat = variance <= 1e-12 * square / n  # rounding is all that is left
    return np.where(flat, 0.0, mean / np.sqrt(np.where(flat, 1.0, variance)))


def _splits(blocks: int, most: int) -> np.ndarray:
    """(C, S) of 0 and 1, half of each row 1, closed under swapping the halves."""
    if math.comb(blocks, blocks // 2) <= most:
        choices = np.array(list(itertools.combinations(range(blocks), blocks // 2)))
        sides = np.zeros((len(choices), blocks))
        np.put_along_axis(sides, choices, 1.0, axis=1)
        return sides
    rng = np.random.default_rng(0)
    drawn: dict[bytes, np.ndarray] = {}
    while len(drawn) < most - most % 2:
        side = np.zeros(blocks)
        side[rng.permutation(blocks)[: blocks // 2]] = 1.0
        drawn.setdefault(side.tobytes(), side)
        drawn.setdefault((1 - side).tobytes(), 1 - side)
    return np.array(list(drawn.values()))


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Slope, intercept and R² of y on x; NaN where x does not vary."""
    dx, dy = x - x.mean(), y - y.mean()
    xx, yy, xy = float(dx @ dx), float(dy @ dy), float(dx @ dy)
    if xx <= 1e-24:
        return math.nan, math.nan, math.nan
    slope = xy / xx
    return slope, float(y.mean() - slope * x.mean()), xy * xy / (xx * yy) if yy > 1e-24 else math.nan
