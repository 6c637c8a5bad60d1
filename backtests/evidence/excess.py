"""What a run earned beyond its own average exposure to the market, and whether the best of all trials shows as much.

Notation: r simple returns per bar of the account, m of the market it trades (buying and holding), both less what cash
earns; β the slope of r on m, e = r - β·m the excess, α its mean; T bars, N trials.
Sources: Jensen (1968), The performance of mutual funds, Journal of Finance 23(2), for α; White (2000), A reality check
for data snooping, Econometrica 68(5), and Hansen (2005), A test for superior predictive ability, Journal of Business &
Economic Statistics 23(4), for the maximum of studentised means; Politis & Romano (1994) for the draws.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.special import ndtr

from ..account.panel_scores import hac_mean
from ..json_values import Record, Values, number
from . import luck
from .bootstrap import block_length, drawn_counts
from .power import SURE, SURE_T, smallest, years_more
from .trials import ALONE, Trials

DRAWS = 1000
HARDLY = 1e-3  # an excess that moves less than this share of the market's moves is rounding: bought once and held


def excess(
    returns: pd.Series,
    market: pd.Series,
    cash: pd.Series,
    bars_per_year: float,
    trials: Trials = ALONE,
    *,
    seed: int = 0,
) -> Values:
    """The excess of a run, its test, and the test against the best of the trials; NaN where there is nothing to test.

    returns, market, cash: simple returns per bar of account, market and cash, on the same dates (T,).

    beta; alpha: a year, and its standard error alpha_se (Newey & West); sharpe: of e, a year.
    t, p:        of α, one-sided.   block, draws: of the bootstrap, where there is more than one trial.
    needed_t:    t above which the best of these trials lies with a probability of 5 %; 1.645 for one trial.
    p_best:      the probability that the best of these trials without skill has a t as high; p for one trial.
    dsr, dsr_all, threshold: as `evidence.luck_of` has them, of e instead of r.
    smallest:    α a year that would be seen in these bars with a probability of 80 %.
    years_more:  further years in which α, if it is what it seems, would be seen so; NaN where α is not above 0.
    """
    c = cash.to_numpy(float)
    m = market.to_numpy(float) - c
    e, beta = _beyond(returns.to_numpy(float) - c, m)
    alpha, t = hac_mean(e)
    if not e.std() > HARDLY * m.std():
        alpha, t = (alpha, math.nan) if len(e) else (math.nan, math.nan)
    error = alpha / t if t else math.nan
    p = float(ndtr(-t))
    best: Values = {"needed_t": SURE_T, "p_best": p, "block": math.nan, "draws": 0}
    ts = np.array([t])
    if trials.count > 1 and not math.isnan(t):
        best, ts = _best_of(returns, market, cash, trials, seed)
    n, deviation = len(e), float(e.std(ddof=1)) if len(e) > 1 else math.nan
    sharpe = alpha / deviation if not math.isnan(t) else math.nan
    return {
        **{"beta": beta, "alpha": alpha * bars_per_year, "alpha_se": error * bars_per_year},
        **{"sharpe": sharpe * math.sqrt(bars_per_year), "t": t, "p": p, **best},
        **_deflated(e, sharpe, _variance(ts, trials.count) / n if n else math.nan, trials, bars_per_year),
        "smallest": smallest(error * bars_per_year, best["needed_t"]),
        "years_more": years_more(t, n / bars_per_year, best["needed_t"]),
    }


def break_even(excess: Record, scores: Record) -> Values:
    """own_cost_bps: paid each way; break_even_bps: at which the excess is gone, between the bounds that are sure.

    excess: as above; scores: `cost_bps` and `turnover`, a year. The excess falls by the turnover times the cost. The
    lower bound is sure to the level of `needed_t`, for the trials made. NaN where nothing was turned over.
    """
    turnover, alpha, error = (number(x) for x in (scores["turnover"], excess["alpha"], excess["alpha_se"]))
    if not turnover > 0:
        return {"own_cost_bps": math.nan, "break_even_bps": [math.nan] * 3}
    own, wide = number(scores["cost_bps"]) / turnover, number(excess["needed_t"]) * error
    return {
        "own_cost_bps": own,
        "break_even_bps": [own + 1e4 * x / turnover for x in (alpha - wide, alpha, alpha + wide)],
    }


def _beyond(r: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, float]:
    """The excess of a return over its exposure to the market, and the exposure; 0 to a market that stands still."""
    u = m - m.mean() if len(m) else m
    square = float(u @ u)
    beta = float(u @ r) / square if square > 1e-24 * max(len(m), 1) else 0.0
    return r - beta * m, beta


def _best_of(
    returns: pd.Series, market: pd.Series, cash: pd.Series, trials: Trials, seed: int
) -> tuple[Values, np.ndarray]:
    """The run among the bootstrapped maxima of all trials' centred t, and the trials' own t, the run's first.

    Trials of which no returns were kept are more of the same kind: P(max of count) = P(max of N)^(count/N).
    """
    table = trials.returns if trials.returns is not None else pd.DataFrame(index=returns.index)
    dates = pd.DatetimeIndex(table.index)
    own, m, c = (_compounded(x, dates) for x in (returns, market, cash))
    columns = np.column_stack([own, table.to_numpy(float)]) - c[:, None]
    z, ts = _studentised(columns, m - c)
    z = z.astype(np.float32)  # twice as fast, and seven digits place a maximum among a thousand
    block = block_length(_beyond(own - c, m - c)[0])
    draws = drawn_counts(len(z), block, DRAWS, np.random.default_rng(seed))
    highest = np.concatenate([(counts.astype(np.float32) @ z).max(axis=1) for counts in draws])
    more = max(trials.count / max(table.shape[1], 1), 1.0)
    p = (1 + float(np.sum(highest >= ts[0]))) / (1 + DRAWS)
    needed = float(np.quantile(highest, SURE ** (1 / more)))
    return {
        "needed_t": max(needed, SURE_T),
        "p_best": 1 - (1 - p) ** more,
        "block": block,
        "draws": DRAWS,
    }, ts


def _compounded(returns: pd.Series, dates: pd.DatetimeIndex) -> np.ndarray:
    """The returns from each of some dates of the series to the next, the first from its beginning on."""
    if len(dates) == len(returns):
        return returns.to_numpy(float)
    growth = np.log1p(np.maximum(returns.to_numpy(float), -1 + 1e-13)).cumsum()
    return np.expm1(np.diff(growth[returns.index.get_indexer(dates)], prepend=0.0))


def _studentised(columns: np.ndarray, m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centred excesses whose sums are t statistics, (T, N), and the t of each; trials that stand still are left out."""
    found, ts = [], []
    for column in columns.T:
        known = np.isfinite(column)
        if known.sum() < 3:
            continue
        e = _beyond(column[known], m[known])[0]
        deviation = e.std(ddof=1)
        if deviation > HARDLY * m[known].std():
            z = np.zeros(len(column))
            z[known] = (e - e.mean()) / (deviation * math.sqrt(len(e)))
            found.append(z)
            ts.append(e.mean() / deviation * math.sqrt(len(e)))
    return np.column_stack(found), np.array(ts)


def _variance(ts: np.ndarray, count: int) -> float:
    """Of the trials' t, by the median absolute deviation, which no single trial moves far, at least 1; 0 for one."""
    if count < 2:
        return 0.0
    return max(1.0, float(np.median(np.abs(ts - np.median(ts))) * 1.4826) ** 2)


def _deflated(e: np.ndarray, sharpe: float, variance: float, trials: Trials, bars_per_year: float) -> Values:
    spread = float(e.std()) if len(e) else 0.0
    z = (e - e.mean()) / spread if spread > 0 else np.zeros(1)
    moments = (float(np.mean(z**3)), float(np.mean(z**4)))
    some, every = (luck.deflated_threshold(variance, n) for n in (trials.effective, trials.count))
    return {
        "dsr": luck.probabilistic_sharpe(sharpe, len(e), *moments, some),
        "dsr_all": luck.probabilistic_sharpe(sharpe, len(e), *moments, every),
        "threshold": some * math.sqrt(bars_per_year),
    }
