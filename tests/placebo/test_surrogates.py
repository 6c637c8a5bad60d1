"""Every surrogate is a market, and keeps and destroys what docs/placebo.md says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.evidence.bootstrap import joint_block_length
from rollcast.backtests.placebo import SURROGATES
from rollcast.predictors.bars import check_bars, log_returns, random_walk

EDGELESS = ["flipped", "permuted", "garch"]
SYMBOLS = ["SPY", "BTC-USD", "AAPL"]


@pytest.fixture(scope="module")
def decade() -> pd.DataFrame:
    return load_bars("SPY", "2003", "2012")


def moves(bars: pd.DataFrame) -> np.ndarray:
    """Log open, high, low and close over the close before, (T-1, 4)."""
    prices = np.log(bars[["open", "high", "low", "close"]].to_numpy())
    return prices[1:] - prices[:-1, 3:]


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def autocorrelation(x: np.ndarray, lag: int) -> float:
    return correlation(x[lag:], x[:-lag])


def sorted_rows(bars: pd.DataFrame) -> np.ndarray:
    rows = np.column_stack([moves(bars), bars["volume"].to_numpy(float)[1:]])
    return rows[np.lexsort(rows.T.round(9))]


# --- all of them ---


@pytest.mark.parametrize("null", SURROGATES)
@settings(max_examples=15, deadline=None)
@given(symbol=st.sampled_from(SYMBOLS), start=st.integers(0, 2000), n=st.integers(30, 700), seed=st.integers(0, 2**63))
def test_a_surrogate_is_a_market_with_the_dates_the_start_and_the_end_of_the_real_one(null, symbol, start, n, seed):
    bars = load_bars(symbol).iloc[start : start + n]
    copy = bars.copy()
    market = SURROGATES[null](bars, seed)
    check_bars(market)
    assert market.index.equals(bars.index)
    assert (market.iloc[0] == bars.iloc[0][market.columns]).all()
    assert abs(np.log(market["close"].iloc[-1] / bars["close"].iloc[-1])) < 1e-8
    pd.testing.assert_frame_equal(bars, copy)
    pd.testing.assert_frame_equal(market, SURROGATES[null](bars, seed))


@pytest.mark.parametrize("null", SURROGATES)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), idle=st.floats(0, 0.9))
def test_bars_that_did_not_move_and_days_without_volume_make_a_market_too(null, seed, idle):
    bars = random_walk(60, seed)
    still = np.random.default_rng(seed).random(60) < idle
    prices = np.exp(np.log(100.0) + np.r_[0.0, np.cumsum(moves(bars)[:, 3] * ~still[1:])])
    bars = bars.assign(open=prices, high=prices, low=prices, close=prices, volume=bars["volume"].where(~still, 0.0))
    if np.ptp(np.diff(np.log(prices))) > 1e-12:
        check_bars(SURROGATES[null](bars, seed))


@pytest.mark.parametrize("null", SURROGATES)
def test_another_seed_is_another_market(null, decade):
    one, other = (SURROGATES[null](decade, seed)["close"].to_numpy() for seed in (1, 2))
    assert (one != other).mean() > 0.99


@pytest.mark.parametrize("null", SURROGATES)
def test_too_few_bars_and_bars_that_never_move_are_refused(null, decade):
    with pytest.raises(ValueError, match="needs at least 30 bars; got 29"):
        SURROGATES[null](decade.iloc[:29], 0)
    with pytest.raises(ValueError, match="nothing to make another market of"):
        SURROGATES[null](decade.assign(open=1.0, high=1.0, low=1.0, close=1.0), 0)


@pytest.mark.parametrize("null", EDGELESS)
def test_in_a_market_without_an_edge_neither_return_size_range_nor_volume_tells_the_next_return(null, decade):
    correlations = []
    for seed in range(60):
        market = SURROGATES[null](decade, seed)
        returns = moves(market)[:, 3]
        size = np.abs(returns - returns.mean())
        spread = np.log(market["high"] / market["low"]).to_numpy()[1:]
        volume = market["volume"].to_numpy()[1:]
        known = (returns, size, spread, volume, np.convolve(returns, np.ones(20))[: len(returns)])
        # Over the size, so that what a calm and a wild bar tell counts alike.
        correlations.append([correlation(x[:-1], np.sign(returns - returns.mean())[1:]) for x in known])
        correlations[-1] += [correlation(x[:-1], returns[1:]) for x in known]
    mean, error = np.mean(correlations, axis=0), np.std(correlations, axis=0, ddof=1) / np.sqrt(len(correlations))
    assert (np.abs(mean + 1 / len(decade)) < 4 * error).all(), (mean / error).round(1)


# --- each of them ---


def test_a_flipped_bar_is_the_bar_or_its_mirror_in_its_place_moved_by_one_small_constant(decade):
    market = SURROGATES["flipped"](decade, 3)
    x, y = moves(decade), moves(market)
    drift = x[:, 3].mean()
    ranges = [np.log(bars["high"] / bars["low"]) for bars in (market, decade)]
    np.testing.assert_allclose(*ranges, atol=1e-12)
    assert (market["volume"] == decade["volume"]).all()
    unchanged, mirrored = y - x, y - (2 * drift - x[:, [0, 2, 1, 3]])
    (constant,) = set(unchanged.ravel().round(12)) & set(mirrored.ravel().round(12))
    same = np.isclose(unchanged, constant, atol=1e-11).all(axis=1)
    assert np.isclose(mirrored, constant, atol=1e-11).all(axis=1)[~same].all()
    assert 0.45 < same.mean() < 0.55
    assert abs(constant) < 3 * x[:, 3].std() / np.sqrt(len(x))


def test_the_wildest_bars_of_a_flipped_market_do_not_turn_on_one_another():
    # Signs chosen to balance would have these two cancel, which for 298 calm bars they need not.
    bars = random_walk(300)
    returns = moves(bars)[:, 3]
    returns[[99, 100]] = 0.15, 0.16
    price = 100 * np.exp(np.r_[0.0, np.cumsum(returns)])
    bars = bars.assign(open=price, high=price, low=price, close=price)
    drawn = np.array([np.sign(moves(SURROGATES["flipped"](bars, seed))[[99, 100], 3]) for seed in range(600)])
    assert abs((drawn[:, 0] == drawn[:, 1]).mean() - 0.5) < 4 * np.sqrt(0.25 / 600)


@pytest.mark.parametrize("null", ["permuted", "phases"])
def test_rearranged_bars_are_the_same_bars_with_their_volume(null, decade):
    np.testing.assert_allclose(sorted_rows(SURROGATES[null](decade, 0)), sorted_rows(decade), atol=1e-9)


def test_phases_keep_the_linear_autocorrelations_and_lose_the_clusters_of_volatility(decade):
    real = log_returns(decade).to_numpy()[1:]
    market = log_returns(SURROGATES["phases"](decade, 0)).to_numpy()[1:]
    lags = range(1, 21)
    differences = [abs(autocorrelation(market, k) - autocorrelation(real, k)) for k in lags]
    assert max(differences) < 0.01
    assert max(abs(autocorrelation(real, k)) for k in lags) > 0.08  # there was something to keep
    assert autocorrelation(np.abs(real), 1) > 0.2
    assert abs(autocorrelation(np.abs(market), 1)) < 0.08


def test_blocks_keep_runs_of_bars_of_the_mean_length(decade):
    real = moves(decade)
    market = moves(SURROGATES["blocks"](decade, 0))
    inside = market - market[:, 3:]  # what one constant for all four does not change
    place = {tuple(row.round(9)): k for k, row in enumerate(real - real[:, 3:])}
    order = np.array([place[tuple(row.round(9))] for row in inside])
    follows = np.mean(np.diff(order) % len(real) == 1)
    expected = 1 - 1 / joint_block_length(real[:, 3])
    assert abs(follows - expected) < 4 * np.sqrt(expected * (1 - expected) / len(real))
    assert np.ptp((market - real[order]).ravel()) < 1e-11  # moved by one constant


def test_garch_keeps_clusters_of_volatility_and_the_size_of_the_tails(decade):
    real = log_returns(decade).to_numpy()[1:]
    clustered, kurtosis = [], []
    for seed in range(20):
        market = log_returns(SURROGATES["garch"](decade, seed)).to_numpy()[1:]
        clustered.append(np.mean([autocorrelation(np.abs(market), k) for k in range(1, 11)]))
        kurtosis.append(np.mean(((market - market.mean()) / market.std()) ** 4))
    assert np.mean(clustered) > 0.5 * np.mean([autocorrelation(np.abs(real), k) for k in range(1, 11)])
    assert np.median(kurtosis) > 5


def test_garch_makes_no_edge_of_a_market_that_drifts_in_calm_times():
    bars = random_walk(2000)
    x = moves(bars)
    wild_times = (np.arange(len(x)) // 100 % 2)[:, None]
    y = x * np.where(wild_times, 2.0, 0.5) + np.where(wild_times, 0.0, 0.003)  # calm ones rise
    before = np.log(100.0) + np.r_[0.0, np.cumsum(y[:-1, 3])]
    prices = np.exp(before[:, None] + y)
    wild = bars.iloc[1:].assign(**dict(zip(["open", "high", "low", "close"], prices.T, strict=True)))
    wild = wild.assign(high=wild[["open", "high", "close"]].max(axis=1), low=wild[["open", "low", "close"]].min(axis=1))

    def difference(market: pd.DataFrame) -> float:
        """The mean return after wild times less that after calm ones, in standard deviations."""
        returns = log_returns(market).to_numpy()[1:]
        size = pd.Series(np.abs(returns)).ewm(span=20).mean().to_numpy()[:-1]
        high, low = (returns[1:][rule] for rule in (size > np.quantile(size, 0.7), size < np.quantile(size, 0.3)))
        return float((high.mean() - low.mean()) / returns.std())

    differences = np.array([difference(SURROGATES["garch"](wild, seed)) for seed in range(60)])
    assert abs(differences.mean()) < 4 * differences.std(ddof=1) / np.sqrt(len(differences))
    assert difference(wild) < -0.1
