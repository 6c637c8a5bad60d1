"""Monte Carlo p-values, and when to stop drawing.

Notation: N markets that may be drawn, n drawn, k of them with a score at least as high as the real one, α the level,
h = max(⌊α (N+1)⌋, 10) the number of such markets at which drawing stops: from ⌊α (N+1)⌋ on, N markets cannot give p ≤ α
any more, and with ten the standard error of p is about a third of p.
Sources: Phipson & Smyth (2010), Statistical Applications in Genetics and Molecular Biology 9(1), for (1+k)/(1+n);
Besag & Clifford (1991), Sequential Monte Carlo p-values, Biometrika 78(2), for h/n; Clopper & Pearson (1934),
Biometrika 26(4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

LEVEL = 0.95  # of the confidence intervals
FEWEST = 10  # least h


@dataclass(frozen=True)
class Chance:
    """The p-value of one score: the probability that a market without an edge scores at least as high.

    p:         never 0, since under the null hypothesis the real market is one more draw.
    low, high: the 95 % confidence interval of the p-value of infinitely many markets.
    markets:   n.   as_good: k.
    """

    p: float
    low: float
    high: float
    markets: int
    as_good: int


def chance(real: float, null: np.ndarray) -> Chance:
    """p = (1+k)/(1+n), with its Clopper-Pearson interval.

    real: the score of the real market, higher being better.   null: those of the n markets drawn, (n,), none NaN.

    >>> chance(1.0, np.array([0.2, 0.4, 1.3])).p
    0.5
    """
    n, k = len(null), int(np.sum(null >= real))
    return Chance((1 + k) / (1 + n), *_interval((k, n - k + 1), (k + 1, n - k)), n, k)


def decided(real: float, null: np.ndarray, hits: int, limit: int) -> Chance | None:
    """The same of markets drawn until h = `hits` of them score as high, N = `limit` at most; None if more are needed.

    After an early stop p = max(h/n, (1+h)/(1+N)). h/n is the p-value of Besag and Clifford; all N markets could not
    give less than (1+h)/(1+N). So p ≤ α exactly where it would be with all N markets, and P(p ≤ u) ≤ u for every u.
    """
    as_good = np.flatnonzero(null[:limit] >= real)
    if len(as_good) >= hits:
        n = int(as_good[hits - 1]) + 1
        # By the stopping rule the last draw scores as high, so that the upper end rests on the other n - 1.
        bounds = _interval((hits, n - hits + 1), (hits, n - hits))
        return Chance(max(hits / n, (1 + hits) / (1 + limit)), *bounds, n, hits)
    return chance(real, null[:limit]) if len(null) >= limit else None


def enough(level: float, limit: int) -> int:
    """h for the level α and N = `limit` markets. Raises ValueError for α outside (0, 1), and for too few markets."""
    if not 0 < level < 1:
        raise ValueError(f"until must be a probability between 0 and 1; got {level:g}")
    # The margin is for products that binary fractions round, such as 0.05 · 20.
    h = math.floor(level * (limit + 1) + 1e-9)
    if not h:
        needed = math.ceil(1 / level - 1e-9) - 1
        raise ValueError(f"{limit} markets cannot show p ≤ {level:g}; that takes at least {needed}")
    return max(h, FEWEST)


def _interval(low: tuple[int, int], high: tuple[int, int]) -> tuple[float, float]:
    """The lower quantile of one beta distribution and the upper of another; 0 and 1 where a parameter is 0."""
    tail = (1 - LEVEL) / 2
    lower = float(betaincinv(*low, tail)) if low[0] else 0.0
    return lower, float(betaincinv(*high, 1 - tail)) if high[1] else 1.0
