"""Sharpe ratios whose probabilities are worked out by hand, and trials whose correlations are exact."""

from __future__ import annotations

import math

import pytest

from rollcast.backtests.evidence.luck import (
    deflated_sharpe,
    expected_maximum,
    minimum_track_record,
    probabilistic_sharpe,
)


@pytest.mark.parametrize(
    ("arguments", "bars"),
    [
        # Normal returns: 1 + (1 + 0.1²/2) · (1.6448536 / 0.1)².
        ((0.1, 0, 3), 1 + 1.005 * 270.55434),
        # 1 - (-1)·0.2 + (5-1)/4·0.04 is 1.24, and 1.6448536 / (0.2 - 0.1) is 16.448536.
        ((0.2, -1, 5, 0.1), 1 + 1.24 * 270.55434),
        # At a confidence of 97.5 % z is 1.9599640.
        ((0.1, 0, 3, 0.0, 0.975), 1 + 1.005 * 384.14588),
    ],
)
def test_the_minimum_track_record_is_the_published_formula(arguments, bars):
    assert minimum_track_record(*arguments) == pytest.approx(bars, rel=1e-7)


def test_one_more_standard_error_is_the_normal_probability_of_it():
    # √(n-1) · 0.1 / √1.005 is 1 where n-1 is 100.5, and Φ(1) is 0.8413447461.
    assert probabilistic_sharpe(0.1, 101.5, 0, 3) == pytest.approx(0.8413447461, abs=1e-10)
    assert probabilistic_sharpe(0.1, 101.5, 0, 3, 0.2) == pytest.approx(1 - 0.8413447461, abs=1e-10)
    assert deflated_sharpe(sharpe=0.1, n=101.5, skew=0, kurtosis=3, variance=0.0, trials=9) == pytest.approx(0.84134475)


@pytest.mark.parametrize("skew", [1.0, 1.5])
def test_moments_that_leave_no_variance_or_less_have_no_probability(skew):
    # 1 - skew · 1 + (1-1)/4 is 0, or -0.5.
    assert math.isnan(probabilistic_sharpe(1.0, 100, skew, 1.0))
    assert math.isnan(minimum_track_record(1.0, skew, 1.0))


def test_two_bars_are_the_fewest_that_have_a_probability():
    assert probabilistic_sharpe(0.0, 2, 0, 3) == 0.5
    assert math.isnan(probabilistic_sharpe(0.0, 1.99, 0, 3))


@pytest.mark.parametrize("n", [-3.0, 0.0, 0.5, 1.0])
def test_the_best_of_one_or_fewer_is_expected_at_zero(n):
    assert expected_maximum(n) == 0.0


# --- trials ---
