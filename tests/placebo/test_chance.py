"""The p-value is honest, its interval covers, and stopping early changes no verdict."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests.placebo.p_value import chance, decided, enough


@settings(deadline=None)
@given(st.integers(1, 200), st.data())
def test_p_and_its_interval_are_those_of_phipson_and_smyth_and_of_clopper_and_pearson(n, data):
    from scipy.stats import binomtest

    k = data.draw(st.integers(0, n))
    result = chance(0.0, np.r_[np.ones(k), -np.ones(n - k)])
    assert result.p == (1 + k) / (1 + n)
    exact = binomtest(k, n).proportion_ci(0.95, method="exact")
    np.testing.assert_allclose([result.low, result.high], [exact.low, exact.high], rtol=1e-7)
    assert result.low <= result.p <= result.high
    assert (result.markets, result.as_good) == (n, k)


def test_a_tie_speaks_against_the_real_market():
    assert chance(1.0, np.ones(9)).p == 1


def test_a_wiped_out_market_never_does_as_well_unless_the_real_one_was_too():
    assert chance(-5.0, np.full(9, -np.inf)).p == 0.1
    assert chance(-np.inf, np.full(9, -np.inf)).p == 1


@settings(deadline=None)
@given(
    st.lists(st.booleans(), min_size=19, max_size=150),
    st.floats(0.001, 0.6),
    st.sampled_from([0.05, 0.1, 0.2, 0.25]),
)
def test_stopping_early_says_what_all_markets_would_have_said(hits, share, level):
    null = np.where(hits, 1.0, -1.0)
    h = enough(level, len(null))
    stopped = decided(0.0, null, h, len(null))
    assert stopped is not None
    assert (stopped.p <= level) == (chance(0.0, null).p <= level)
    assert stopped.markets <= len(null)
    # Nothing after the stop matters, and before it there is no answer.
    assert decided(0.0, np.r_[null[: stopped.markets], -np.ones(len(null) - stopped.markets)], h, len(null)) == stopped
    if stopped.markets > 1:
        assert decided(0.0, null[: stopped.markets - 1], h, len(null)) is None


@pytest.mark.parametrize(("level", "limit"), [(0.05, 99), (0.05, 409), (0.1, 30)])
def test_where_there_is_no_edge_p_is_at_most_u_with_a_probability_of_at_most_u(level, limit):
    # Without an edge the rank of the real score among all is uniform, and the others fall on either side by chance.
    rng, h = np.random.default_rng(0), enough(level, limit)
    scores = rng.random((10_000, limit + 1))
    p = np.array([decided(row[0], row[1:], h, limit).p for row in scores])
    for u in (0.01, level, 0.1, 0.25, 0.5, 0.75, 1.0):
        assert (p <= u + 1e-12).mean() <= u + 3 * np.sqrt(u * (1 - u) / len(p))
    expected = int(level * (limit + 1) + 1e-9) / (limit + 1)
    assert abs((p <= level).mean() - expected) < 4 * np.sqrt(expected / len(p))


@pytest.mark.parametrize("share", [0.02, 0.05, 0.2, 0.5, 0.9])
def test_the_interval_of_a_stopped_p_covers_the_share_of_markets_as_good(share):
    # The draw that completes h of them comes at n with the negative binomial law.
    from scipy.stats import nbinom

    h, covered, total = 5, 0.0, 0.0
    for n in range(h, 3000):
        mass = nbinom.pmf(n - h, h, share)
        null = np.r_[-np.ones(n - h), np.ones(h)]
        result = decided(0.0, null, h, 100_000)
        covered += mass * (result.low <= share <= result.high)
        total += mass
    assert total > 0.9999
    assert covered >= 0.95 - 1e-4


def test_it_takes_one_more_market_than_the_level_has_steps():
    assert enough(0.05, 19) == enough(0.05, 99) == 10
    assert enough(0.05, 399) == 20
    with pytest.raises(ValueError, match=r"18 markets cannot show p ≤ 0.05; that takes at least 19"):
        enough(0.05, 18)
    with pytest.raises(ValueError, match="between 0 and 1; got 5"):
        enough(5, 100)
