"""Forecast quality before money: how well a forecast knows the next return, and how sure of that one can be.

Notation: f forecast, y outcome log(close[t+1]/close[t]), both (n,). The naive forecast is 0, its price close[t].
Sources are named at each test; docs/metrics.md defines every key.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri, stdtr

Z = float(ndtri(0.975))
LAGS = 20
QUANTILES = 10


def skill(forecast: pd.Series, close: pd.Series) -> dict:
    """Every measure of the forecasts that have an outcome, by key; NaN where one is not defined.

    forecast: expected log(close[t+1]/close[t]) on dates of close, NaN where there is none

    r2: 1 - Σ(y-f)²/Σy², against the naive forecast; Campbell & Thompson (2008), Review of Financial Studies 21(4)
    """
    known, outcomes, price = _aligned(forecast, close)
    f, y = known.to_numpy(float), outcomes[:, 0]
    return {
        "forecasts": len(f),
        "r2": 1 - _ratio(float(np.sum((y - f) ** 2)), float(np.sum(y**2))),
        "rmse_bps": _rms(y - f) * 1e4,
        "naive_rmse_bps": _rms(y) * 1e4,
        **_hits(f, y),
        **_correlations(f, y),
        **_against_naive(f, y),
        **_copying(f, y, price),
        "calibration": _calibration(f, y),
        **dict(zip(("calibration_slope", "calibration_slope_se"), hac_slope(y, f), strict=True)),
        "decay": _decay(f, outcomes),
    }


def rolling_skill(forecast: pd.Series, close: pd.Series, span: int | None = None) -> pd.DataFrame:
    """ic and r2 of the last `span` forecasts that have an outcome, on the date of the last of them.

    span: max(60, a twentieth of the forecasts) if None. A date is the forecast's, one bar before its outcome is known.
    """
    f, outcomes, _ = _aligned(forecast, close)
    y = pd.Series(outcomes[:, 0], f.index)
    span = span or max(60, len(f) // 20)
    naive = (y**2).rolling(span).sum()
    r2 = 1 - ((y - f) ** 2).rolling(span).sum() / naive.where(naive > 0)
    vary = [x.rolling(span).max() > x.rolling(span).min() for x in (f, y)]
    ic = f.rolling(span).corr(y).where(vary[0] & vary[1]).clip(-1, 1)
    return pd.DataFrame({"ic": ic, "r2": r2}).iloc[span - 1 :]


def diebold_mariano(errors_a: np.ndarray, errors_b: np.ndarray, horizon: int = 1) -> tuple[float, float]:
    """Statistic and two-sided p of the hypothesis that two forecasts have the same mean squared error.

    Positive where b errs less. Diebold & Mariano (1995), Journal of Business & Economic Statistics 13(3).
    """
    return equal_losses(np.asarray(errors_a, float) ** 2 - np.asarray(errors_b, float) ** 2, horizon)


def equal_losses(difference: np.ndarray, horizon: int = 1) -> tuple[float, float]:
    """Diebold and Mariano's statistic of a difference d in losses, and its two-sided p from t(n-1); NaN if flat.

    mean(d)/√(V/n) · √((n+1-2h+h(h-1)/n)/n), V = γ₀ + 2Σγₖ, k < h, γ the autocovariances of d, h the horizon in bars;
    the second factor is the correction of Harvey, Leybourne & Newbold (1997), Int. Journal of Forecasting 13(2).
    """
    d = np.asarray(difference, float)
    n = len(d)
    if n < 2 or n <= horizon or not _varies(d):
        return math.nan, math.nan
    u = d - d.mean()
    variance = float(u @ u + 2 * sum(u[k:] @ u[:-k] for k in range(1, horizon))) / n
    if variance <= 0:
        return math.nan, math.nan
    correction = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    statistic = float(d.mean()) / math.sqrt(variance / n) * math.sqrt(correction)
    return statistic, 2 * float(stdtr(n - 1, -abs(statistic)))


def hac_slope(y: np.ndarray, x: np.ndarray) -> tuple[float, float]:
    """Slope of the regression of y on x and a constant, and its standard error robust to what is left in the residuals.

    Newey & West (1987), Econometrica 55(3): Bartlett weights up to lag L = ⌊4(n/100)^(2/9)⌋, as in Newey & West (1994).
    """
    n = len(x)
    if n < 3 or not _varies(x):
        return math.nan, math.nan
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    g = centred * (y - y.mean() - slope * centred)
    bandwidth = int(4 * (n / 100) ** (2 / 9))
    s = g @ g + 2 * sum((1 - k / (bandwidth + 1)) * (g[k:] @ g[:-k]) for k in range(1, bandwidth + 1))
    return slope, math.sqrt(max(float(s), 0.0)) / float(centred @ centred)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share of n. Wilson (1927), Journal of the American Statistical Association 22(158)."""
    if n == 0:
        return math.nan, math.nan
    p, w = hits / n, Z**2 / n
    middle, half = (p + w / 2) / (1 + w), math.sqrt(w * p * (1 - p) + w**2 / 4) / (1 + w)
    return max(0.0, middle - half), min(1.0, middle + half)


def _hits(f: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Share of forecasts with the outcome's sign beside the share of rises; those where either is zero are left out."""
    opinion = (f != 0) & (y != 0)
    n = int(opinion.sum())
    hits = int(np.sum((f > 0) == (y > 0), where=opinion))
    low, high = wilson(hits, n)
    rises = int(np.sum(y > 0, where=opinion))
    return {
        "opinions": n,
        "hit_rate": _ratio(hits, n),
        "hit_rate_low": low,
        "hit_rate_high": high,
        "base_rate": _ratio(rises, n),
    }


def _correlations(f: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Pearson's and Spearman's, each with the t of its regression's slope and a two-sided p from the normal."""
    found: dict[str, float] = {}
    ranks = (pd.Series(x).rank().to_numpy(float) for x in (f, y))
    for name, (a, b) in {"ic": (f, y), "rank_ic": tuple(ranks)}.items():
        slope, error = hac_slope(b, a) if _varies(b) else (math.nan, math.nan)
        t = slope / error if error > 0 else math.nan
        found |= {name: _correlation(a, b), f"{name}_t": t, f"{name}_p": 2 * float(ndtr(-abs(t)))}
    return found


def _against_naive(f: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Whether the naive forecast is beaten, one-sided: in this sample (dm), and in the population it came from (cw).

    cw: t of mean(2·f·y) = mean(y² - ((y-f)² - f²)): the noise a forecast adds to its error though it knows something is
    given back. Clark & West (2007), Journal of Econometrics 138(1).
    """
    dm, _ = diebold_mariano(y, y - f)
    gain = 2 * f * y
    n = len(f)
    cw = float(gain.mean() / gain.std(ddof=1)) * math.sqrt(n) if n > 1 and _varies(gain) else math.nan
    return {"dm": dm, "dm_p": float(stdtr(n - 1, -dm)) if n > 1 else math.nan, "cw": cw, "cw_p": float(ndtr(-cw))}


def _copying(f: np.ndarray, y: np.ndarray, price: np.ndarray) -> dict[str, float]:
    """How much of the price forecast close·exp(f) is only the price it was made at, and what R² that alone earns.

    copy_r2: 1 - var(price forecast - close[t])/var(price forecast)
    copy_actual_r2, naive_price_r2: R² against close[t+1], of the price forecast and of close[t]
    """
    names = ("copy_r2", "copy_actual_r2", "naive_price_r2")
    if len(f) < 2:
        return dict.fromkeys(names, math.nan)
    priced, actual = price * np.exp(f), price * np.exp(y)
    spread = float(np.sum((actual - actual.mean()) ** 2)) if _varies(actual) else math.nan
    copied = float(np.var(priced - price) / np.var(priced)) if _varies(priced) else math.nan
    errors = (float(np.sum((actual - guess) ** 2)) for guess in (priced, price))
    return dict(zip(names, (1 - copied, *(1 - e / spread for e in errors)), strict=True))


def _calibration(f: np.ndarray, y: np.ndarray) -> list[dict[str, float]]:
    """Mean forecast and outcome of each tenth of the forecasts by size, and the outcome's 95 % interval, basis points.

    Equal forecasts stay together, so that there may be fewer than ten groups; `quantile` counts them from 1.
    """
    if not len(f):
        return []
    cuts = np.unique(np.quantile(f, np.arange(1, QUANTILES) / QUANTILES, method="inverted_cdf"))
    _, group = np.unique(np.searchsorted(cuts, f), return_inverse=True)
    count = np.bincount(group)
    meant, mean = (np.bincount(group, x) / count for x in (f, y))
    with np.errstate(invalid="ignore", divide="ignore"):  # a group of one has no interval
        half = Z * np.sqrt(np.bincount(group, (y - mean[group]) ** 2) / (count - 1) / count)
    return [
        {
            "quantile": k + 1,
            "forecasts": int(count[k]),
            "forecast_bps": float(meant[k] * 1e4),
            "outcome_bps": float(mean[k] * 1e4),
            "low_bps": float((mean[k] - half[k]) * 1e4),
            "high_bps": float((mean[k] + half[k]) * 1e4),
        }
        for k in range(len(count))
    ]


def _decay(f: np.ndarray, outcomes: np.ndarray) -> list[dict[str, float]]:
    """Correlation with the return 1 to 20 bars later, and its 95 % interval by the error of its slope."""
    found = []
    for k in range(LAGS):
        known = ~np.isnan(outcomes[:, k])
        x, y = f[known], outcomes[known, k]
        ic, error = _correlation(x, y), hac_slope(y, x)[1]
        half = Z * error * float(x.std() / y.std()) if not math.isnan(ic) else math.nan
        found.append({"lag": k + 1, "ic": ic, "low": max(ic - half, -1.0), "high": min(ic + half, 1.0)})
    return found


def _aligned(forecast: pd.Series, close: pd.Series) -> tuple[pd.Series, np.ndarray, np.ndarray]:
    """Forecasts with an outcome (n,), the returns 1 to 20 bars later (n, 20), and the closes they were made at (n,)."""
    position = close.index.get_indexer(forecast.index)
    if (position < 0).any():
        raise ValueError(f"expected forecasts on dates of the close, got one on {forecast.index[position < 0][0]}")
    price = close.to_numpy(float)
    returns = np.append(np.diff(np.log(price)), np.full(LAGS, math.nan))
    known = forecast.notna().to_numpy() & ~np.isnan(returns[position])
    position = position[known]
    return forecast[known], returns[position[:, None] + np.arange(LAGS)], price[position]


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Pearson's correlation, NaN where one of the two stands still."""
    if not (_varies(a) and _varies(b)):
        return math.nan
    a, b = ((x - x.mean()) / np.abs(x - x.mean()).max() for x in (a, b))
    return min(max(float(a @ b / math.sqrt((a @ a) * (b @ b))), -1.0), 1.0)


def _varies(x: np.ndarray) -> bool:
    """Whether numbers differ by more than rounding does."""
    return len(x) > 1 and bool(np.ptp(x) > max(1e-12 * np.abs(x).max(), 1e-100))


def _rms(x: np.ndarray) -> float:
    return math.sqrt(float(np.mean(x**2))) if len(x) else math.nan


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else math.nan
