"""Skill of a handful of forecasts, worked out by hand, and its edges."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from rollcast.backtests.evidence.skill import _correlation, equal_losses, hac_slope, rolling_skill, skill, wilson


def market(outcomes: list[float], forecasts: list[float]) -> tuple[pd.Series, pd.Series]:
    """Forecasts, and the closes whose log returns are these outcomes."""
    index = pd.bdate_range("2020", periods=len(outcomes) + 1)
    return pd.Series([*forecasts, math.nan], index), pd.Series(100 * np.exp(np.cumsum([0.0, *outcomes])), index)


def test_two_forecasts_have_the_tests_of_their_two_gains():
    ours = skill(*market([0.01, -0.02], [0.01, 0.01]))
    # 2fy is 2 and -4, its t -1/3; y² - (y-f)² is 1 and -5, its t -2/3 of one degree of freedom: all of 1e-4.
    assert ours["cw"] == pytest.approx(-1 / 3)
    assert ours["cw_p"] == pytest.approx(0.6305586598, abs=1e-9)
    assert ours["dm"] == pytest.approx(-2 / 3)
    assert ours["dm_p"] == pytest.approx(0.5 + math.atan(2 / 3) / math.pi)
    assert ours["r2"] == pytest.approx(1 - 9 / 5)
    assert ours["rmse_bps"] == pytest.approx(1e4 * 0.03 / math.sqrt(2))
    assert (ours["opinions"], ours["hit_rate"], ours["base_rate"]) == (2, 0.5, 0.5)


def test_the_interval_of_a_tenth_is_that_of_a_mean_whose_deviation_is_estimated():
    # Forecasts of 1 to 20 basis points, two a tenth; the outcomes of tenth k are k ± 1, so that their standard
    # deviation is √2, and that of their mean 1.
    outcomes = [1e-4 * (k + sign) for k in range(1, 11) for sign in (-1, 1)]
    rows = skill(*market(outcomes, [1e-4 * k for k in range(1, 21)]))["calibration"]
    assert [row["quantile"] for row in rows] == list(range(1, 11))
    assert [row["forecasts"] for row in rows] == [2] * 10
    assert [row["forecast_bps"] for row in rows] == pytest.approx([2 * k - 0.5 for k in range(1, 11)])
    assert [row["outcome_bps"] for row in rows] == pytest.approx(range(1, 11), abs=1e-8)
    assert [row["low_bps"] for row in rows] == pytest.approx([k - 1.959963985 for k in range(1, 11)], abs=1e-8)
    assert [row["high_bps"] for row in rows] == pytest.approx([k + 1.959963985 for k in range(1, 11)], abs=1e-8)


def test_a_group_of_one_has_a_mean_and_no_interval():
    rows = skill(*market([0.01, -0.02, 0.03], [0.001, 0.002, 0.003]))["calibration"]
    assert [row["outcome_bps"] for row in rows] == pytest.approx([100, -200, 300])
    assert all(math.isnan(row["low_bps"]) and math.isnan(row["high_bps"]) for row in rows)


# --- Diebold and Mariano ---


def test_the_statistic_of_two_horizons_is_worked_out_by_hand():
    # d 1, 2, 4, 1: mean 2, u -1, 0, 2, -1; γ₀ 6/4, γ₁ -2/4, V = 6/4 - 2·2/4 = 1/2; 2/√(1/8) is 4√2.
    # The correction of n = 4, h = 2 is √((4 + 1 - 4 + 2/4)/4) = √(3/8): together √12.
    statistic, p = equal_losses(np.array([1.0, 2.0, 4.0, 1.0]), 2)
    assert statistic == pytest.approx(math.sqrt(12))
    # Two-sided, of three degrees of freedom: 1 - 2/π · (θ + sin θ cos θ) at tan θ = √12/√3 = 2.
    assert p == pytest.approx(1 - 2 / math.pi * (math.atan(2) + 2 / 5))


@pytest.mark.parametrize("horizon", [3, 5])
def test_a_horizon_as_long_as_the_losses_has_no_statistic(horizon):
    # All autocovariances together are (Σu)²/n, which is zero but for rounding, here upwards.
    assert all(math.isnan(x) for x in equal_losses(np.array([1.1, 1.8, -2.6]), horizon))


def test_losses_that_take_turns_have_no_variance_at_two_horizons():
    # u is ±1/10 and γ₀ + 2γ₁ negative: 0.06 - 0.1 over six.
    assert all(math.isnan(x) for x in equal_losses(np.array([0.1, -0.1] * 3), 2))


@pytest.mark.parametrize("difference", [[0.1 + 0.2, 0.3] * 5, [0.0, 1e-100]])
def test_what_differs_by_rounding_alone_stands_still(difference):
    assert all(math.isnan(x) for x in equal_losses(np.array(difference)))
    assert all(math.isnan(x) for x in hac_slope(np.arange(len(difference), dtype=float), np.array(difference)))


# --- bounds ---


def test_the_interval_of_a_share_stays_between_nothing_and_all():
    for n in range(1, 500):
        assert wilson(0, n)[0] >= 0
        assert wilson(n, n)[1] <= 1
    assert wilson(0, 3)[1] == pytest.approx(1.959964**2 / (3 + 1.959964**2), rel=1e-6)
    assert all(math.isnan(x) for x in wilson(0, 0))


def test_a_correlation_is_never_beyond_one_whatever_the_rounding():
    rng = np.random.default_rng(0)
    for x in rng.normal(size=(500, 7)):
        scaled = rng.normal() * x
        assert abs(_correlation(x, scaled)) <= 1
        assert _correlation(x, scaled) == pytest.approx(np.sign(scaled @ x))


def test_where_the_price_stands_still_no_span_has_skill():
    forecast, close = market([0.0] * 70, list(np.random.default_rng(0).normal(0, 0.01, 70)))
    rolling = rolling_skill(forecast, close)
    assert len(rolling) == 70 - 60 + 1
    assert rolling.isna().all(axis=None)


@pytest.mark.parametrize(("n", "spans"), [(100, 41), (1240, 1179), (2000, 1901)])
def test_a_span_is_a_twentieth_of_the_forecasts_and_sixty_at_least(n, spans):
    rng = np.random.default_rng(n)
    assert len(rolling_skill(*market(list(rng.normal(0, 0.01, n)), list(rng.normal(0, 0.01, n))))) == spans
