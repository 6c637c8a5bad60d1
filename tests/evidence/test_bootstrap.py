"""The stationary bootstrap against arch, its own definition, and the coverage it promises."""

from __future__ import annotations

import math
import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests.account.scores import return_scores
from rollcast.backtests.data.bars import bars_per_year, load_bars
from rollcast.backtests.evidence.bootstrap import block_length, difference, drawn, intervals, joint_block_length

NAMES = ("cagr", "sharpe", "max_drawdown")


def returns(symbol: str) -> pd.Series:
    return load_bars(symbol)["close"].pct_change().fillna(0.0)


def autoregressive(φ: float, n: int, seed: int, mean: float = 0.0) -> np.ndarray:
    """Normal returns with a standard deviation of 0.01 and an autocorrelation of φ."""
    noise = np.random.default_rng(seed).normal(0, 0.01 * math.sqrt(1 - φ**2), n + 100)
    for k in range(1, n + 100):
        noise[k] += φ * noise[k - 1]
    return noise[100:] + mean


# --- block length ---


@pytest.mark.parametrize("symbol", ["SPY", "BTC-USD", "AAPL.1h", "AMD.sp20", "FB"])
def test_block_length_equals_archs(symbol):
    from arch.bootstrap import optimal_block_length

    r = returns(symbol).to_numpy()
    for x in (r, r**2, np.abs(r), r[:250]):
        assert block_length(x) == pytest.approx(max(1.0, optimal_block_length(x)["stationary"].iloc[0]), rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(30, 800), st.floats(-0.9, 0.95))
def test_block_length_equals_archs_whatever_the_autocorrelation(seed, n, φ):
    from arch.bootstrap import optimal_block_length

    x = autoregressive(φ, n, seed)
    ours = block_length(x)
    assert ours == pytest.approx(max(1.0, optimal_block_length(x)["stationary"].iloc[0]), rel=1e-9)
    assert ours == pytest.approx(block_length(1e3 * x - 7), rel=1e-6)


def test_block_length_grows_with_the_autocorrelation():
    lengths = [np.mean([block_length(autoregressive(φ, 1000, k)) for k in range(20)]) for φ in (0.0, 0.3, 0.6, 0.9)]
    assert lengths == sorted(lengths)
    assert lengths[0] < 5
    assert lengths[-1] > 20


@pytest.mark.parametrize("x", [[], [1.0], [0.1] * 50, [0.1, 0.2] * 2])
def test_too_little_or_flat_has_blocks_of_one_bar(x):
    assert block_length(np.array(x)) == 1


def test_the_joint_length_is_the_longest_of_returns_and_squares():
    r = returns("SPY").to_numpy()
    assert joint_block_length(r) == block_length(r**2) > block_length(r)
    assert joint_block_length(r, -r) == joint_block_length(r)


# --- drawing ---


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 300), st.floats(1, 100), st.integers(1, 40), st.integers(0, 10**6))
def test_draws_are_runs_of_positions_that_wrap_around(n, block, draws, seed):
    index = np.concatenate(list(drawn(n, block, draws, np.random.default_rng(seed))))
    assert index.shape == (draws, n)
    assert index.min() >= 0
    assert index.max() < n


@pytest.mark.parametrize("block", [1.0, 2.5, 20.0, 134.0])
def test_runs_have_the_mean_length_asked_for_and_every_position_is_as_likely(block):
    n = 500
    index = np.concatenate(list(drawn(n, block, 2000, np.random.default_rng(0))))
    breaks = np.mean(np.diff(index, axis=1) % n != 1)
    # One new run in n goes on by chance where the last one ended.
    assert breaks == pytest.approx((1 - 1 / n) / block, rel=0.02)
    share = np.bincount(index.ravel(), minlength=n) / index.size * n
    assert share.mean() == pytest.approx(1)
    assert share.std() < 0.05 * math.sqrt(block)


def test_run_lengths_are_geometric():
    index = next(drawn(250_000, 10.0, 1, np.random.default_rng(1)))[0]
    lengths = np.diff(np.flatnonzero(np.diff(index) % 250_000 != 1))
    for k in (1, 2, 5, 10, 30):
        assert np.mean(lengths > k) == pytest.approx(0.9**k, abs=0.01)


# --- intervals ---


@pytest.mark.parametrize("symbol", ["SPY", "BTC-USD", "AAPL.1h", "FB"])
def test_intervals_hold_the_scores_of_the_run_and_are_the_same_for_the_same_seed(symbol):
    r = returns(symbol)
    yearly = bars_per_year(r.index)
    ours, scores = intervals(r, yearly), return_scores(r, yearly)
    assert ours["block"] == joint_block_length(r.to_numpy())
    assert (ours["draws"], ours["level"]) == (1000, 0.95)
    for name in NAMES:
        low, high = ours[name]
        assert low < scores[name] < high
    assert intervals(r, yearly) == ours
    assert intervals(r, yearly, seed=1) != ours


def test_intervals_are_the_quantiles_of_the_scores_of_the_draws():
    r = returns("SPY").iloc[-300:]
    ours = intervals(r, 252, draws=50, level=0.8, seed=3, block=7)
    index = np.concatenate(list(drawn(300, 7, 50, np.random.default_rng(3))))
    scores = [return_scores(r.iloc[row], 252) for row in index]
    for name in NAMES:
        plain = np.quantile([s[name] for s in scores], [0.1, 0.9])
        assert ours[name] == pytest.approx(list(plain), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 80))
def test_a_higher_level_is_a_wider_interval(seed, n):
    r = pd.Series(np.random.default_rng(seed).normal(0.001, 0.02, n))
    narrow, wide = (intervals(r, 252, draws=60, level=level) for level in (0.5, 0.9))
    for name in NAMES:
        assert wide[name][0] <= narrow[name][0] <= narrow[name][1] <= wide[name][1]
    assert -1 <= wide["max_drawdown"][0] <= wide["max_drawdown"][1] <= 0


@pytest.mark.parametrize("flat", [[], [0.01], [0.0] * 20, [1 / 3] * 20])
def test_what_never_changes_or_is_too_short_has_no_interval(flat):
    r = pd.Series(flat, dtype=float)
    for found in (intervals(r, 252), difference(r, r, 252)):
        bounds = [found.get(name, [math.nan] * 2) for name in (*NAMES, "p_cagr", "p_sharpe")]
        assert np.isnan(np.hstack(bounds)).all()
        assert math.isnan(found["block"])


def test_a_gain_too_large_to_be_annualised_is_no_warning():
    r = pd.Series([0.0, 9.0, 8.0])
    assert intervals(r, 1749)["cagr"][1] > 1e300
    assert difference(r, r[::-1].set_axis(r.index), 1749)["p_cagr"] > 0.05


def test_two_bars_and_a_loss_of_everything_have_intervals_without_warnings():
    assert intervals(pd.Series([0.0, 0.1]), 252)["cagr"][0] == 0
    ruined = intervals(pd.Series([0.1, -1.0, 0.2, 0.0] * 5), 252)
    assert ruined["max_drawdown"] == pytest.approx([-1, -1])
    assert ruined["cagr"][0] == pytest.approx(-1)


def test_blocks_cover_the_sharpe_ratio_of_correlated_returns_and_single_bars_do_not():
    # 300 histories of 500 bars. With φ = 0.3 the mean's standard error is √(1.3/0.7) = 1.36 times that of φ = 0.
    truth = 0.05 * math.sqrt(252)

    def coverage(block: float | None) -> float:
        held = 0
        for seed in range(300):
            r = pd.Series(autoregressive(0.3, 500, seed, mean=0.0005))
            low, high = intervals(r, 252, draws=250, seed=seed, block=block)["sharpe"]
            held += low <= truth <= high
        return held / 300

    assert 0.88 <= coverage(None) <= 0.98
    assert coverage(1.0) < 0.87


# --- strategy minus benchmark ---


def test_a_strategy_never_differs_from_itself():
    r = returns("SPY").iloc[-500:]
    found = difference(r, r, 252, draws=100)
    assert found["cagr"] == found["sharpe"] == [0, 0]
    assert found["p_cagr"] == found["p_sharpe"] == 1


def test_a_certain_advantage_is_seen_and_mirrored():
    hold = returns("SPY").iloc[-1000:]
    better = hold + 0.0002
    found, mirrored = difference(better, hold, 252), difference(hold, better, 252)
    assert found["p_cagr"] == found["p_sharpe"] == 1 / 1001
    assert found["sharpe"][0] > 0
    for name in ("cagr", "sharpe"):
        assert mirrored[name] == pytest.approx([-x for x in reversed(found[name])])
        assert mirrored[f"p_{name}"] == 1


def test_both_are_drawn_with_the_same_blocks():
    # A strategy that is nine tenths of the market differs from it by little, whatever the market does.
    hold = returns("SPY").iloc[-1000:]
    low, high = difference(0.9 * hold, hold, 252)["sharpe"]
    assert high - low < 1e-9
    low, high = difference(0.9 * hold, hold, 252)["cagr"]
    alone = intervals(hold, 252)["cagr"]
    assert high - low < 0.25 * (alone[1] - alone[0])


def test_p_values_of_equally_good_strategies_are_rarely_small():
    p = []
    for seed in range(200):
        ours, theirs = np.random.default_rng(seed).normal(0.0005, 0.01, (2, 250))
        p.append(difference(pd.Series(ours), pd.Series(theirs), 252, draws=200, block=1)["p_sharpe"])
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.05)
    assert np.mean(p) == pytest.approx(0.5, abs=0.06)


def test_returns_on_other_bars_are_refused():
    r = returns("SPY")
    with pytest.raises(ValueError, match="expected both returns on the same bars"):
        difference(r, r.iloc[1:], 252)


def test_the_draws_of_a_whole_history_take_little_memory():
    r = returns("SPY").iloc[-6200:]
    tracemalloc.start()
    intervals(r, 252, draws=200)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 60e6


@pytest.mark.timed
def test_a_thousand_draws_of_a_whole_history_are_quick():
    r = returns("SPY").iloc[-6200:]
    intervals(r, 252, draws=200)
    begun = time.process_time()
    intervals(r, 252)
    assert time.process_time() - begun < 1.5
