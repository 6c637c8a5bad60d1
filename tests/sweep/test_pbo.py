"""The probability of backtest overfitting is the paper's, and tells noise from an edge."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.sweep.pbo import _splits, overfitting


def by_hand(returns: np.ndarray, blocks: int) -> pd.DataFrame:
    """CSCV as section 3 of the paper tells it, one split after another, with pandas' ranks."""
    length = len(returns) // blocks
    parts = np.split(returns[len(returns) - length * blocks :], blocks)
    rows = []
    for inside in itertools.combinations(range(blocks), blocks // 2):
        train = pd.DataFrame(np.vstack([parts[k] for k in inside]))
        test = pd.DataFrame(np.vstack([parts[k] for k in range(blocks) if k not in inside]))
        sharpe = train.mean() / train.std()
        after = test.mean() / test.std()
        best = int(sharpe.argmax())
        relative = after.rank().iloc[best] / (len(after) + 1)
        loss = test[best].mean() < 0
        rows.append((np.log(relative / (1 - relative)), best, sharpe.iloc[best], after.iloc[best], loss))
    return pd.DataFrame(rows, columns=["logit", "chosen", "best", "after", "loss"])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 4, 6]), st.integers(2, 9), st.integers(0, 5))
def test_every_split_is_as_by_hand(seed, blocks, variants, odd):
    returns = np.random.default_rng(seed).normal(2e-4, 0.01, (12 * blocks + odd, variants))
    ours, hand = overfitting(returns, blocks), by_hand(returns, blocks)
    assert np.allclose(ours.logits, hand["logit"], atol=1e-12)
    assert ours.variants.tolist() == hand["chosen"].tolist()
    assert np.allclose(ours.in_sample, hand["best"], rtol=1e-9)
    assert np.allclose(ours.out_of_sample, hand["after"], rtol=1e-9)
    assert ours.pbo == (hand["logit"] <= 0).mean()
    assert ours.loss == hand["loss"].mean()
    slope, intercept = np.polyfit(hand["best"], hand["after"], 1) if np.ptp(hand["best"]) > 1e-9 else (np.nan, np.nan)
    assert (ours.slope, ours.intercept) == pytest.approx((slope, intercept), rel=1e-6, abs=1e-9, nan_ok=True)


def test_pure_noise_is_overfitted_half_of_the_time():
    """The mean over forty sets of noise, whose standard error is 0.02: at most three of them from a half."""
    rng = np.random.default_rng(0)
    shares = np.array([overfitting(rng.normal(0, 0.01, (640, 40)), 8).pbo for _ in range(40)])
    assert abs(shares.mean() - 0.5) < 3 * shares.std(ddof=1) / np.sqrt(len(shares))
    assert shares.std(ddof=1) / np.sqrt(len(shares)) < 0.03


def test_a_planted_edge_is_not_overfitting_and_a_weak_one_is_between():
    rng = np.random.default_rng(1)
    noise = rng.normal(0, 0.01, (2520, 100))
    results = {}
    for edge in (0.0, 5e-4, 2e-3):
        planted = noise.copy()
        planted[:, 37] += edge
        results[edge] = overfitting(planted)
    assert results[2e-3].pbo < 0.001
    assert set(results[2e-3].variants) == {37}
    assert results[2e-3].loss < 0.001
    assert results[2e-3].pbo < results[5e-4].pbo < results[0.0].pbo
    assert len(results[0.0].logits) == 12_870


def test_what_a_variant_earned_in_one_block_only_is_overfitting():
    """Each variant is lucky in one block of SPY and like the rest in all others: what is best was, and will not be."""
    market = np.log(load_bars("SPY")["close"]).diff().dropna().to_numpy()[-1600:]
    returns = np.tile(market[:, None], (1, 16))
    for k in range(16):
        returns[100 * k : 100 * (k + 1), k] += 0.01
    assert overfitting(returns).pbo == 1.0


def test_variants_that_tie_share_their_rank_and_one_that_never_moves_counts_as_nothing():
    rng = np.random.default_rng(2)
    same = np.repeat(rng.normal(0, 0.01, (64, 1)), 5, axis=1)
    assert overfitting(same, 4).logits == pytest.approx(0)
    losing = np.column_stack([rng.normal(-0.01, 0.001, (64, 3)), np.zeros(64)])
    result = overfitting(losing, 4)
    assert set(result.variants) == {3}
    assert result.pbo == 0.0
    assert set(result.out_of_sample) == {0.0}


def test_where_there_are_too_many_splits_they_are_drawn_with_their_complements():
    sides = _splits(20, 2000)
    assert sides.shape == (2000, 20)
    assert (sides.sum(axis=1) == 10).all()
    known = {side.tobytes() for side in sides}
    assert len(known) == 2000
    assert all((1 - side).tobytes() in known for side in sides)
    returns = np.random.default_rng(3).normal(0, 0.01, (400, 12))
    drawn, whole = overfitting(returns, 12, most=500).pbo, overfitting(returns, 12).pbo
    assert drawn == pytest.approx(whole, abs=0.08)
    assert drawn == overfitting(returns, 12, most=500).pbo, "always the same draws"


@pytest.mark.parametrize(
    ("shape", "blocks", "message"),
    [((64, 1), 4, "2 variants"), ((7, 5), 4, "at least 8 bars"), ((64, 5), 5, "must be even")],
)
def test_too_little_to_split_is_refused(shape, blocks, message):
    with pytest.raises(ValueError, match=message):
        overfitting(np.zeros(shape), blocks)
