"""Nested selection sees only the past, holds what the chosen variant would hold, and pays for switching."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast import load
from rollcast.backtests.account import evaluate
from rollcast.backtests.account.engine import Account, simulate
from rollcast.backtests.account.moments import returns_of
from rollcast.backtests.sweep.nested import Follow, choose, nested, targets
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort
from rollcast.strategies.proportional import Proportional

START = 100


@pytest.fixture(scope="module")
def bars(spy: pd.DataFrame) -> pd.DataFrame:
    return spy.iloc[-900:]


def forecast_of(bars: pd.DataFrame, window: int) -> pd.Series:
    return load("sma", window=window).predict(bars).where(np.arange(len(bars)) >= START)


@pytest.mark.parametrize("strategy", [LongFlat, LongShort, Proportional])
def test_following_one_variants_targets_is_that_variants_backtest_to_the_last_bit(bars, strategy):
    forecast = forecast_of(bars, 20)
    weights = pd.Series(targets(bars, forecast, strategy, {}), bars.index).where(np.arange(len(bars)) >= START)
    followed = simulate(bars, weights, Follow, {"tolerance": 0.1})
    backtest = simulate(bars, forecast, strategy)
    pd.testing.assert_frame_equal(followed.history, backtest.history, check_exact=True)
    pd.testing.assert_frame_equal(followed.orders, backtest.orders, check_exact=True)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(8, 40), st.integers(3, 30), st.one_of(st.none(), st.integers(8, 50)))
def test_a_choice_is_the_best_on_its_past_and_no_later_bar_changes_it(seed, first, every, past):
    rng = np.random.default_rng(seed)
    returns = rng.normal(0, 0.01, (120, 6))
    at, best, sharpe = choose(returns, first, every, past)
    assert at.tolist() == list(range(first, 119, every))
    for t, k, ratio in zip(at, best, sharpe, strict=True):
        history = pd.DataFrame(returns[: t + 1] if past is None else returns[max(0, t + 1 - past) : t + 1])
        by_hand = history.mean() / history.std()
        assert k == by_hand.argmax()
        assert ratio == pytest.approx(by_hand.max(), rel=1e-6)
    cut = int(rng.integers(first, 119))
    later = returns.copy()
    later[cut + 1 :] = rng.normal(0, 0.05, later[cut + 1 :].shape)
    later_at, later_best, _ = choose(later, first, every, past)
    assert later_best[later_at <= cut].tolist() == best[at <= cut].tolist()


def test_the_nested_account_earns_what_the_chosen_variant_earns_but_for_the_bars_of_a_switch(bars):
    """Fractional units without costs: outside the bar after a switch both hold the same weight."""
    account = Account(commission_bps=0, slippage_bps=0, borrow_bps=0, fractional=True)
    windows = (5, 20, 60)
    forecasts = np.column_stack([forecast_of(bars, window).to_numpy() for window in windows])
    returns = returns_of(evaluate(bars, forecasts, LongShort, {}, account).equity[START:])
    weights = [targets(bars, forecast_of(bars, window), LongShort, {}) for window in windows]
    selection = nested(bars, returns, weights.__getitem__, 1, 0.1, account, 252, every=21, past=63)
    assert selection.switches >= 3
    changes = selection.equity["nested"].pct_change().to_numpy()
    choices = selection.choices
    first = bars.index.get_loc(choices["date"].iloc[0])
    assert len(selection.equity) == len(bars) - first
    for row, end in zip(choices.to_dict("records"), [*choices["date"].iloc[1:], bars.index[-1]], strict=True):
        # Chosen at a close, traded at the next open: from the second bar on the weights are alike.
        begin, stop = bars.index.get_loc(row["date"]) + 2, bars.index.get_loc(end)
        own = returns[begin - START : stop - START + 1, int(row["variant"])]
        assert np.allclose(changes[begin - first : stop - first + 1], own, atol=2e-3)
        assert np.corrcoef(changes[begin - first : stop - first + 1], own)[0, 1] > 0.99


def test_switching_costs_what_changing_the_position_costs(bars):
    """Two variants in turn, one always long, one always out: every switch buys or sells the whole account."""
    weights = [np.ones(len(bars)), np.zeros(len(bars))]
    n = len(bars) - START
    block = np.repeat(np.arange(n // 21 + 1) % 2, 21)[:n]
    lure = np.column_stack([np.where(block == 0, 0.01, -0.01), np.where(block == 1, 0.01, -0.01)])
    lure += np.random.default_rng(0).normal(0, 1e-4, lure.shape)
    costs = {}
    for bps in (0.0, 10.0):
        account = Account(commission_bps=bps, slippage_bps=0, fractional=True)
        selection = nested(bars, lure, weights.__getitem__, 0, 0.1, account, 252, every=21, past=21)
        costs[bps] = selection.equity["nested"].iloc[-1]
    assert selection.switches > 20
    entered = selection.choices["variant"].iloc[0] == 0
    assert costs[10.0] / costs[0.0] == pytest.approx((1 - 1e-3) ** (selection.switches + entered), rel=2e-4)


def test_the_winner_and_holding_start_at_the_same_close(bars):
    returns = returns_of(evaluate(bars, forecast_of(bars, 20), LongFlat, {}).equity[START:])
    weights = targets(bars, forecast_of(bars, 20), LongFlat, {})
    selection = nested(bars, returns, lambda k: weights, 0, 0.1, Account(), 252)
    assert selection.equity.iloc[0].to_list() == [100_000.0] * 3
    assert selection.switches == 0
    assert selection.equity["nested"].equals(selection.equity["winner"]), "with one variant there is nothing to choose"
    assert selection.choices["date"].iloc[0] == bars.index[START + 200], "after a year, at most a quarter of the bars"


def test_a_strategy_without_a_fast_rule_and_settings_without_a_meaning_are_refused(bars):
    class Other(LongFlat):
        pass

    with pytest.raises(TypeError, match="Other has no fast rule"):
        targets(bars, forecast_of(bars, 20), Other, {})
    for first, every, past in ((1, 5, None), (500, 5, None), (10, 0, None), (10, 5, 1)):
        with pytest.raises(ValueError, match="choosing needs"):
            choose(np.zeros((100, 2)), first, every, past)
