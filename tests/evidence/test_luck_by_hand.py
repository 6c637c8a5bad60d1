"""Sharpe ratios whose probabilities are worked out by hand, and trials whose correlations are exact."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rollcast.backtests.evidence.luck import (
    _silhouettes,
    deflated_sharpe,
    effective_trials,
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


def pair(correlation: float) -> np.ndarray:
    """Two trials with exactly this correlation."""
    a, b = np.array([1.0, 1, -1, -1, 0, 0]), np.array([1.0, -1, 1, -1, 0, 0])
    return np.vstack([a, correlation * a + math.sqrt(1 - correlation**2) * b])


@pytest.mark.parametrize(("correlation", "count"), [(0.905, 1), (0.92, 1), (0.895, 2), (0.0, 2), (-0.95, 2)])
def test_two_trials_are_one_idea_from_a_correlation_of_nine_tenths_on(correlation, count):
    assert effective_trials(pair(correlation)).count == count


def test_a_trial_that_never_moves_is_another_idea_than_one_that_does():
    found = effective_trials(np.array([[0.1] * 6, [1.0, 1, -1, -1, 0, 0], [0.0] * 6]))
    assert found.count == 2
    assert found.labels.tolist() == [0, 1, 0]


def families() -> np.ndarray:
    """Two groups of two pairs: correlations of 14/16 in a pair, of 8/16 in a group and of 0 between groups.

    Sixteen days of plus and minus one a trial: eight shared by its group, six by its pair, two its own.
    """
    trials = np.zeros((8, 56))
    for k in range(8):
        group, couple = k // 4, k // 2
        days = [*range(group * 8, group * 8 + 8), *range(16 + couple * 6, 22 + couple * 6), 40 + 2 * k, 41 + 2 * k]
        trials[k, days] = np.resize([1.0, -1.0], 16)
    return trials


def test_families_have_the_correlations_they_were_made_with():
    correlations = np.corrcoef(families())
    assert correlations[0, [1, 2, 3, 4, 7]] == pytest.approx([14 / 16, 8 / 16, 8 / 16, 0, 0], abs=1e-15)


def test_of_two_groupings_without_any_spread_the_finer_is_taken():
    # In pairs every silhouette is (½ - ¼)/½; in groups every one is the same as well.
    found = effective_trials(families())
    assert found.labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("n", [3, 20, 102])
def test_every_number_of_clusters_up_to_a_hundred_is_looked_at_and_the_finest_of_all(n):
    from scipy.cluster.hierarchy import linkage

    z = np.random.default_rng(n).normal(size=(n, 30))
    distance = np.sqrt((1 - np.corrcoef(z)) / 2)
    np.fill_diagonal(distance, 0)
    counts = [clusters for clusters, *_ in _silhouettes(distance, linkage(distance[np.triu_indices(n, 1)], "average"))]
    assert counts == sorted(counts, reverse=True)
    assert set(counts) >= set(range(2, min(n, 101)))
    assert counts[0] == n - 1


@pytest.mark.parametrize("shape", [(2, 3, 4), (6,), ()])
def test_only_a_table_of_trials_is_grouped(shape):
    with pytest.raises(ValueError, match="expected finite returns of shape"):
        effective_trials(np.ones(shape))
