"""The luck of a result, from its annual scores and the trials that were counted, against scipy's normal."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from rollcast.backtests.evidence.bootstrap import difference, intervals
from rollcast.backtests.evidence.evidence import ALONE, luck_of
from rollcast.backtests.evidence.trials import Trials

RETURNS = pd.Series(np.random.default_rng(0).normal(0.001, 0.01, 102))
HELD = pd.Series(np.random.default_rng(1).normal(0.0, 0.01, 102))


def result(sharpe: float | None) -> SimpleNamespace:
    """What `luck_of` reads of a result of 102 daily returns that look normal."""
    scores = {"sharpe": sharpe, "skew": None if sharpe is None else 0.0, "kurtosis": 3.0}
    metrics = {"bars_per_year": 252, "strategy": scores}
    return SimpleNamespace(metrics=metrics, returns=RETURNS, benchmark_returns=HELD)


def best_of(n: float) -> float:
    """The highest of n standard normals, expected; Bailey & López de Prado (2014)."""
    return (1 - np.euler_gamma) * norm.ppf(1 - 1 / n) + np.euler_gamma * norm.ppf(1 - 1 / (n * math.e))


def test_the_annual_scores_are_judged_bar_by_bar_for_the_trials_that_differ_and_for_all():
    ours = luck_of(result(0.1 * math.sqrt(252)), Trials(count=50, effective=20, sharpe_variance=1e-3, runs=60))
    deviation = math.sqrt(1.005 / 101)  # of an estimated Sharpe ratio of 0.1 a bar
    some, every = (math.sqrt(1e-3) * best_of(n) for n in (20, 50))
    assert ours["psr"] == pytest.approx(norm.cdf(0.1 / deviation))
    assert ours["dsr"] == pytest.approx(norm.cdf((0.1 - some) / deviation))
    assert ours["dsr_all"] == pytest.approx(norm.cdf((0.1 - every) / deviation))
    assert ours["threshold"] == pytest.approx(some * math.sqrt(252))
    assert ours["min_track_record"] == pytest.approx(1 + 1.005 * (norm.ppf(0.95) / 0.1) ** 2)
    assert (ours["trials"], ours["effective_trials"], ours["sharpe_variance"]) == (50, 20, 1e-3)
    assert ours["intervals"] == intervals(RETURNS, 252)
    assert ours["against_hold"].items() >= difference(RETURNS, HELD, 252).items()
    low, high = ours["against_hold"]["sharpe"]
    seen = (norm.ppf(0.95) + norm.ppf(0.8)) * (high - low) / 3.92
    assert ours["against_hold"]["smallest_sharpe"] == pytest.approx(seen, rel=1e-3)


def test_a_lone_trial_has_nothing_to_be_deflated_for():
    ours = luck_of(result(1.0), ALONE)
    assert ours["psr"] == ours["dsr"] == ours["dsr_all"]
    assert (ours["threshold"], ours["trials"], ours["effective_trials"]) == (0.0, 1, 1)


def test_a_result_without_a_sharpe_ratio_has_no_probability():
    ours = luck_of(result(None), ALONE)
    assert all(math.isnan(ours[name]) for name in ("psr", "dsr", "dsr_all", "min_track_record"))
