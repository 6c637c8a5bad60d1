"""Intervals of what a return series earned, by drawing it again in blocks.

Notation: r simple returns per bar (n,), b mean block length in bars, A bars per year, D draws.
Source: Politis & Romano (1994), The stationary bootstrap, Journal of the American Statistical Association 89(428).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

CHUNK = 1 << 18  # returns drawn at a time: about 15 MB


def intervals(
    returns: pd.Series,
    bars_per_year: float,
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    block: float | None = None,
    cash: pd.Series | None = None,
) -> dict:
    """Percentile intervals of the CAGR, the annual Sharpe ratio and the maximum drawdown of simple returns per bar.

    block: mean length of the blocks in bars; None chooses it with `joint_block_length`
    cash:  returns per bar of cash, which the Sharpe ratio is over; None for a rate of zero

    Fewer than two bars, or returns that never change, have intervals of NaN. The drawdowns drawn keep what a block of
    bars keeps: a bear market longer than that is broken up.
    """
    r = returns.to_numpy(float)
    found: dict = {"block": math.nan, "draws": draws, "level": level}
    if not _varies(r):
        return found | {name: [math.nan, math.nan] for name in ("cagr", "sharpe", "max_drawdown")}
    found["block"] = block or joint_block_length(r)
    rng = np.random.default_rng(seed)
    growth, over, parts = _growth(r), _over(r, cash), []
    for index in drawn(len(r), found["block"], draws, rng):
        log = growth[index]
        parts.append([_cagr(log, bars_per_year), _sharpe(over[index], bars_per_year), _max_drawdown(log)])
    samples = zip(("cagr", "sharpe", "max_drawdown"), np.concatenate(parts, axis=1), strict=True)
    return found | {name: _interval(sample, level) for name, sample in samples}


def difference(
    returns: pd.Series,
    benchmark: pd.Series,
    bars_per_year: float,
    *,
    draws: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    block: float | None = None,
    cash: pd.Series | None = None,
) -> dict:
    """Percentile intervals of CAGR and annual Sharpe ratio, strategy minus benchmark, both drawn with the same blocks.

    p_cagr, p_sharpe: one-sided, that the strategy is not better: (1 + draws in which it is not) / (1 + draws)

    NaN where either never changes or there are fewer than two bars. Raises ValueError for returns on other bars.
    """
    if not returns.index.equals(benchmark.index):
        raise ValueError(f"expected both returns on the same bars, got {len(returns)} and {len(benchmark)} that differ")
    both = [returns.to_numpy(float), benchmark.to_numpy(float)]
    found: dict = {"block": math.nan, "draws": draws, "level": level}
    if not all(_varies(r) for r in both):
        return found | {"cagr": [math.nan] * 2, "p_cagr": math.nan, "sharpe": [math.nan] * 2, "p_sharpe": math.nan}
    found["block"] = block or joint_block_length(*both)
    rng = np.random.default_rng(seed)
    # All of it is made of sums, so that a draw need only say how often each bar comes.
    columns = np.stack([y for r in both for x in [_over(r, cash)] for y in (_growth(r), x, x**2)])
    counts = drawn_counts(len(returns), found["block"], draws, rng)
    # Not `@`, whose last bits depend on the number of processors.
    means = np.concatenate([np.einsum("ij,kj->ik", some, columns) / len(returns) for some in counts]).T
    growths = [np.expm1(np.minimum(mean * bars_per_year, 700)) for mean in means[::3]]
    ratios = [_sharpe_of(means[k], means[k + 1], len(returns), bars_per_year) for k in (1, 4)]
    for name, (ours, theirs) in (("cagr", growths), ("sharpe", ratios)):
        sample = ours - theirs
        sample = sample[~np.isnan(sample)]
        found |= {name: _interval(sample, level), f"p_{name}": float((1 + np.sum(sample <= 0)) / (1 + len(sample)))}
    return found


def drawn(n: int, block: float, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Positions 0 to n-1 drawn in runs of geometric length with this mean, which go on at the first after the last.

    Arrays of shape (some, n), `draws` rows in all, few enough at a time to keep memory small.
    """
    rows = max(1, CHUNK // n)
    for done in range(0, draws, rows):
        size = min(rows, draws - done) * n
        # A geometric length has no memory, so that a run may as well end where a draw does.
        runs = size / max(block, 1.0)
        lengths = rng.geometric(1 / max(block, 1.0), int(runs + 12 * math.sqrt(runs) + 100))  # twelve deviations more
        begins, ends = np.zeros(size, bool), lengths.cumsum()
        begins[ends[ends < size]] = begins[::n] = True
        starts = np.flatnonzero(begins)
        shift = (rng.integers(n, size=len(starts)) - starts).astype(np.int32)
        index = np.repeat(shift, np.diff(starts, append=size))
        index += np.arange(size, dtype=np.int32)
        yield np.subtract(index, n, out=index, where=index >= n).reshape(-1, n)


def drawn_counts(n: int, block: float, draws: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """How often each position comes in each of these draws, (some, n): the sums of a draw are a product with them."""
    for index in drawn(n, block, draws, rng):
        rows = np.arange(len(index))[:, None] * n
        yield np.bincount((index + rows).ravel(), minlength=index.size).reshape(index.shape).astype(float)


def joint_block_length(*series: np.ndarray) -> float:
    """The longest of the block lengths for returns and for their squares, since risk comes in longer runs than gain."""
    return max(1.0, *(block_length(x) for r in series for x in (r, r**2)))


def block_length(x: np.ndarray) -> float:
    """Mean block length that estimates the variance of the mean of x best, (G²n/g²)^(1/3), from 1 to min(3√n, n/3).

    G = Σ λ(k/m)·|k|·γₖ and g = Σ λ(k/m)·γₖ over |k| <= m, λ(t) = min(1, 2(1-|t|)), γ the autocovariances; m is twice
    the first lag of five in a row at which the autocorrelation lies within ±2√(log₁₀(n)/n).
    Politis & White (2004), Econometric Reviews 23(1), as corrected by Patton, Politis & White (2009), 28(4).
    """
    n = len(x)
    if n < 10 or not _varies(x):
        return 1.0
    run = max(5, int(math.log10(n)))
    longest = min(math.ceil(math.sqrt(n)) + run, n - 2)
    u = (x - x.mean()) / np.abs(x - x.mean()).max()
    covariance = np.array([u[k:] @ u[: n - k] for k in range(longest + 1)]) / n
    small = np.abs(_autocorrelations(u, longest)) < 2 * math.sqrt(math.log10(n) / n)
    quiet = [k for k in range(longest - run + 1) if small[k : k + run].all()]
    m = min(2 * max(quiet[0], 1), longest) if quiet else longest
    k = np.arange(1, m + 1)
    weight = np.minimum(1, 2 * (1 - k / m))
    slope = 2 * float(weight * k @ covariance[1 : m + 1])
    level = float(covariance[0] + 2 * weight @ covariance[1 : m + 1])
    longest_block = math.ceil(min(3 * math.sqrt(n), n / 3))
    return max(1.0, min((slope**2 / level**2 * n) ** (1 / 3), longest_block)) if level else float(longest_block)


def _autocorrelations(u: np.ndarray, longest: int) -> np.ndarray:
    """Of lags 0 to longest, each scaled by the bars that its product uses but one."""
    n = len(u)
    lags = np.arange(longest + 1)
    squares = np.r_[0.0, np.cumsum(u**2)]
    scale = np.sqrt((squares[n] - squares[lags + 1]) * squares[n - 1 - lags])
    return np.array([u[k:] @ u[: n - k] for k in lags]) / np.maximum(scale, 1e-300)


def _over(r: np.ndarray, cash: pd.Series | None) -> np.ndarray:
    return r if cash is None else r - cash.to_numpy(float)


def _growth(r: np.ndarray) -> np.ndarray:
    """Log growth per bar; losing everything is e⁻³⁰ of it left, so that sums and differences stay numbers."""
    return np.log(np.maximum(1 + r, 1e-13))


def _cagr(log: np.ndarray, bars_per_year: float) -> np.ndarray:
    return np.expm1(np.minimum(log.mean(axis=1) * bars_per_year, 700))  # a few bars of a large gain overflow


def _sharpe(r: np.ndarray, bars_per_year: float) -> np.ndarray:
    """NaN for a draw that happens to be one return repeated."""
    mean, deviation = r.mean(axis=1), r.std(axis=1, ddof=1)
    flat = deviation <= 1e-12 * np.abs(mean)
    return np.where(flat, math.nan, mean / np.where(flat, 1.0, deviation)) * math.sqrt(bars_per_year)


def _sharpe_of(mean: np.ndarray, square: np.ndarray, n: int, bars_per_year: float) -> np.ndarray:
    """The same from the means of the returns and of their squares."""
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0) * n / (n - 1))
    flat = deviation <= 1e-7 * np.abs(mean)
    return np.where(flat, math.nan, mean / np.where(flat, 1.0, deviation)) * math.sqrt(bars_per_year)


def _max_drawdown(log: np.ndarray) -> np.ndarray:
    path = np.cumsum(log, axis=1)  # (some, n)
    return np.expm1((path - np.maximum.accumulate(np.maximum(path, 0), axis=1)).min(axis=1))


def _interval(sample: np.ndarray, level: float) -> list[float]:
    sample = sample[~np.isnan(sample)]
    if not len(sample):
        return [math.nan, math.nan]
    low, high = np.quantile(sample, [(1 - level) / 2, (1 + level) / 2])
    return [float(low), float(high)]


def _varies(x: np.ndarray) -> bool:
    """Whether there are two numbers that differ by more than rounding does."""
    return len(x) > 1 and bool(np.ptp(x) > max(1e-12 * np.abs(x).max(), 1e-100))
