"""p-values, their intervals and the number of markets to wait for, by hand and against scipy's exact test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest

from rollcast.backtests.placebo.p_value import chance, decided, enough


def markets(n: int, *as_good: int) -> np.ndarray:
    """Scores of n markets, against a real one of 0; those of these numbers, from 1 on, did as well."""
    scores = -np.ones(n)
    scores[[k - 1 for k in as_good]] = 1.0
    return scores


def exact(k: int, n: int) -> tuple[float, float]:
    """Clopper and Pearson's interval."""
    interval = binomtest(k, n).proportion_ci(0.95, method="exact")
    return interval.low, interval.high


@pytest.mark.parametrize(
    ("last", "hits", "limit", "p"),
    [
        (409, 20, 409, 21 / 410),  # .0512, though 20/409 is .0489: all 409 cannot show less
        (408, 20, 409, 21 / 410),
        (50, 10, 99, 10 / 50),
        (10, 10, 99, 1.0),
        (91, 10, 99, 11 / 100),  # 10/91 is .1099
        (90, 10, 99, 10 / 90),
    ],
)
def test_stopped_at_the_last_hit_p_is_its_share_or_the_least_that_all_could_show(last, hits, limit, p):
    result = decided(0.0, markets(limit, *range(1, hits), last), hits, limit)
    assert result.p == pytest.approx(p, rel=1e-12)
    assert (result.markets, result.as_good) == (last, hits)


def test_twenty_hits_at_the_last_of_409_markets_do_not_show_five_per_cent():
    assert round(decided(0.0, markets(409, *range(390, 410)), 20, 409).p, 4) == 0.0512


@pytest.mark.parametrize(("last", "hits"), [(50, 10), (11, 10), (400, 20)])
def test_the_bounds_of_a_stopped_share_are_of_all_draws_below_and_of_those_before_the_last_above(last, hits):
    result = decided(0.0, markets(last, *range(1, hits), last), hits, 999)
    assert result.low == pytest.approx(exact(hits, last)[0], rel=1e-9)
    assert result.high == pytest.approx(exact(hits - 1, last - 1)[1], rel=1e-9)


def test_where_every_market_did_as_well_the_share_may_be_all():
    assert decided(0.0, markets(10, *range(1, 11)), 10, 99).high == 1.0


def test_a_tie_is_a_hit_and_a_little_less_is_none():
    assert decided(0.5, np.full(10, 0.5), 10, 99).as_good == 10
    assert decided(0.5, np.full(10, np.nextafter(0.5, 0)), 10, 10).as_good == 0


def test_markets_beyond_the_limit_do_not_count():
    scores = np.r_[markets(30, 7), np.ones(20)]
    assert decided(0.0, scores, 10, 30) == chance(0.0, scores[:30])
    assert decided(0.0, scores, 10, 31) == chance(0.0, scores[:31])
    assert decided(0.0, scores, 10, 50).markets == 39


def test_before_the_last_hit_or_the_last_market_there_is_no_answer():
    assert decided(0.0, markets(29, *range(1, 10)), 10, 30) is None
    assert decided(0.0, markets(30, *range(1, 10)), 10, 30).p == 10 / 31


@pytest.mark.parametrize(("k", "n", "p"), [(0, 19, 0.05), (1, 19, 0.1), (19, 19, 1.0), (4, 99, 0.05), (0, 0, 1.0)])
def test_p_counts_the_real_market_among_those_that_chance_could_have_made(k, n, p):
    result = chance(0.0, markets(n, *range(1, k + 1)))
    assert result.p == pytest.approx(p, rel=1e-12)
    assert (result.low, result.high) == pytest.approx(exact(k, n) if n else (0, 1), rel=1e-9)


@pytest.mark.parametrize(
    ("level", "limit", "hits"),
    [
        (0.05, 399, 20),
        (0.05, 409, 20),
        (0.05, 418, 20),
        (0.05, 419, 21),
        (0.29, 99, 29),
        (0.05, 219, 11),
        (0.05, 19, 10),
    ],
)
def test_as_many_hits_as_make_the_level_out_of_reach_and_never_fewer_than_ten(level, limit, hits):
    assert enough(level, limit) == hits


def test_a_level_of_one_in_k_takes_k_less_one_markets_whatever_the_rounding():
    for k in range(2, 300):
        assert enough(1 / k, k - 1) == 10
        with pytest.raises(ValueError, match=rf"^{k - 2} markets cannot show p ≤ .*; that takes at least {k - 1}$"):
            enough(1 / k, k - 2)


@pytest.mark.parametrize("level", [-0.1, 0.0, 1.0, 1.5])
def test_a_level_that_is_no_probability_inside_is_refused(level):
    with pytest.raises(ValueError, match=f"until must be a probability between 0 and 1; got {level:g}"):
        enough(level, 99)
