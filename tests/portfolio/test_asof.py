"""A portfolio as of then: dividends and splits booked on their dates, once, at no loss, the same in every engine."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests.account.engine import Account
from rollcast.backtests.account.panel_engine import PanelSimulation, simulate_panel
from rollcast.backtests.account.panel_scores import contribution
from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.data.load import from_bars, load
from rollcast.backtests.data.options import DataOptions
from rollcast.backtests.evidence.panel_stress import stress_panel
from rollcast.backtests.market.panel import Panel, load_panel
from rollcast.backtests.pipeline.backtest import run
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.result import Result
from rollcast.predictors.bars import random_walk
from rollcast.predictors.registry import load as predictor
from rollcast.strategies.portfolio.equal_weight import EqualWeight
from rollcast.strategies.portfolio.top_k import TopK
from tests.backtests.test_asof import DEAR, RATIOS, as_traded, market
from tests.portfolio.test_replay import RULES, assert_equal, forecasts_of

places = st.integers(1, 119)
actions = st.tuples(
    st.lists(st.tuples(places, st.floats(0, 0.03)), max_size=12),
    st.lists(st.tuples(places, st.sampled_from(RATIOS)), max_size=4, unique_by=lambda pair: pair[0]),
)
rules = st.sampled_from(RULES)


def three_calendars(one: tuple, other: tuple, seed: int) -> Panel:
    """Two names that pay and split, the second of which pauses, comes late and ends early, and one that never does."""
    a, b, c = market(one, seed), market(other, seed + 1), random_walk(120, seed + 2, volatility=0.004)
    kept = (np.arange(120) % 7 != 3) | (b["split"] != 1)  # a split is on a bar
    return Panel("three", {"A": a, "B": b.iloc[20:85][kept[20:85]], "C": c})


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
@given(actions, actions, rules, st.sampled_from([DEAR, Account()]), st.integers(0, 50))
def test_the_replay_and_every_mode_of_the_engine_book_the_same_to_the_last_bit(one, other, rule, account, seed):
    panel = three_calendars(one, other, seed)
    table = forecasts_of(panel, 5)
    assert_equal(panel, table, *rule, account)
    done = simulate_panel(panel, table, *rule, account)
    for modes in ({"runonce": False}, {"preload": False}, {"exactbars": 1}):
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


@pytest.fixture(scope="module")
def real() -> dict[str, Panel]:
    """SPY, which pays every quarter, beside names of which no dividend is on record: adjusted, and as of then."""
    beside = {name: load_bars(name, "2005", "2012") for name in ("IBM", "AAPL")}
    pairs = {adjust: load("SPY", DataOptions(start="2005", end="2012", adjust=adjust)) for adjust in ("full", "asof")}
    return {adjust: Panel("three", {"SPY": one.bars, **beside}) for adjust, one in pairs.items()}


@pytest.fixture(scope="module")
def both(real):
    words = {"strategy": TopK, "parameters": {"k": 2}, "account": Account(interest_bps=100)}
    model = predictor("ema", span=50)
    return {adjust: run(panel, model, model_bars=real["full"], **words) for adjust, panel in real.items()}


def test_forecasts_and_their_scores_are_of_what_was_read_and_equity_that_of_adjusted_prices_but_for_a_little(both):
    full, asof = both["full"], both["asof"]
    pd.testing.assert_frame_equal(asof.forecasts, full.forecasts, check_exact=True)
    pd.testing.assert_frame_equal(asof.bars, full.bars, check_exact=True)
    assert asof.metrics["forecast"] == full.metrics["forecast"]
    for key in ("rank_ic", "quantile_spread"):
        assert asof.metrics["panel"][key] == full.metrics["panel"][key]
    assert full.payments is None
    assert set(asof.payments["symbol"]) == {"SPY"}
    apart = np.log(asof.history / full.history).abs().max()
    assert 0 < apart["equity"] < 0.001  # as docs/portfolios.md says
    assert 0 < apart["benchmark"] < 0.004
    parts = [each.metrics["panel"]["contribution"] for each in (full, asof)]
    assert abs(parts[1]["SPY"] - parts[0]["SPY"]) < 0.003


def test_trades_and_contributions_add_up_to_what_the_account_earned(both):
    asof = both["asof"]
    parts = asof.metrics["panel"]["contribution"]
    assert sum(parts.values()) == pytest.approx(asof.metrics["strategy"]["total_return"], abs=1e-9)
    earned = asof.trades.groupby("symbol")["pnl"].sum() / 100_000
    assert earned.to_dict() == pytest.approx({s: v for s, v in parts.items() if s != "carry"}, abs=1e-9)


def test_holding_all_names_puts_dividends_back_once_they_are_half_a_percent(real):
    panel, table = real["asof"], forecasts_of(real["full"])
    held = simulate_panel(panel, table, EqualWeight, {}, Account(fractional=True))
    idle = held.history["cash"] / held.history["equity"]
    assert held.payments["dividend"].sum() > 0.01 * 100_000
    assert idle.iloc[30:].max() < 0.008
    assert set(held.orders[held.orders["date"] > panel.calendar[30]]["symbol"]) == {"SPY"}


def test_a_portfolio_is_stressed_by_its_replay(both):
    told = stress_panel(both["asof"], TopK, {"k": 2}, Account(interest_bps=100), draws=3)
    assert told["engine"] == "fast"
    assert told["net"]["total_return"] == both["asof"].metrics["strategy"]["total_return"]


def test_what_is_saved_is_read_back_with_what_was_seen_and_paid(real, tmp_path):
    result = Request("ema", "top_k", "SPY,IBM,AAPL", strategy_params={"k": "1"}).run(real["asof"])
    assert result.market.model_panel.bars["SPY"].equals(from_bars(real["asof"].bars["SPY"]).model_bars)
    result.save(tmp_path)
    saved = Result.load(tmp_path)
    for name in ("payments", "positions", "forecasts", "orders", "bars"):
        pd.testing.assert_frame_equal(getattr(saved, name), getattr(result, name), check_freq=False, check_exact=True)
    assert list(saved.market.panel.bars["SPY"]) == [*real["full"].bars["SPY"], "dividend", "split"]
    assert "dividend" not in saved.market.panel.bars["IBM"]
    assert saved.market.model_panel.bars["IBM"] is saved.market.panel.bars["IBM"]


def test_a_panel_without_actions_pays_nothing():
    panel = load_panel("AAPL,IBM", "2012")
    done = simulate_panel(panel, forecasts_of(panel), *RULES[0])
    assert done.payments.empty
