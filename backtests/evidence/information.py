"""Whether forecasts know more of the next return than its mean so far, whatever their scale.

Notation: f[t] forecast, y[t] outcome log(close[t+1]/close[t]); b[t] the mean of all returns known at t, f̄[t] that of
the forecasts before t.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from scipy.special import ndtr

from ..account.panel_scores import hac_mean
from ..json_values import Values
from .power import SURE_T, smallest, years_more

FEWEST = 20  # returns that b, and forecasts that f̄, are means of


def information(forecast: pd.Series, close: pd.Series, bars_per_year: float, needed_t: float = SURE_T) -> Values:
    """Clark and West's test of the forecasts against the mean known so far, on their deviation from their own mean.

    forecast: expected log(close[t+1]/close[t]) on dates of close, NaN where there is none.
    close:    from the market's first bar on.   needed_t: above which it counts as seen, more than 1.645 of many trials.

    cw_mean, cw_mean_p: t of mean((f - f̄)·(y - b)), robust to autocorrelation, and its one-sided p. That is Clark and
                        West's statistic of the forecast b + (f - f̄) against b, so that a constant forecast earns
                        nothing, knowing the mean earns nothing, and forecasts of ten times the size get the same t.
    r2_mean:            1 - Σ(y-f)²/Σ(y-b)²: against the mean known so far, of the forecasts as they are.
    smallest_ic:        the correlation that would be seen in these bars with a probability of 80 %.
    years_more:         further years until what there seems to be would be seen so; NaN where it is not above 0.

    Clark & West (2007), Journal of Econometrics 138(1), with the benchmark of Campbell & Thompson (2008), Review of
    Financial Studies 21(4). NaN for fewer than 3 forecasts that can be judged, and where they do not vary.
    """
    f, y, b = _aligned(forecast, close)
    own = np.r_[math.nan, np.cumsum(f)[:-1] / np.arange(1, len(f))] if len(f) else f
    known = ~np.isnan(b) & (np.arange(len(f)) >= FEWEST)
    f, y, own = f[known], (y - b)[known], own[known]
    deviation = f - own
    size = float(deviation.std()) if len(f) else 0.0
    varies = size > 1e-9 * float(np.abs(f).max(initial=0.0))
    mean, t = hac_mean(deviation * y / size) if varies else (math.nan, math.nan)
    spread = float(y.std()) if len(y) else math.nan
    residual = float(np.sum((y + b[known] - f) ** 2))
    return {
        "cw_mean": t,
        "cw_mean_p": float(ndtr(-t)),
        "r2_mean": 1 - residual / float(np.sum(y**2)) if len(y) and spread > 0 else math.nan,
        "smallest_ic": min(smallest(mean / t / spread, needed_t), 1.0) if t else math.nan,
        "years_more": years_more(t, len(forecast) / bars_per_year, needed_t),
    }


def _aligned(forecast: pd.Series, close: pd.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Forecasts with an outcome, the outcomes, and the means of the returns known by then, NaN of too few; (n,)."""
    returns = np.diff(np.log(close.to_numpy(float)))
    mean = np.r_[math.nan, np.cumsum(returns) / np.arange(1, len(returns) + 1)]
    mean[: FEWEST + 1] = math.nan
    position = close.index.get_indexer(forecast.index)
    outcome = np.r_[returns, math.nan][position]
    known = forecast.notna().to_numpy() & ~np.isnan(outcome)
    return forecast.to_numpy(float)[known], outcome[known], mean[position[known]]
