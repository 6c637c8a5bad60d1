"""How much of a Sharpe ratio is luck: the track record's length, its tails, and the number of things tried.

Notation: SR Sharpe ratio per bar (mean over standard deviation, not annualised), SR* its threshold, n bars, γ₃ skew,
γ₄ kurtosis (3 for a normal), N independent trials, V the variance of their Sharpe ratios per bar, ρ a correlation.
Sources: Bailey & López de Prado (2012), The Sharpe ratio efficient frontier, Journal of Risk 15(2); (2014), The
deflated Sharpe ratio, Journal of Portfolio Management 40(5). López de Prado & Lewis (2019), Detection of false
investment strategies using unsupervised learning methods, Quantitative Finance 19(9).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

ALIKE = 0.9  # two trials correlated above this are one idea
RELATED = 0.3  # trials correlated less than this on average are never one idea
STRUCTURE = (
    0.25  # a mean silhouette below this is no structure: Kaufman & Rousseeuw (1990), Finding Groups in Data, 2.2
)


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


@dataclass(frozen=True)
class Clusters:
    """Which trials are the same idea.

    labels: cluster of each trial, 0 to count - 1, numbered as they first appear
    count:  number of ideas, the N of the deflated Sharpe ratio
    """

    labels: np.ndarray
    count: int


def effective_trials(returns: np.ndarray) -> Clusters:
    """Trials grouped by how alike their returns are; returns has shape (trials, blocks), a block being a bar or more.

    Average linkage on the distance √((1-ρ)/2), cut where the silhouettes have the highest mean over standard deviation
    (López de Prado & Lewis 2019), and never where it would join trials of a mean distance beyond that of a correlation
    of 0.3, because copies among unrelated trials hide them in the silhouettes. With two trials, or where the mean
    silhouette shows no structure, the tree is cut at a correlation of 0.9 instead, so that unrelated trials are counted
    one by one and not as two big clusters. Trials that never move are one cluster; where there are fewer than three
    blocks every trial is its own.

    A fine grid over one parameter is few ideas. Choosing the best point inside an idea is luck too, which this number
    leaves out: between it and the number of trials lies the truth.

    Raises ValueError for returns that are not finite or not of that shape.
    """
    r = np.asarray(returns, float)
    if r.ndim != 2 or not len(r) or not np.isfinite(r).all():
        raise ValueError(f"expected finite returns of shape (trials, blocks), got shape {r.shape}")
    if r.shape[1] < 3:
        return _numbered(np.arange(len(r)))
    centred = r - r.mean(1, keepdims=True)
    size = np.sqrt((centred**2).sum(1))
    moves = size > 1e-12 * np.sqrt((r**2).sum(1)).clip(min=1e-300)
    labels = np.full(len(r), -1)
    if moves.any():
        # Rounding makes one trial of those that differ by scale alone.
        unlike, which = np.unique(np.round(centred[moves] / size[moves, None], 10), axis=0, return_inverse=True)
        labels[moves] = _cluster(unlike)[which.reshape(-1)]
    return _numbered(labels)


def _variance(sharpe: float, skew: float, kurtosis: float) -> float:
    """n-1 times the variance of an estimated Sharpe ratio, 1 - γ₃·SR + (γ₄-1)/4·SR²; Mertens (2002), Lo (2002)."""
    return 1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2


def _numbered(labels: np.ndarray) -> Clusters:
    """Labels renumbered in the order of their first trial."""
    _, first, which = np.unique(labels, return_index=True, return_inverse=True)
    return Clusters(np.argsort(np.argsort(first))[which.reshape(-1)], len(first))


def _cluster(z: np.ndarray) -> np.ndarray:
    """Labels of rows of zero mean and unit length, no two alike."""
    from scipy.cluster.hierarchy import fcluster, linkage

    if len(z) == 1:
        return np.zeros(1, int)
    distance = np.sqrt(((1 - z @ z.T) / 2).clip(min=0))  # (N, N)
    np.fill_diagonal(distance, 0)
    tree = linkage(distance[np.triu_indices(len(z), 1)], "average")
    fewest = len(z) - int((tree[:, 2] <= math.sqrt((1 - RELATED) / 2)).sum())
    best, quality = 0, -math.inf
    for clusters, mean, deviation in _silhouettes(distance, tree):
        if clusters < fewest:
            continue
        t = mean / deviation if deviation > 0 else math.copysign(math.inf, mean)
        if mean >= STRUCTURE and t > quality:
            best, quality = clusters, t
    if best:
        return fcluster(tree, best, "maxclust")
    return fcluster(tree, math.sqrt((1 - ALIKE) / 2), "distance")


def _silhouettes(distance: np.ndarray, tree: np.ndarray) -> list[tuple[int, float, float]]:
    """Number of clusters, mean and standard deviation of the silhouettes (b-a)/max(a,b), from many clusters to two.

    a is a trial's mean distance to the others of its cluster, b to the nearest other cluster; 0 for a cluster of one.
    In the order of the tree's leaves every cluster is a run, and the runs of a coarser cut are joined runs of a finer.
    Every number of clusters up to a hundred is looked at, then one in twenty.
    """
    n = len(distance)
    order, joined = _leaves(tree, n)
    sums, starts = distance[np.ix_(order, order)], np.arange(n)  # (N, K) distances summed over each run; (K,)
    found = []
    for clusters in sorted({min(k, n - 1) for k in [*range(2, 101), *np.geomspace(101, max(n, 101), 60).astype(int)]})[
        ::-1
    ]:
        if clusters < 2:
            break
        keep = np.flatnonzero(joined[starts] >= n - clusters)
        sums, starts = np.add.reduceat(sums, keep, axis=1), starts[keep]
        sizes = np.diff(np.r_[starts, n])
        own = np.repeat(np.arange(len(starts)), sizes)
        means = sums / sizes
        a = sums[np.arange(n), own] / np.maximum(sizes[own] - 1, 1)
        means[np.arange(n), own] = math.inf
        b = means.min(axis=1)
        s = np.where(sizes[own] > 1, (b - a) / np.maximum(np.maximum(a, b), 1e-300), 0.0)
        found.append((clusters, float(s.mean()), float(s.std())))
    return found


def _leaves(tree: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Leaves of a linkage from left to right, and the merge that joins each to the one on its left (the first: n)."""
    start = np.zeros(2 * n - 1, int)
    joined = np.full(n, n)
    children, sizes = tree[:, :2].astype(int), np.r_[np.ones(n, int), tree[:, 3].astype(int)]
    for merge in range(n - 2, -1, -1):
        left, right = children[merge]
        start[left] = start[n + merge]
        start[right] = start[n + merge] + sizes[left]
        joined[start[right]] = merge
    return np.argsort(start[:n]), joined
