"""Markets of which it is known what there is to find, and the p-values that placebo markets give on them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rollcast import Predictor
from rollcast.backtests.placebo import SCORES, Pipeline, placebo
from rollcast.predictors.bars import random_walk
from rollcast.strategies.long_flat import LongFlat

DRIFT = 4e-4  # log return a bar, a tenth a year


def market(seed: int, n: int = 500, momentum: float = 0.0) -> pd.DataFrame:
    """Bars with clustered volatility and drift, of whose return the next one repeats a share `momentum`.

    r[t] = φ r[t-1] + σ[t] z[t], σ²[t+1] = 0.05 + 0.1 (σ[t] z[t])² + 0.85 σ²[t] in units of 1 % a bar, plus the drift.
    """
    bars = random_walk(n, seed)
    prices = np.log(bars[["open", "high", "low", "close"]].to_numpy())
    before = np.r_[np.log(100.0), prices[:-1, 3]]
    moves = prices - before[:, None]
    variance, followed = 1.0, 0.0
    for move in moves:
        move *= np.sqrt(variance)
        variance = 0.05 + 0.1 * (move[3] / 0.01) ** 2 + 0.85 * variance
        # The whole bar moves on, so that it stays a bar.
        move += momentum * followed
        followed = move[3]
    moves += DRIFT
    starts = np.log(100.0) + np.r_[0.0, np.cumsum(moves[:-1, 3])]
    return bars.assign(**dict(zip(["open", "high", "low", "close"], np.exp(moves + starts[:, None]).T, strict=True)))


def p_values(
    predictor: Predictor, null: str, count: int, *, markets: int = 19, momentum: float = 0.0, first: int = 0
) -> pd.DataFrame:
    """The p-value of every score, a row for each of `count` real markets."""
    rows = []
    for seed in range(first, first + count):
        result = placebo(
            Pipeline(market(seed, momentum=momentum), predictor, LongFlat), markets=markets, null=null, seed=seed
        )
        rows.append([result.chance(name).p for name in SCORES])
    return pd.DataFrame(rows, columns=list(SCORES))


def uniform(p: pd.Series, markets: int = 19) -> float:
    """The chance that p-values as far from uniform come of uniform ones: Kolmogorov and Smirnov's, the steps filled in.

    A p of n markets is one of n+1 values; less a uniform part of a step it is uniform on (0, 1) if there is no edge.
    """
    from scipy.stats import kstest

    within = np.random.default_rng(0).random(len(p)) / (markets + 1)
    return float(kstest(p.to_numpy() - within, "uniform").pvalue)
