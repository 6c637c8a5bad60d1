"""An audit of quantstats' figures: where one differs from ours by more than rounding, ours stands beside it, and why.

Notation: r, b simple returns per bar of the strategy and the benchmark, A bars per year, n bars, D equity over its
peak - 1. docs/metrics.md defines each figure and names its source.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .values import Cells, Metrics
from .words import DASH, number

ROUNDING = 0.005 + 1e-9  # quantstats prints two decimals

# Row → the unit it is printed in (100: percent) and why quantstats differs, where it does.
REASONS: dict[str, tuple[int, str]] = {
    "Cumulative Return": (100, "∏(1+r) − 1"),
    "CAGR": (100, "over bars per year"),
    "Sharpe": (1, "over what cash earned; quantstats' is over zero"),
    "Prob. Sharpe Ratio": (100, "over cash, and by the moments of the sample itself, without bias correction"),
    "Sortino": (1, "over what cash earned, downside over all bars; quantstats' is over zero"),
    "Max Drawdown": (100, "the starting equity counts as a peak"),
    "Volatility (ann.)": (100, "n − 1 in the denominator"),
    "Calmar": (1, "CAGR over the deepest drawdown"),
    "Skew": (1, "population moments, not corrected for the sample's size"),
    "Kurtosis": (1, "population moments, in excess of 3, not corrected for the sample's size"),
    "Bars with a Return": (100, "closes with a position; quantstats counts returns that are not zero"),
    "R^2": (1, "squared correlation"),
    "Information Ratio": (1, "a year; quantstats' is per bar"),
    "Ulcer Performance Index": (1, "CAGR over ulcer index; quantstats divides the total return"),
    "Risk-Adjusted Return": (
        100,
        "CAGR over our time in the market; quantstats counts returns that are not zero, and 252 a year",
    ),
    "Expected per Bar": (100, "geometric mean"),
    "Value-at-Risk per Bar": (100, "the historical 5 % quantile; quantstats assumes a normal distribution"),
    "Expected Shortfall (cVaR)": (100, "the mean at or below the historical quantile; quantstats assumes a normal one"),
    "3Y (ann.)": (100, "over 36 months; quantstats takes 35"),
    "5Y (ann.)": (100, "over 60 months; quantstats takes 59"),
    "10Y (ann.)": (100, "over 120 months; quantstats takes 119"),
    "All-time (ann.)": (100, "over bars per year"),
    "Best Bar": (100, "the highest return"),
    "Worst Bar": (100, "the lowest return"),
    "Recovery Factor": (
        1,
        "total return over the deepest drawdown; quantstats takes the sum of returns, without its sign",
    ),
    "Ulcer Index": (1, "√mean(D²), n in the denominator"),
    "Beta": (1, "covariance over variance"),
    "Alpha": (1, "compounded over a year; quantstats multiplies"),
    "Correlation": (100, "Pearson's"),
    "Treynor Ratio": (100, "CAGR over beta; quantstats divides the total return"),
}


@dataclass(frozen=True)
class Note:
    """Our figures beside a row's cells, benchmark first, empty where they agree; and why they differ."""

    cells: Cells
    reason: str


def audit(rows: Mapping[str, Cells], metrics: Metrics, returns: pd.Series, benchmark: pd.Series) -> dict[str, Note]:
    """A note for each of quantstats' rows (benchmark, strategy) that differs from ours by more than rounding.

    rows: quantstats' cells by the name of a row. returns, benchmark: simple returns per bar on the same dates.
    """
    strategy, holding = figures(metrics, returns, benchmark)
    notes = {}
    for name, (unit, reason) in REASONS.items():
        if name in rows:
            sides = zip(rows[name], (holding, strategy), strict=True)
            cells = tuple(_difference(cell, side.get(name), unit) for cell, side in sides)
            if any(cells):
                notes[name] = Note(cells, reason)
    return notes


def audited_rows(rows: Mapping[str, Cells]) -> int:
    """How many of quantstats' rows have a figure of ours."""
    return len(REASONS.keys() & rows.keys())


def figures(metrics: Metrics, returns: pd.Series, benchmark: pd.Series) -> tuple[dict[str, float], dict[str, float]]:
    """Our figures by quantstats' row names: of the strategy, and of the benchmark."""
    yearly = metrics["bars_per_year"]
    strategy = _account_figures(metrics["strategy"], returns, yearly)
    holding = _account_figures(metrics["benchmark"], benchmark, yearly)
    r, b = returns.to_numpy(float), benchmark.to_numpy(float)
    relative = _relative_figures(r, b, yearly, metrics["strategy"]["cagr"])
    for name in ("R^2", "Information Ratio"):  # quantstats prints these in both columns
        holding[name] = relative[name]
    if "luck" in metrics:
        strategy["Prob. Sharpe Ratio"] = _float(metrics["luck"]["psr"])
    return strategy | relative, holding


def _account_figures(scores: Metrics, returns: pd.Series, yearly: float) -> dict[str, float]:
    """Figures of one account, from its scores where it has them and from its returns per bar otherwise."""
    r = returns.to_numpy(float)
    s = {key: _float(value) for key, value in scores.items()}
    equity = np.cumprod(1 + r)
    drawdown = equity / np.maximum.accumulate(np.r_[1.0, equity])[1:] - 1
    ulcer = math.sqrt(float(np.mean(drawdown**2)))
    tail = float(np.quantile(r, 0.05))
    return {
        "Cumulative Return": s["total_return"],
        "CAGR": s["cagr"],
        "Sharpe": s["sharpe"],
        "Sortino": s["sortino"],
        "Max Drawdown": s["max_drawdown"],
        "Volatility (ann.)": s["volatility"],
        "Calmar": s["calmar"],
        "Skew": s["skew"],
        "Kurtosis": s["kurtosis"] - 3,
        "Bars with a Return": s["time_in_market"],
        "Ulcer Performance Index": _ratio(s["cagr"], ulcer),
        "Risk-Adjusted Return": _ratio(s["cagr"], s["time_in_market"]),
        "Expected per Bar": float(equity[-1] ** (1 / len(r)) - 1),
        "Value-at-Risk per Bar": tail,
        "Expected Shortfall (cVaR)": float(r[r <= tail].mean()),
        "All-time (ann.)": s["cagr"],
        "Best Bar": float(r.max()),
        "Worst Bar": float(r.min()),
        "Recovery Factor": _ratio(s["total_return"], abs(s["max_drawdown"])),
        "Ulcer Index": ulcer,
        **{f"{years}Y (ann.)": _recent_cagr(returns, years, yearly) for years in (3, 5, 10)},
    }


def _relative_figures(r: np.ndarray, b: np.ndarray, yearly: float, cagr: float | None) -> dict[str, float]:
    """Figures of the strategy against the benchmark."""
    varies = len(b) > 1 and np.ptp(b) > 0
    correlation = float(np.corrcoef(r, b)[0, 1]) if varies and np.ptp(r) > 0 else math.nan
    beta = float(np.cov(r, b)[0, 1] / np.var(b, ddof=1)) if varies else math.nan
    active = r - b
    spread = float(active.std(ddof=1)) if len(r) > 1 else math.nan
    return {
        "R^2": correlation**2,
        "Information Ratio": _ratio(float(active.mean()), spread) * math.sqrt(yearly),
        "Beta": beta,
        "Alpha": (1 + float(np.mean(r - beta * b))) ** yearly - 1,
        "Correlation": correlation,
        "Treynor Ratio": _ratio(_float(cagr), beta),
    }


def _recent_cagr(returns: pd.Series, years: int, yearly: float) -> float:
    """CAGR of the bars after the same day so many years ago; NaN where the data do not reach that far."""
    start = returns.index[-1] - pd.DateOffset(years=years)
    if returns.index[0] > start + pd.Timedelta(days=7):  # a week, for holidays about the day itself
        return math.nan
    part = returns[returns.index > start].to_numpy(float)
    return float(np.prod(1 + part) ** (yearly / len(part)) - 1)


def _difference(cell: str, figure: float | None, unit: int) -> str:
    """Our figure as text where it differs from the cell by more than rounding; nothing where either is missing."""
    if figure is None:
        return ""
    try:
        printed = float(cell.rstrip("%").replace(",", ""))
    except ValueError:
        return ""
    if math.isnan(figure):
        return f"ours {DASH}"
    if abs(printed - unit * figure) <= ROUNDING:
        return ""
    return f"ours {number(unit * figure)}{'%' if unit == 100 else ''}"


def _ratio(numerator: float, denominator: float) -> float:
    """NaN over a denominator that is zero but for rounding."""
    return numerator / denominator if abs(denominator) > 1e-15 else math.nan


def _float(value: float | None) -> float:
    """NaN for a score that a saved run has as null."""
    return math.nan if value is None else float(value)
