"""The deflated Sharpe ratio and its parts against published numbers, simulation and planted clusters."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast import load
from rollcast.backtests.evidence.luck import (
    deflated_sharpe,
    deflated_threshold,
    effective_trials,
    expected_maximum,
    minimum_track_record,
    probabilistic_sharpe,
)

SHARPES = st.floats(-0.5, 0.5)


def planted(ideas: int, each: int, blocks: int, ρ: float, seed: int = 0) -> np.ndarray:
    """Trials in so many groups, correlated by ρ inside a group and not at all across."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(ideas, 1, blocks))
    return (math.sqrt(ρ) * shared + math.sqrt(1 - ρ) * rng.normal(size=(ideas, each, blocks))).reshape(-1, blocks)


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


@pytest.mark.parametrize(("ideas", "each", "ρ"), [(2, 10, 0.5), (3, 5, 0.9), (5, 20, 0.5), (10, 4, 0.8), (30, 5, 0.7)])
def test_planted_clusters_are_found_whatever_the_order(ideas, each, ρ):
    truth = np.repeat(np.arange(ideas), each)
    order = np.random.default_rng(1).permutation(len(truth))
    found = effective_trials(planted(ideas, each, 500, ρ)[order])
    assert found.count == ideas
    assert len(set(zip(found.labels, truth[order], strict=True))) == ideas


@pytest.mark.parametrize("blocks", [16, 250, 2500])
@pytest.mark.parametrize("n", [2, 3, 10, 100])
def test_unrelated_trials_are_counted_one_by_one(n, blocks):
    assert effective_trials(np.random.default_rng(n).normal(size=(n, blocks))).count == n


@pytest.mark.parametrize("n", [2, 3, 30])
def test_trials_that_are_all_alike_are_one_idea(n):
    assert effective_trials(planted(1, n, 500, 0.97)).count == 1


def test_two_trials_are_one_idea_above_a_correlation_of_nine_tenths(spy):
    r = spy["close"].pct_change().to_numpy()[1:]

    def traded(span: int) -> np.ndarray:
        return np.sign(load("ema", span=span).predict(spy).fillna(0).to_numpy())[:-1] * r

    for one, other in ((50, 55), (5, 10), (20, 22), (10, 100)):
        trials = np.array([traded(one), traded(other)])
        assert effective_trials(trials).count == (1 if np.corrcoef(trials)[0, 1] > 0.9 else 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(3, 40), st.floats(0.01, 100))
def test_repeating_scaling_or_reordering_a_trial_adds_no_idea(seed, n, blocks, scale):
    rng = np.random.default_rng(seed)
    r = rng.normal(size=(n, blocks))
    alone = effective_trials(r)
    assert 1 <= alone.count <= n
    assert sorted(set(alone.labels)) == list(range(alone.count))
    more = effective_trials(np.vstack([r, r[rng.integers(n)], scale * r[rng.integers(n)]]))
    assert more.count == alone.count
    assert (more.labels[:n] == alone.labels).all()
    assert effective_trials(rng.permutation(r)).count == alone.count


def test_trials_that_never_moved_are_one_idea_beside_the_others():
    still = np.repeat([[0.0], [0.1], [1 / 3]], 50, axis=1)
    assert effective_trials(still).count == 1
    found = effective_trials(np.vstack([still[:2], planted(3, 5, 50, 0.9), still[2:]]))
    assert found.count == 4
    assert set(found.labels[[0, 1, -1]]) == {0}
    assert effective_trials(still[:1]).count == 1


def test_two_blocks_tell_no_trials_apart_so_each_is_its_own():
    assert effective_trials(np.ones((4, 2))).count == 4


@pytest.mark.parametrize("wrong", [np.zeros(5), np.zeros((0, 5)), np.full((2, 5), np.nan)])
def test_returns_that_are_not_trials_by_blocks_are_refused(wrong):
    with pytest.raises(ValueError, match=r"expected finite returns of shape \(trials, blocks\), got shape"):
        effective_trials(wrong)


def test_the_silhouettes_are_those_of_their_definition():
    from scipy.cluster.hierarchy import fcluster, linkage

    from rollcast.backtests.evidence.luck import _silhouettes

    z = planted(4, 4, 30, 0.6)
    distance = np.sqrt((1 - np.corrcoef(z)) / 2)
    np.fill_diagonal(distance, 0)
    tree = linkage(distance[np.triu_indices(16, 1)], "average")
    for clusters, mean, deviation in _silhouettes(distance, tree):
        labels = fcluster(tree, clusters, "maxclust")
        s = []
        for k, own in enumerate(labels):
            a = distance[k][(labels == own) & (np.arange(16) != k)]
            b = min(distance[k][labels == other].mean() for other in set(labels) - {own})
            s.append((b - a.mean()) / max(a.mean(), b) if len(a) else 0.0)
        assert (mean, deviation) == pytest.approx((np.mean(s), np.std(s)))
    assert clusters == 2


def test_two_thousand_trials_are_grouped_as_planted():
    assert effective_trials(planted(100, 20, 250, 0.6)).count == 100


@pytest.mark.timed
def test_two_thousand_trials_are_grouped_in_seconds():
    trials = planted(100, 20, 250, 0.6)
    begun = time.process_time()
    assert effective_trials(trials).count == 100
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(("copies", "others"), [(4, 5), (8, 5), (20, 20), (50, 3)])
def test_copies_among_unrelated_trials_do_not_hide_them(copies, others):
    rng = np.random.default_rng(copies)
    idea = rng.normal(size=300)
    trials = np.vstack([idea + 0.1 * rng.normal(size=(copies, 300)), rng.normal(size=(others, 300))])
    assert effective_trials(trials).count == others + 1
