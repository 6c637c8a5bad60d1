"""How much of a Sharpe ratio is luck: the track record's length, its tails, and the number of things tried.

Notation: SR Sharpe ratio per bar (mean over standard deviation, not annualised), SR* its threshold, n bars, γ₃ skew,
γ₄ kurtosis (3 for a normal), N independent trials, V the variance of their Sharpe ratios per bar.
Sources: Bailey & López de Prado (2012), The Sharpe ratio efficient frontier, Journal of Risk 15(2); (2014), The
deflated Sharpe ratio, Journal of Portfolio Management 40(5).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtr, ndtri


def probabilistic_sharpe(sharpe: float, n: float, skew: float, kurtosis: float, threshold: float = 0.0) -> float:
    """Probability that the true Sharpe ratio exceeds the threshold: Φ((SR - SR*)·√(n-1) / √(1 - γ₃·SR + (γ₄-1)/4·SR²)).

    Both Sharpe ratios per bar. NaN where it is not defined: a flat line, one bar, moments no sample can have.

    >>> round(probabilistic_sharpe(1.585 / 12**0.5, 24, -2.448, 10.164), 4)
    0.9132
    """
    variance = _variance(sharpe, skew, kurtosis)
    if not (n >= 2 and variance > 0):
        return math.nan
    return float(ndtr((sharpe - threshold) * math.sqrt((n - 1) / variance)))


def expected_maximum(n: float) -> float:
    """Expected highest of n independent standard normals, (1-γ)·Φ⁻¹(1 - 1/n) + γ·Φ⁻¹(1 - 1/(n·e)), γ Euler's constant.

    n may be any real number; the answer is never below zero, which it is for a single one.

    >>> round(expected_maximum(100), 4)
    2.5306
    """
    if math.isnan(n):
        return math.nan
    if n <= 1:
        return 0.0
    γ = np.euler_gamma
    return max(0.0, float(-(1 - γ) * ndtri(1 / n) - γ * ndtri(1 / (n * math.e))))


def deflated_threshold(variance: float, n: float) -> float:
    """Sharpe ratio per bar that the best of n trials without skill is expected to reach: √V · E[max of n normals].

    variance: of the Sharpe ratios per bar of the trials
    """
    return math.sqrt(variance) * expected_maximum(n) if variance >= 0 else math.nan


def deflated_sharpe(sharpe: float, n: float, skew: float, kurtosis: float, *, variance: float, trials: float) -> float:
    """Probability that the best of several trials is better than the best of as many without skill would look.

    The probabilistic Sharpe ratio over the deflated threshold; n bars, variance of the trials' Sharpe ratios per bar.

    >>> round(deflated_sharpe(2.5 / 250**0.5, 1250, -3, 10, variance=0.5 / 250, trials=100), 4)
    0.9004
    """
    return probabilistic_sharpe(sharpe, n, skew, kurtosis, deflated_threshold(variance, trials))


def minimum_track_record(
    sharpe: float, skew: float, kurtosis: float, threshold: float = 0.0, confidence: float = 0.95
) -> float:
    """Bars after which the probabilistic Sharpe ratio is the confidence: 1 + (1 - γ₃·SR + (γ₄-1)/4·SR²)·(z/(SR-SR*))².

    z is the normal quantile of the confidence. Infinite where the Sharpe ratio is not above the threshold.
    """
    variance = _variance(sharpe, skew, kurtosis)
    if not variance > 0 or math.isnan(threshold):
        return math.nan
    if sharpe <= threshold:
        return math.inf
    return 1 + variance * float(ndtri(confidence) / (sharpe - threshold)) ** 2


def _variance(sharpe: float, skew: float, kurtosis: float) -> float:
    """n-1 times the variance of an estimated Sharpe ratio, 1 - γ₃·SR + (γ₄-1)/4·SR²; Mertens (2002), Lo (2002)."""
    return 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2
