"""How likely chance alone is to do as well: Monte Carlo p-values, and when to stop drawing.

Notation: N markets that may be drawn, n drawn, k of them at least as good as the real one (ties count), α the level,
h = max(⌊α (N+1)⌋, 10): from ⌊α (N+1)⌋ on N markets cannot make p ≤ α any more, and ten tell p to a third of itself.
Sources: Phipson & Smyth (2010), Statistical Applications in Genetics and Molecular Biology 9(1), for (1+k)/(1+n);
Besag & Clifford (1991), Sequential Monte Carlo p-values, Biometrika 78(2), for h/n; Clopper & Pearson (1934),
Biometrika 26(4).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

LEVEL = 0.95
FEWEST = 10


@dataclass(frozen=True)
class Chance:
    """How likely chance alone does as well.

    p:         never 0, since the real market is one of those that chance could have made.
    low, high: where p would come to with endless markets, with 95 % confidence.
    markets:   how many it was counted on.   as_good: how many of them did at least as well.
    """

    p: float
    low: float
    high: float
    markets: int
    as_good: int


def chance(real: float, null: np.ndarray) -> Chance:
    """(1+k)/(1+n) of a score, higher being better, with its Clopper-Pearson interval; -inf is the worst there is.

    >>> chance(1.0, np.array([0.2, 0.4, 1.3])).p
    0.5
    """
    n, k = len(null), int(np.sum(null >= real))
    return Chance((1 + k) / (1 + n), *_interval((k, n - k + 1), (k + 1, n - k)), n, k)


def decided(real: float, null: np.ndarray, hits: int, limit: int) -> Chance | None:
    """The same of markets drawn until `hits` (h) did as well, `limit` (N) at most; None if there must be more.

    Stopped, p = max(h/n, (1+h)/(1+N)): h/n is Besag and Clifford's, and less than (1+h)/(1+N) all N could not come to.
    So p ≤ α says what it would have said of all N markets, and P(p ≤ u) ≤ u holds for every u.
    """
    found = np.flatnonzero(null[:limit] >= real)
    if len(found) >= hits:
        n = int(found[hits - 1]) + 1
        # The last one drawn did as well by the rule: above, the other n - 1 bound the share.
        bounds = _interval((hits, n - hits + 1), (hits, n - hits))
        return Chance(max(hits / n, (1 + hits) / (1 + limit)), *bounds, n, hits)
    return chance(real, null[:limit]) if len(null) >= limit else None


def enough(level: float, limit: int) -> int:
    """h, for a level α and N markets. Raises ValueError where no number of markets as good could make p ≤ α."""
    if not 0 < level < 1:
        raise ValueError(f"until must be a probability between 0 and 1; got {level:g}")
    # 0.05 · 20 is 1, whatever binary fractions make of it.
    h = math.floor(level * (limit + 1) + 1e-9)
    if not h:
        needed = math.ceil(1 / level - 1e-9) - 1
        raise ValueError(f"{limit} markets cannot show p ≤ {level:g}; that takes at least {needed}")
    return max(h, FEWEST)


def _interval(low: tuple[int, int], high: tuple[int, int]) -> tuple[float, float]:
    """The lower and the upper quantile of two beta laws, 0 and 1 where one has no mass inside."""
    tail = (1 - LEVEL) / 2
    below = float(betaincinv(*low, tail)) if low[0] else 0.0
    return below, float(betaincinv(*high, 1 - tail)) if high[1] else 1.0
