"""Forecasts are better than the mean known so far, or they are not: drift and size earn them nothing."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import norm

from rollcast.backtests.evidence.information import information
from rollcast.backtests.evidence.skill import skill


def market(seed: int, n: int = 2500, drift: float = 0.0) -> pd.Series:
    returns = drift + 0.01 * np.random.default_rng(seed).standard_t(4, n) / math.sqrt(2)
    return pd.Series(100 * np.exp(np.cumsum(returns)), pd.bdate_range("2000-01-03", periods=n))


def oracle(close: pd.Series, ic: float, seed: int = 0) -> pd.Series:
    """Forecasts with this correlation with the next return, of the size that is right."""
    y = np.log(close).diff().shift(-1)
    noise = np.random.default_rng([seed, 9]).normal(0, y.std(), len(y))
    return ic * (ic * y + math.sqrt(1 - ic**2) * noise)


def by_hand(f: np.ndarray, r: np.ndarray) -> list[float]:
    """(f - f̄)·(y - b) at every bar, in a plain loop; r[t] is the return to close t, r[0] is none."""
    gains = []
    for t in range(1, len(r) - 1):
        if t >= 21:
            gains.append((f[t] - np.mean(f[:t])) * (r[t + 1] - np.mean(r[1 : t + 1])))
    return gains


def test_the_statistic_is_that_of_a_plain_loop():
    close = market(0, 300)
    r = np.log(close).diff().to_numpy()
    f = np.random.default_rng(1).normal(0, 1e-3, 300)
    gains = np.array(by_hand(f, r))
    fit = sm.OLS(gains, np.ones(len(gains))).fit(cov_type="HAC", cov_kwds={"maxlags": 5})
    found = information(pd.Series(f, close.index), close, 252)
    assert found["cw_mean"] == pytest.approx(fit.tvalues[0])
    assert found["cw_mean_p"] == pytest.approx(norm.sf(fit.tvalues[0]))


@pytest.mark.parametrize("size", [1e-6, 0.1, 10.0, 100.0])
def test_forecasts_of_any_size_get_the_same_answer(size):
    close = market(1)
    f = oracle(close, 0.05)
    same, other = information(f, close, 252), information(size * f, close, 252)
    for key in ("cw_mean", "cw_mean_p", "smallest_ic", "years_more"):
        assert other[key] == pytest.approx(same[key])
    assert skill(size * f, close)["calibration_slope"] * size == pytest.approx(skill(f, close)["calibration_slope"])


def test_knowing_that_a_market_rises_is_no_forecast():
    yes = 0
    for seed in range(40):
        close = market(seed, 2500, 0.001)
        r = np.log(close).diff()
        yes += information(r.expanding(250).mean(), close, 252)["cw_mean_p"] < 0.05
        assert math.isnan(information(r * 0 + 0.001, close, 252)["cw_mean"])
    assert yes <= 5  # P(more of 40 at 5 %) = 1.4 %


def test_an_edge_of_the_smallest_size_is_seen_in_four_samples_of_five():
    seen = []
    for seed in range(60):
        close = market(seed)
        ic = information(oracle(close, 0.05, seed), close, 252)["smallest_ic"]
        assert ic == pytest.approx(0.05, abs=0.01)
        seen.append(information(oracle(close, ic, seed), close, 252)["cw_mean_p"] < 0.05)
    assert 0.62 < np.mean(seen) < 0.95


@pytest.mark.parametrize("n", [1, 2, 22, 30])
def test_few_bars_have_an_answer_or_none(n):
    close = market(2, n)
    found = information(close * 0 + np.random.default_rng(0).normal(size=n), close, 252)
    assert math.isnan(found["cw_mean"]) == (n < 25)
