"""Stress: every figure is a backtest of its own, and the rotations know nothing of the market."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rollcast
from rollcast.backtests.account.engine import Account, simulate
from rollcast.backtests.account.scores import cash_returns, return_scores
from rollcast.backtests.data.bars import bars_per_year, load_bars
from rollcast.backtests.evidence.stress import stress
from rollcast.backtests.evidence.variants import COSTS, break_even, rank, rotations
from rollcast.predictors.bars import random_walk
from rollcast.predictors.ema import EMA
from rollcast.strategies.buy_and_hold import BuyAndHold
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort
from rollcast.strategies.proportional import Proportional

ACCOUNT = Account(commission_bps=3, slippage_bps=2, borrow_bps=150, interest_bps=100)


def informed(bars: pd.DataFrame, share: float, seed: int = 0) -> pd.Series:
    """A forecast that is partly the next return itself, after a warm-up of ten bars."""
    outcome = np.log(bars["close"]).diff().shift(-1).fillna(0.0)
    noise = np.random.default_rng(seed).normal(0, outcome.std(), len(bars))
    return (share * outcome + (1 - share) * noise).where(np.arange(len(bars)) >= 10)


def scored(bars, forecast, strategy, account, first) -> dict[str, float]:
    """What `stress` tells of one backtest, by backtrader; the window begins at bar `first`."""
    returns = simulate(bars, forecast, strategy, {}, account).history["equity"].iloc[first:].pct_change().fillna(0.0)
    cash = cash_returns(returns.index, account.interest_bps)
    scores = return_scores(returns, bars_per_year(returns.index), cash)
    return {key: scores[key] for key in ("cagr", "sharpe", "total_return")}


def same(left: dict, right: dict) -> bool:
    return all(left[k] == v or (math.isnan(v) and math.isnan(left[k])) for k, v in right.items())


@pytest.fixture(scope="module")
def decade() -> pd.DataFrame:
    return load_bars("SPY", "2003", "2012")


# --- each figure is a backtest ---


@pytest.mark.parametrize("strategy", [LongFlat, LongShort, Proportional])
def test_net_and_no_delay_are_the_run_itself_to_the_last_bit(decade, strategy):
    result = rollcast.run(decade, EMA(span=20), strategy, {}, ACCOUNT)
    told = stress(decade, result.forecast.reindex(decade.index), strategy, {}, ACCOUNT, draws=3)
    assert same(result.metrics["strategy"], told["net"])
    assert told["delay"][0] == {"bars": 0} | told["net"]
    assert told["engine"] == "fast"


@pytest.mark.parametrize("strategy", [LongFlat, LongShort, Proportional])
def test_every_delay_and_cost_is_a_backtest_of_its_own(strategy):
    bars = load_bars("BTC-USD", "2018", "2018")
    forecast = EMA(span=10).predict(bars)
    first = int(forecast.notna().argmax())
    told = stress(bars, forecast, strategy, {}, ACCOUNT, draws=3)
    free = replace(ACCOUNT, commission_bps=0, slippage_bps=0, borrow_bps=0)
    assert same(scored(bars, forecast, strategy, free, first), told["gross"])
    assert same(scored(bars, 0 * forecast, strategy, ACCOUNT, first), told["naive"])
    for row in told["delay"]:
        expected = scored(bars, forecast.shift(row["bars"]), strategy, ACCOUNT, first)
        assert same(expected, {k: row[k] for k in expected}), row["bars"]
    assert [row["bars"] for row in told["delay"]] == [0, 1, 2, 3, 4, 5]
    for row in told["costs"]:
        account = replace(ACCOUNT, commission_bps=row["bps"], slippage_bps=0)
        expected = scored(bars, forecast, strategy, account, first)
        assert same(expected, {k: row[k] for k in expected}), row["bps"]
    assert [row["bps"] for row in told["costs"]] == list(COSTS)


def test_every_rotation_is_a_backtest_of_its_own(decade):
    bars = decade.iloc[:400]
    forecast = EMA(span=10).predict(bars)
    first = int(forecast.notna().argmax())
    told = stress(bars, forecast, LongShort, {}, ACCOUNT, draws=4, seed=7)["random"]
    runs = [
        scored(bars, pd.Series(turned, index=bars.index), LongShort, ACCOUNT, first)
        for turned in rotations(forecast.to_numpy(), first, 4, seed=7)
    ]
    assert told["sharpe"] == [run["sharpe"] for run in runs]
    assert told["cagr"] == [run["cagr"] for run in runs]


# --- break-even ---


@pytest.mark.parametrize("strategy", [LongFlat, LongShort, Proportional])
def test_at_the_break_even_cost_nothing_is_earned_and_below_it_something(decade, strategy):
    forecast = informed(decade, 0.1)
    told = stress(decade, forecast, strategy, {}, ACCOUNT, draws=1)
    even = told["break_even_bps"]
    assert 1 < even < 1000
    returned = [
        scored(decade, forecast, strategy, replace(ACCOUNT, commission_bps=k * even, slippage_bps=0), 10)[
            "total_return"
        ]
        for k in (0.95, 1, 1.05)
    ]
    assert returned[0] > 0 > returned[2]
    assert abs(returned[1]) < 0.003


def test_at_the_other_break_even_cost_as_much_is_earned_as_by_holding_at_that_cost(decade):
    forecast = informed(decade, 0.1)
    told = stress(decade, forecast, LongFlat, {}, ACCOUNT, draws=1)
    even = told["break_even_hold_bps"]
    assert 0 < even < told["break_even_bps"]
    account = replace(ACCOUNT, commission_bps=even, slippage_bps=0)
    ours, held = (scored(decade, forecast, s, account, 10)["total_return"] for s in (LongFlat, BuyAndHold))
    assert ours == pytest.approx(held, abs=0.003)


def test_there_is_no_break_even_cost_where_nothing_is_earned_or_nothing_is_traded(decade):
    lost = stress(decade, -informed(decade, 0.3), LongShort, {}, ACCOUNT, draws=1)
    assert lost["gross"]["total_return"] < 0
    assert lost["break_even_bps"] is None
    assert lost["break_even_hold_bps"] is None
    held = stress(decade, informed(decade, 0.3), BuyAndHold, {}, ACCOUNT, draws=1)
    assert held["net"]["total_return"] > 0.5
    assert held["break_even_bps"] is None  # one purchase at 10 % leaves a profit
    assert held["break_even_hold_bps"] is None
    assert held["naive"] == held["net"]


@given(st.floats(1e-3, 5), st.floats(1e-3, 0.1), st.integers(3, 40))
def test_break_even_finds_the_zero_of_a_line(start, slope, points):
    bps = np.linspace(0, 1000, points).tolist()
    zero = start / slope
    found = break_even(bps, start - slope * np.array(bps))
    assert found is None if zero > 1000 * (1 + 1e-9) else found == pytest.approx(zero, rel=1e-6, abs=1e-6)


# --- forecasts at the wrong times ---


@settings(deadline=None)
@given(st.integers(2, 60), st.integers(0, 20), st.integers(1, 80), st.integers(0, 10**6))
def test_rotations_are_distinct_turns_of_the_window_and_leave_the_warm_up_alone(n, warm_up, draws, seed):
    forecast = np.r_[np.full(warm_up, np.nan), np.random.default_rng(seed).permutation(n).astype(float)]
    turned = rotations(forecast, warm_up, draws, seed)
    assert len(turned) == min(draws, n - 1)
    assert len({each.tobytes() for each in turned}) == len(turned)
    for each in turned:
        assert np.isnan(each[:warm_up]).all()
        offset = int(np.flatnonzero(each[warm_up:] == forecast[warm_up])[0])
        assert offset > 0
        assert np.array_equal(each[warm_up:], np.roll(forecast[warm_up:], offset))


def test_a_forecast_that_knows_something_beats_its_rotations_and_its_opposite_loses_to_them(decade):
    knows, wrong = (
        stress(decade, sign * informed(decade, 0.3), LongShort, {}, ACCOUNT, draws=40)["random"] for sign in (1, -1)
    )
    assert knows["sharpe_rank"] == knows["cagr_rank"] == 1
    assert wrong["sharpe_rank"] == wrong["cagr_rank"] == 0


def test_a_forecast_that_knows_nothing_ranks_anywhere_among_its_rotations():
    ranks = []
    for seed in range(40):
        bars = random_walk(250, seed)
        noise = pd.Series(np.random.default_rng(1000 + seed).normal(0, 1e-3, 250), index=bars.index)
        ranks.append(stress(bars, noise, LongShort, {}, draws=19, seed=seed)["random"]["sharpe_rank"])
    # The mean of 40 uniform ranks has a standard deviation of 0.046, and one of them of 0.29.
    assert abs(np.mean(ranks) - 0.5) < 0.14
    assert np.std(ranks) == pytest.approx(math.sqrt(1 / 12), abs=0.08)


def test_a_rule_deaf_to_its_forecast_ties_with_every_rotation(decade):
    told = stress(decade, EMA(span=20).predict(decade), BuyAndHold, {}, ACCOUNT, draws=10)["random"]
    assert told["sharpe_rank"] == told["cagr_rank"] == 0.5
    assert told["turnover_ratio"] == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("strategy", [LongFlat, LongShort, Proportional])
def test_rotations_trade_about_as_much_as_the_run(decade, strategy):
    told = stress(decade, EMA(span=20).predict(decade), strategy, {}, ACCOUNT, draws=20)["random"]
    assert told["turnover_ratio"] == pytest.approx(1, abs=0.1)


def test_the_seed_decides_which_rotations_are_drawn(decade):
    bars = decade.iloc[:300]
    forecast = EMA(span=10).predict(bars)
    first, again, other = (stress(bars, forecast, LongFlat, {}, ACCOUNT, draws=5, seed=s)["random"] for s in (1, 1, 2))
    assert first == again
    assert first["sharpe"] != other["sharpe"]


def test_a_rank_counts_ties_half_and_has_no_meaning_against_nobody():
    assert rank(2.0, [1.0, 2.0, 3.0, -np.inf]) == pytest.approx(2.5 / 4)
    assert math.isnan(rank(2.0, []))


# --- strategies of the user's own, ruin, short windows ---


class Mine(LongShort):
    """A user's strategy that decides as the built-in one does."""


def test_a_strategy_of_ones_own_is_told_the_same_by_backtrader_in_fewer_draws():
    bars = load_bars("SPY", "2020-02", "2020-06")
    forecast = EMA(span=5).predict(bars)
    fast = stress(bars, forecast, LongShort, {}, ACCOUNT, draws=19)
    slow = stress(bars, forecast, Mine, {}, ACCOUNT)
    assert (slow["engine"], slow["random"]["draws"]) == ("backtrader", 19)
    for key in ("gross", "net", "naive"):
        assert same(fast[key], slow[key]), key
    for key in ("delay", "costs"):
        assert all(same(a, b) for a, b in zip(fast[key], slow[key], strict=True)), key
    assert {k: v for k, v in slow["random"].items() if k != "turnover_ratio"} == {
        k: v for k, v in fast["random"].items() if k != "turnover_ratio"
    }
    assert slow["random"]["turnover_ratio"] == pytest.approx(fast["random"]["turnover_ratio"], rel=1e-12)


@pytest.mark.parametrize("strategy", [LongShort, Mine])
def test_a_variant_that_is_wiped_out_has_lost_everything_and_the_rest_is_told(strategy):
    bars = random_walk(40, seed=3, volatility=0.005)
    bars.iloc[20:, :4] *= 3.0
    forecast = pd.Series(1e-3, index=bars.index)
    forecast.iloc[17:20] = -1e-3  # short when it triples, unless it is turned or late
    told = stress(bars, forecast, strategy, {}, draws=39)
    ruin = {"cagr": -1.0, "sharpe": math.nan, "total_return": -1.0}
    assert same(told["net"], ruin)
    assert same(told["gross"], ruin)
    assert told["delay"][5]["total_return"] > 0
    assert told["break_even_bps"] is None
    assert 0 < told["random"]["cagr"].count(-1.0) < told["random"]["draws"]
    ties = told["random"]["cagr"].count(-1.0) / 2 / told["random"]["draws"]
    assert told["random"]["sharpe_rank"] == told["random"]["cagr_rank"] == pytest.approx(ties)


def test_an_account_that_was_wiped_out_ranks_below_one_that_only_lost():
    bars = random_walk(60, seed=3, volatility=0.005)
    bars.iloc[:, :4] = bars.iloc[:, :4].mul(np.exp(0.005 * np.arange(60)), axis=0)
    bars.iloc[40:, :4] *= 3.0
    forecast = pd.Series(0.0, index=bars.index)
    forecast.iloc[37:40] = -1e-3
    told = stress(bars, forecast, Proportional, {}, draws=59)["random"]
    sharpe = np.array(told["sharpe"])
    ruined = np.array(told["cagr"]) == -1
    assert (sharpe[~ruined] < 0).sum() > 30
    assert told["sharpe_rank"] == pytest.approx(ruined.sum() / 2 / 59)


def test_an_error_of_the_strategy_is_not_mistaken_for_ruin():
    bars = random_walk(30)

    class Broken(LongFlat):
        def decide(self, state):
            raise ValueError("no idea")

    with pytest.raises(ValueError, match="no idea"):
        stress(bars, pd.Series(1e-3, index=bars.index), Broken)


def test_costs_beyond_the_fast_accounts_are_left_to_backtrader():
    bars = random_walk(12)
    told = stress(
        bars, pd.Series(1e-3, index=bars.index), LongFlat, {}, Account(commission_bps=9000, slippage_bps=9000)
    )
    assert told["engine"] == "backtrader"
    assert told["net"]["total_return"] < -0.4


def test_a_short_window_has_as_many_rotations_as_it_has_bars_to_turn_by():
    bars = load_bars("SPY", "2021-08")
    forecast = pd.Series(np.r_[np.full(len(bars) - 5, np.nan), 1e-3, -1e-3, 2e-3, 1e-3, -1e-3], index=bars.index)
    told = stress(bars, forecast, LongFlat)
    assert told["random"]["draws"] == len(told["random"]["sharpe"]) == 4
    assert told["delay"][5]["total_return"] == 0


def test_no_forecast_at_all_is_refused():
    bars = random_walk(5)
    with pytest.raises(ValueError, match="no forecast"):
        stress(bars, pd.Series(np.nan, index=bars.index), LongFlat)
