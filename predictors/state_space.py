"""State space models of the log return: the recursions of their Kalman filters, and their likelihood.

    r_t = log(close[t] / close[t-1])                      y_t = log close[t]

    local level on r:   r_t = μ_t + ε_t                   μ_t = μ_{t-1} + η_t
    local trend on y:   y_t = μ_t + ε_t                   μ_t = μ_{t-1} + β_{t-1} + η_t,  β_t = β_{t-1} + ζ_t

Only ratios of variances matter, so every variance is in units of var(ε).

    r       returns        iterated over time; each item a float or an array, broadcast against the ratios
    q       q              var(η) / var(ε) of the local level
    q_l     q_level        var(η) / var(ε) of the local trend
    q_s     q_slope        var(ζ) / var(ε) of the local trend
    f       forecast       E[r_{t+1} | r_1..r_t]
    v, F    innovation     v = r_t - f_{t-1} and its variance
    K       k              gain: the fraction of v that is added to the mean (level model) or the slope (trend model)
    p, c, s                var(μ), cov(μ, β), var(β) given the returns so far; c is k after the update with r_t
    T, W, C, D             returns, windows, candidate ratios, ratios of the model

Reference: Durbin and Koopman (2012), Time Series Analysis by State Space Methods, 2nd ed., sections 2.2, 2.10, 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product

import numpy as np

Values = float | np.ndarray
Recursion = Callable[..., Iterator[tuple[Values, Values, Values]]]  # (returns, *ratios) → v, F, f at each return

LOWEST, HIGHEST = -12, 6  # log10 of the ratios searched: beyond them one of the variances is negligible
COARSEST, FINEST = 2**-1, 2**-8  # decades between candidates on the first and the last grid; 2**-8 is 0.9 % of a ratio


def local_level(returns: Iterable[Values], q: Values) -> Iterator[tuple[Values, Values, Values]]:
    """Yields (v, F, f) at each return. The start is diffuse: the first gain is 1, the first F infinite."""
    f: Values = 0.0
    k: Values = 1.0
    F: Values = np.inf
    for r in returns:
        # f = f + K v, v = r - f
        v = r - f
        f = f + k * v
        yield v, F, f
        # prediction: p + q, F = p + 1, K = p / F; the next update makes p = K
        p = k + q
        F = p + 1
        k = p / F


def local_trend(returns: Iterable[Values], q_level: Values, q_slope: Values) -> Iterator[tuple[Values, Values, Values]]:
    """Yields (v, F, f) at each return. The start is diffuse: the first gain is 1, the first F infinite.

    Two prices y_1, y_2 give level y_2 and slope y_2 - y_1, with errors -ε_2 and ζ_2 - η_2 - ε_2 + ε_1: hence the first
    p, c, s. The level needs no recursion: level - y = -v/F after each price, since 1 - gain of the level = 1/F.
    """
    slope: Values = 0.0
    F: Values = np.inf
    p: Values = 1.0
    k: Values = 1.0
    s: Values = 2.0 + q_level + q_slope
    f: Values = 0.0
    for r in returns:
        # β = β + K v,  f = β + level - y
        v = r - f
        slope = slope + k * v
        f = slope - v / F
        yield v, F, f
        # prediction: p + 2c + s + q_l, c + s, s + q_s; F = p + 1
        p = p + 2 * k + s + q_level
        c = k + s
        F = p + 1
        # K = c / F; the next update makes c = K, p = p / F, s = s + q_s - K c
        k = c / F
        p = p / F
        s = s + q_slope - k * c


# Each model's recursion and how many ratios it takes.
MODELS: dict[str, tuple[Recursion, int]] = {"level": (local_level, 1), "trend": (local_trend, 2)}


def maximum_likelihood(recursion: Recursion, returns: np.ndarray, count: int) -> np.ndarray:
    """The most likely ratios (D, W), D = `count`, of each column of returns (T, W), by a grid search that is refined.

    ratios = argmax -½ (n log Σ v²/F + Σ log F), the diffuse likelihood with var(ε) concentrated out, n innovations
    """
    best = _most_likely(recursion, returns, _grid(np.arange(LOWEST, HIGHEST + COARSEST, COARSEST), count)[None])
    around = _grid(np.arange(-2, 3), count)
    step = COARSEST / 2
    while step >= FINEST:
        best = _most_likely(recursion, returns, np.clip(best + step * around, LOWEST, HIGHEST))
        step /= 2
    return 10.0 ** best[:, 0].T


def _grid(axis: np.ndarray, count: int) -> np.ndarray:
    """All points (C, D) with D = `count` coordinates from `axis`."""
    return np.array(list(product(axis, repeat=count)), float)


def _most_likely(recursion: Recursion, returns: np.ndarray, decades: np.ndarray) -> np.ndarray:
    """Of candidate log10 ratios (W or 1, C, D), the most likely (W, 1, D) for each column of returns (T, W)."""
    innovations = recursion(returns[..., None], *np.moveaxis(10.0**decades, -1, 0))
    next(innovations)  # the first one is diffuse and has no likelihood
    squares: Values = 0.0
    logs: Values = 0.0
    for v, F, _ in innovations:  # (W, C)
        squares = squares + v * v / F
        logs = logs + np.log(F)
    # -½ (n log Σ v²/F + Σ log F); the lower bound is for constant prices
    likelihood = -0.5 * ((len(returns) - 1) * np.log(np.maximum(squares, np.finfo(float).tiny)) + logs)
    return np.take_along_axis(decades, likelihood.argmax(axis=1)[:, None, None], axis=1)
