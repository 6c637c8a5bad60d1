"""A portfolio as of then: dividends and splits of every name booked on their dates, once, at no loss, in every engine."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.engine import Account
from backtests.portfolio import Panel, load_panel
from backtests.portfolio.engine import PanelSimulation, simulate_panel
from backtests.portfolio.scores import contribution
from predictors.bars import random_walk
from tests.backtests.test_asof import DEAR, RATIOS, as_traded, market
from tests.portfolio.test_replay import RULES, assert_equal, forecasts_of

COARSE = [{}, {"runonce": False}, {"preload": False}, {"exactbars": 1}]
places = st.integers(1, 119)
actions = st.tuples(
    st.lists(st.tuples(places, st.floats(0, 0.03)), max_size=12),
    st.lists(st.tuples(places, st.sampled_from(RATIOS)), max_size=4, unique_by=lambda pair: pair[0]),
)
rules = st.sampled_from(RULES)


def three_calendars(one: tuple, other: tuple, seed: int) -> Panel:
    """Two names that pay and split, one of which misses every seventh day, comes late and ends early; one that never does."""
    a, b, c = market(one, seed), market(other, seed + 1), random_walk(120, seed + 2, volatility=0.004)
    return Panel("three", {"A": a, "B": b.iloc[np.arange(120) % 7 != 3].iloc[20:85], "C": c})


def paid_each_date(panel: Panel, done: PanelSimulation) -> pd.Series:
    paid = (done.payments["dividend"] + done.payments["fraction"]).groupby(done.payments["date"]).sum()
    return paid.reindex(panel.calendar, fill_value=0.0)


@settings(deadline=None, max_examples=15)
@given(actions, actions, rules, st.booleans(), st.integers(0, 50))
def test_cash_and_positions_are_the_equity_and_every_dividend_is_paid_once(one, other, rule, fractional, seed):
    panel = three_calendars(one, other, seed)
    account = Account(borrow_bps=0, fractional=fractional)
    done = simulate_panel(panel, forecasts_of(panel, 5), *rule, account)
    worth = (done.positions * panel.table("close").ffill()).sum(axis=1)
    np.testing.assert_allclose(worth + done.history["cash"], done.history["equity"], rtol=1e-12)
    filled = done.orders[done.orders["price"].notna()]
    spent = (filled["value"] + filled["commission"]).groupby(filled["date"]).sum()
    changes = paid_each_date(panel, done) - spent.reindex(panel.calendar, fill_value=0.0)
    np.testing.assert_allclose(done.history["cash"].diff().iloc[1:], changes.iloc[1:], rtol=0, atol=1e-6)
    for symbol in ("A", "B"):
        mine = done.payments[done.payments["symbol"] == symbol]
        assert not mine["date"].duplicated().any()
        dividend = panel.bars[symbol]["dividend"].reindex(panel.calendar, fill_value=0.0)
        due = done.positions[symbol].shift(1, fill_value=0.0) * dividend
        paid = mine.set_index("date")["dividend"].reindex(panel.calendar, fill_value=0.0)
        np.testing.assert_allclose(paid, due, rtol=1e-12)
    assert (done.orders["status"] == "completed").all()
    parts = contribution(panel, done, account.cash)
    assert sum(parts.values()) == pytest.approx(done.history["equity"].iloc[-1] / account.cash - 1, abs=1e-12)
    assert parts["carry"] == pytest.approx(0, abs=1e-9)  # no interest and no borrowing, so nothing is left over


@settings(deadline=None, max_examples=10)
@given(actions, actions, rules, st.sampled_from([DEAR, Account(fractional=True)]), st.integers(0, 50))
def test_the_replay_and_every_mode_of_the_engine_book_the_same_to_the_last_bit(one, other, rule, account, seed):
    panel = three_calendars(one, other, seed)
    table = forecasts_of(panel, 5)
    assert_equal(panel, table, *rule, account)
    done = simulate_panel(panel, table, *rule, account)
    for modes in COARSE[1:]:
        again = simulate_panel(panel, table, *rule, account, **modes)
        for name in ("history", "positions", "orders", "payments"):
            pd.testing.assert_frame_equal(getattr(again, name), getattr(done, name), check_exact=True)


@settings(deadline=None, max_examples=10)
@given(
    st.lists(st.tuples(places, st.sampled_from(RATIOS)), max_size=4, unique_by=lambda pair: pair[0]),
    rules,
)
def test_a_split_changes_no_value_and_no_rule_sees_it_as_a_return(splits, rule):
    whole = {name: random_walk(120, seed, volatility=0.004) for seed, name in enumerate("ABC")}
    panel, split = Panel("whole", whole), Panel("split", {**whole, "B": as_traded(whole["B"], splits)})
    table, account = forecasts_of(panel, 5), Account(fractional=True, borrow_bps=100)
    ours, theirs = (simulate_panel(each, table, *rule, account) for each in (split, panel))
    np.testing.assert_allclose(ours.history["equity"], theirs.history["equity"], rtol=1e-9)
    assert len(ours.orders) == len(theirs.orders)


def test_a_panel_without_actions_pays_nothing():
    panel = load_panel("AAPL,IBM", "2012")
    done = simulate_panel(panel, forecasts_of(panel), *RULES[0])
    assert done.payments.empty
