"""Return beyond one's own exposure: no credit for drift, none for interest, and the bar rises with what was tried."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import norm

from rollcast.backtests.evidence.excess import excess
from rollcast.backtests.evidence.power import smallest, years_more
from rollcast.backtests.evidence.trials import Trials

DAYS = pd.bdate_range("2000-01-03", periods=1500)
NOTHING = pd.Series(0.0, DAYS)


def market(seed: int, drift: float = 0.0) -> pd.Series:
    return pd.Series(drift + 0.01 * np.random.default_rng(seed).standard_normal(len(DAYS)), DAYS)


def timed(m: pd.Series, seed: int) -> pd.Series:
    """In the market on half of the days, drawn by lot."""
    return m * (np.random.default_rng([seed, 1]).random(len(m)) < 0.5)


def tried(returns: pd.DataFrame, count: int | None = None) -> Trials:
    n = count or returns.shape[1]
    return Trials(n, n, 0.0, n, returns)


def test_alpha_and_its_error_are_those_of_a_regression_on_the_market():
    m = market(0, 0.0005)
    r = timed(m, 0)
    ours = excess(r, m, NOTHING, 252)
    fit = sm.OLS(r.to_numpy(), sm.add_constant(m.to_numpy())).fit(
        cov_type="HAC", cov_kwds={"maxlags": int(4 * (len(m) / 100) ** (2 / 9))}
    )
    assert ours["alpha"] == pytest.approx(252 * fit.params[0])
    assert ours["beta"] == pytest.approx(fit.params[1])
    assert ours["t"] == pytest.approx(fit.tvalues[0], rel=0.02)  # which knows that β is estimated
    assert ours["p"] == ours["p_best"] == pytest.approx(norm.sf(ours["t"]))


def test_a_rising_market_is_no_excess_whatever_share_of_it_was_held():
    m = market(1, 0.002)
    half = excess(0.5 * m + timed(m, 1) * 1e-3, m, NOTHING, 252)
    assert abs(half["alpha"]) < 0.002
    assert half["beta"] == pytest.approx(0.5, abs=0.01)


def test_interest_on_cash_is_no_excess():
    m = market(2)
    r, cash = timed(m, 2), NOTHING + 0.0002
    earning = excess(r.where(r != 0, cash), m, cash, 252)
    plain = excess(r, m - cash.where(r != 0, 0.0), NOTHING, 252)
    assert earning["alpha"] == pytest.approx(plain["alpha"], abs=0.03)
    assert math.isnan(excess(cash, m, cash, 252)["t"])


def test_what_was_bought_once_and_held_has_nothing_to_test():
    m = market(3)
    found = excess(m * 1.0000001, m, NOTHING, 252)
    assert math.isnan(found["t"])
    assert math.isnan(found["p_best"])
    assert math.isnan(found["dsr"])


def test_the_more_was_tried_the_more_is_needed():
    m = market(4)
    trials = pd.DataFrame({k: timed(m, k) for k in range(60)}, DAYS)
    best = max(trials, key=lambda k: excess(trials[k], m, NOTHING, 252)["t"])
    lone, few, all_ = (
        excess(trials[best], m, NOTHING, 252, one)
        for one in (Trials(1, 1, 0.0, 1), tried(trials[[best, 1, 2]]), tried(trials))
    )
    assert lone["p_best"] < few["p_best"] < all_["p_best"]
    assert 1.645 == lone["needed_t"] < few["needed_t"] < all_["needed_t"]
    assert all_["needed_t"] == pytest.approx(norm.ppf(0.95 ** (1 / 60)), abs=0.25)
    assert all_["smallest"] == pytest.approx(smallest(all_["alpha_se"], all_["needed_t"]))


def test_copies_of_one_trial_are_one_trial():
    m = market(5)
    r = timed(m, 5)
    copies = pd.DataFrame({k: r for k in range(50)}, DAYS)
    found = excess(r, m, NOTHING, 252, tried(copies))
    assert found["p_best"] == pytest.approx(found["p"], abs=0.03)


def test_trials_without_returns_count_as_more_of_the_same():
    m = market(6)
    trials = pd.DataFrame({k: timed(m, k) for k in range(30)}, DAYS)
    kept, more = (excess(trials[3], m, NOTHING, 252, tried(trials, n)) for n in (30, 300))
    assert more["needed_t"] > kept["needed_t"]
    assert more["p_best"] == pytest.approx(1 - (1 - kept["p_best"]) ** 10)


def test_sketches_of_the_trials_decide_as_their_returns_do():
    m = market(7)
    trials = pd.DataFrame({k: timed(m, k) for k in range(40)}, DAYS)
    growth = np.log1p(trials).cumsum().iloc[4::5]
    weekly = np.expm1(growth.diff().fillna(growth.iloc[0]))
    exact, sketched = (excess(trials[7], m, NOTHING, 252, tried(table)) for table in (trials, weekly))
    assert sketched["needed_t"] == pytest.approx(exact["needed_t"], abs=0.15)
    assert sketched["p_best"] == pytest.approx(exact["p_best"], abs=0.15)


def test_one_trial_that_lost_everything_moves_the_bar_of_the_others_little():
    m = market(8)
    trials = pd.DataFrame({k: timed(m, k) for k in range(40)}, DAYS)
    ruined = trials.assign(ruin=-np.abs(trials[0]) - 0.01)
    before, after = (excess(trials[7], m, NOTHING, 252, tried(table)) for table in (trials, ruined))
    assert after["needed_t"] == pytest.approx(before["needed_t"], rel=0.05)
    assert after["threshold"] == pytest.approx(before["threshold"], rel=0.05)


@pytest.mark.parametrize(("t", "years", "more"), [(2.4866, 10.0, 0.0), (1.2433, 10.0, 30.0), (5.0, 10.0, 0.0)])
def test_years_until_it_would_be_seen_grow_with_the_square_of_what_is_missing(t, years, more):
    assert years_more(t, years) == pytest.approx(more, abs=0.01)
    assert math.isnan(years_more(-t, years))


def test_the_smallest_effect_is_seen_in_four_of_five_samples():
    effect = smallest(1.0)
    draws = effect + np.random.default_rng(0).standard_normal(100_000)
    assert np.mean(draws > 1.645) == pytest.approx(0.80, abs=0.005)
