"""The deflated Sharpe ratio and its parts against published numbers, simulation and planted clusters."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests.evidence.luck import (
    deflated_sharpe,
    deflated_threshold,
    expected_maximum,
    minimum_track_record,
    probabilistic_sharpe,
)

SHARPES = st.floats(-0.5, 0.5)


# --- Sharpe ratios ---


def test_probabilistic_sharpe_is_the_published_hedge_fund_example():
    # Bailey & López de Prado (2012): 24 months, annual Sharpe ratio 1.585, skew -2.448, kurtosis 10.164.
    ours = probabilistic_sharpe(1.585 / math.sqrt(12), 24, -2.448, 10.164)
    assert ours == pytest.approx(0.91323430688486018, abs=1e-12)


def test_deflated_sharpe_is_the_published_example():
    # Bailey & López de Prado (2014): 100 trials, five years of 250 days, annual Sharpe ratio 2.5.
    assert deflated_threshold(0.5 / 250, 100) == pytest.approx(0.1132, abs=5e-5)
    ours = deflated_sharpe(2.5 / math.sqrt(250), 1250, -3, 10, variance=0.5 / 250, trials=100)
    assert ours == pytest.approx(0.90039683444939034, abs=1e-12)


def test_probabilistic_sharpe_of_normal_returns_is_the_frequency_seen_in_simulation():
    rng = np.random.default_rng(0)
    r = rng.normal(0.15, 1, (20_000, 60))
    sharpe = r.mean(1) / r.std(1, ddof=1)
    seen = np.mean(sharpe > 0.15)
    claimed = [probabilistic_sharpe(float(s), 60, 0, 3, 0.15) for s in sharpe[:2000]]
    assert seen == pytest.approx(0.5, abs=0.02)
    # A probability is uniform where the truth is the threshold.
    assert np.quantile(claimed, [0.05, 0.25, 0.75, 0.95]) == pytest.approx([0.05, 0.25, 0.75, 0.95], abs=0.03)


@settings(max_examples=100, deadline=None)
@given(SHARPES, st.integers(2, 5000), st.floats(-2, 2), st.floats(0, 10), SHARPES)
def test_probabilistic_sharpe_rises_with_the_sharpe_and_mirrors(sharpe, n, skew, extra, threshold):
    kurtosis = 1 + skew**2 + extra  # no distribution has less
    p = probabilistic_sharpe(sharpe, n, skew, kurtosis, threshold)
    assert 0 <= p <= 1
    assert p == pytest.approx(1 - probabilistic_sharpe(-sharpe, n, -skew, kurtosis, -threshold), abs=1e-12)
    if abs(sharpe - threshold) > 1e-9:
        assert (p > 0.5) == (sharpe > threshold)
    assert probabilistic_sharpe(sharpe, n, skew, kurtosis, threshold - 0.01) >= p


@pytest.mark.parametrize("arguments", [(math.nan, 10, 0, 3), (0.1, 1, 0, 3), (0.1, 0, 0, 3), (0.1, 10, math.nan, 3)])
def test_probabilistic_sharpe_of_nothing_is_nan(arguments):
    assert math.isnan(probabilistic_sharpe(*arguments))


def test_probabilistic_sharpe_of_impossible_moments_is_nan():
    assert math.isnan(probabilistic_sharpe(1.0, 100, 3.0, 1.0))
    assert math.isnan(minimum_track_record(1.0, 3.0, 1.0))


@settings(max_examples=100, deadline=None)
@given(st.floats(0.01, 0.5), st.floats(-2, 2), st.floats(0, 10), st.floats(0.6, 0.999))
def test_at_the_minimum_track_record_the_probability_is_the_confidence(sharpe, skew, extra, confidence):
    kurtosis = 1 + skew**2 + extra
    n = minimum_track_record(sharpe, skew, kurtosis, confidence=confidence)
    if n >= 2:
        assert probabilistic_sharpe(sharpe, n, skew, kurtosis) == pytest.approx(confidence, abs=1e-9)


def test_no_track_record_proves_a_sharpe_ratio_below_its_threshold():
    assert minimum_track_record(0.1, 0, 3, threshold=0.1) == math.inf
    assert minimum_track_record(-0.1, 0, 3) == math.inf
    assert math.isnan(minimum_track_record(math.nan, 0, 3))


# --- the best of many ---


def test_expected_maximum_is_the_published_number_and_near_the_integral():
    from scipy import stats

    assert expected_maximum(100) == pytest.approx(2.5306028932, abs=1e-10)
    for n in (2, 5, 10, 100, 1000):
        x = np.linspace(-8, 8, 20_001)
        exact = np.trapezoid(x * n * stats.norm.pdf(x) * stats.norm.cdf(x) ** (n - 1), x)
        assert expected_maximum(n) == pytest.approx(exact, rel=0.08)


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_expected_maximum_of_any_real_number_rises_from_zero(a, b):
    low, high = sorted((a, b))
    assert 0 <= expected_maximum(low) <= expected_maximum(high)
    assert expected_maximum(1) == 0


def test_deflated_sharpe_of_one_trial_is_the_probabilistic_one_and_falls_with_more():
    of = [deflated_sharpe(0.1, 1000, -0.5, 6, variance=1e-3, trials=n) for n in (1, 2, 10, 100, 10_000)]
    assert of[0] == probabilistic_sharpe(0.1, 1000, -0.5, 6)
    assert of == sorted(of, reverse=True)
    assert of[-1] < 0.5 < of[0]


def test_an_unknown_number_or_variance_of_trials_deflates_to_nan():
    assert math.isnan(expected_maximum(math.nan))
    assert math.isnan(deflated_threshold(math.nan, 10))
    assert math.isnan(deflated_sharpe(0.1, 1000, 0, 3, variance=1e-3, trials=math.nan))


# --- effective trials ---
