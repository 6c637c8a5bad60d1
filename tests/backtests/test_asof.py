"""Prices as of then: dividends and splits booked on their dates, once, at no loss, the same in every engine."""

import backtrader as bt
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests.account import evaluate
from rollcast.backtests.account.engine import Account, simulate
from rollcast.backtests.account.trades import trades_from
from rollcast.backtests.data.load import load
from rollcast.backtests.data.options import DataOptions
from rollcast.backtests.pipeline.backtest import run
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.verify import check
from rollcast.predictors.bars import random_walk
from rollcast.predictors.registry import load as predictor
from rollcast.strategies.buy_and_hold import BuyAndHold
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort
from rollcast.strategies.proportional import Proportional

RULES = [BuyAndHold, LongFlat, LongShort, Proportional]
FREE = Account(commission_bps=0, slippage_bps=0, borrow_bps=0)
DEAR = Account(commission_bps=10, slippage_bps=5, borrow_bps=300, interest_bps=200)
RATIOS = (2.0, 3.0, 1.5, 0.5, 0.1, 1 / 49)


def with_actions(bars, dividends=(), splits=()):
    """Bars with cash per unit on some bars, (place, amount), and new units per old on some, (place, ratio)."""
    acted = bars.assign(dividend=0.0, split=1.0)
    for column, pairs in (("dividend", dividends), ("split", splits)):
        for place, value in pairs:
            acted.iloc[place, acted.columns.get_loc(column)] = value
    return acted


def as_traded(bars, splits):
    """The same market at the prices at which it traded, with these splits, (place, ratio)."""
    traded = with_actions(bars, splits=splits)
    later = traded["split"].iloc[::-1].cumprod().iloc[::-1].shift(-1, fill_value=1.0)  # Π_{s>t} R[s]
    return traded.assign(**{price: bars[price] * later for price in ("open", "high", "low", "close")})


def market(acted, seed):
    """A random market that pays these shares of the close before, and splits by these ratios."""
    dividends, splits = acted
    bars = as_traded(random_walk(120, seed, volatility=0.004), splits)
    paid = [(place, share * bars["close"].iloc[place - 1]) for place, share in dividends]
    return bars.assign(dividend=with_actions(bars, dividends=paid)["dividend"])


def changes_of(done, bars):
    """What orders and payments did to the cash of every bar, and the units held before the bar's own."""
    filled = done.orders[done.orders["price"].notna()]
    spent = (filled["value"] + filled["commission"]).groupby(filled["date"]).sum()
    paid = (done.payments["dividend"] + done.payments["fraction"]).groupby(done.payments["date"]).sum()
    return paid.reindex(bars.index, fill_value=0.0) - spent.reindex(bars.index, fill_value=0.0)


places = st.integers(1, 119)
actions = st.tuples(
    st.lists(st.tuples(places, st.floats(0, 0.03)), max_size=12),
    st.lists(st.tuples(places, st.sampled_from(RATIOS)), max_size=4, unique_by=lambda pair: pair[0]),
)


@settings(deadline=None, max_examples=20)
@given(actions, st.sampled_from(RULES), st.booleans(), st.integers(0, 5))
def test_cash_and_positions_are_the_equity_and_every_dividend_is_paid_once(acted, rule, fractional, seed):
    bars = market(acted, seed)
    forecast = predictor("ema", span=5).predict(bars)
    done = simulate(bars, forecast, rule, {}, Account(borrow_bps=0, fractional=fractional))
    history = done.history
    np.testing.assert_allclose(history["cash"] + history["units"] * bars["close"], history["equity"], rtol=1e-12)
    np.testing.assert_allclose(history["cash"].diff().iloc[1:], changes_of(done, bars).iloc[1:], rtol=0, atol=1e-6)
    held = history["units"].shift(1, fill_value=0.0)
    due = held * bars["dividend"]
    paid = done.payments.set_index("date")["dividend"].reindex(bars.index, fill_value=0.0)
    np.testing.assert_allclose(paid, due, rtol=1e-12)
    assert not done.payments["date"].duplicated().any()


@settings(deadline=None, max_examples=20)
@given(actions, st.sampled_from(RULES), st.sampled_from([DEAR, Account(fractional=True)]), st.integers(0, 5))
def test_the_fast_accounts_and_every_mode_of_the_engine_book_the_same_to_the_last_bit(acted, rule, account, seed):
    bars = market(acted, seed)
    forecast = predictor("ema", span=5).predict(bars)
    done = simulate(bars, forecast, rule, {}, account)
    for modes in ({"runonce": False}, {"preload": False}, {"exactbars": 1}):
        again = simulate(bars, forecast, rule, {}, account, **modes)
        for name in ("history", "orders", "payments"):
            pd.testing.assert_frame_equal(getattr(again, name), getattr(done, name), check_exact=True)
    fast = evaluate(bars, forecast, rule, {}, account)
    for name in ("equity", "cash", "units"):
        assert np.array_equal(getattr(fast, name)[:, 0], done.history[name].to_numpy())
    assert fast.orders[0] == done.orders["price"].notna().sum()


@settings(deadline=None, max_examples=20)
@given(
    st.lists(st.tuples(places, st.sampled_from(RATIOS)), max_size=4, unique_by=lambda pair: pair[0]),
    st.sampled_from(RULES),
)
def test_a_split_changes_no_value(splits, rule):
    bars = random_walk(120, 3, volatility=0.004)
    forecast = predictor("ema", span=5).predict(bars)
    account = Account(fractional=True, borrow_bps=100)
    split = simulate(as_traded(bars, splits), forecast, rule, {}, account)
    whole = simulate(bars, forecast, rule, {}, account)
    np.testing.assert_allclose(split.history["equity"], whole.history["equity"], rtol=1e-9)
    assert len(split.orders) == len(whole.orders)


@settings(deadline=None, max_examples=20)
@given(actions, st.sampled_from(RULES), st.booleans(), st.integers(0, 5))
def test_the_trades_earn_what_the_account_earns(acted, rule, fractional, seed):
    bars = market(acted, seed)
    forecast = predictor("ema", span=5).predict(bars)
    done = simulate(bars, forecast, rule, {}, Account(borrow_bps=0, fractional=fractional))
    trades = trades_from(done.orders, done.history, bars["close"], done.payments)
    assert trades["pnl"].sum() == pytest.approx(done.history["equity"].iloc[-1] - 100_000, abs=1e-5)


def test_a_fraction_of_a_unit_is_paid_at_the_open_and_a_unit_that_is_left_of_none_ends_the_trade():
    bars = with_actions(random_walk(30, 1), splits=[(10, 1.5), (20, 1e-6)])
    done = simulate(bars, pd.Series(0.0, bars.index), BuyAndHold, {"tolerance": 0.9}, Account(cash=350.0))
    first, last = done.payments.itertuples()
    assert done.history["units"].iloc[9] == 3
    assert (first.units, first.fraction) == (4, pytest.approx(0.5 * bars["open"].iloc[10]))
    assert last.units == done.history["units"].iloc[20] == 0
    trades = trades_from(done.orders, done.history, bars["close"], done.payments)
    assert trades["exit_date"].iloc[0] == bars.index[20]
    assert trades["units"].iloc[0] == pytest.approx(3 * 1.5 * 1e-6)


class Opener(bt.Strategy):
    """Sells at the second bar's open and, at the ex-date's, notes what it holds before anything else is asked for."""

    def __init__(self):
        self.noted = []

    def next_open(self):
        if len(self.data) == 2:
            self.sell(size=10)
        self.noted.append((self.position.size, self.broker.getcash()))


class Closer(bt.Strategy):
    """Buys ten at the first close and sells them at the close before the ex-date."""

    def next(self):
        if len(self.data) in (1, 5):
            (self.buy if len(self.data) == 1 else self.sell)(size=10)


def test_a_short_pays_before_any_strategy_can_ask_what_it_holds():
    bars = with_actions(random_walk(10, 2), dividends=[(5, 1.5)], splits=[(5, 2.0)])
    done = simulate(bars, pd.Series(np.nan, bars.index), Opener, {}, FREE)
    assert done.payments[["dividend", "units"]].to_numpy().tolist() == [[-15.0, -20.0]]
    assert done.history["cash"].diff().iloc[5] == pytest.approx(-15.0)


@pytest.mark.parametrize("ratio", [2.0, 0.5])
def test_an_order_that_waits_over_a_split_is_for_the_new_units(ratio):
    bars = with_actions(random_walk(10, 2), splits=[(5, ratio)])
    done = simulate(bars, pd.Series(np.nan, bars.index), Closer, {}, FREE)
    assert done.orders["units"].tolist() == [10, -10 * ratio]
    assert done.history["units"].iloc[5] == 0


def test_an_order_for_less_than_a_new_unit_is_cancelled():
    bars = with_actions(random_walk(10, 2), splits=[(5, 0.01)])
    done = simulate(bars, pd.Series(np.nan, bars.index), Closer, {}, FREE)
    assert done.orders["status"].tolist() == ["completed", "canceled"]


# What docs/data.md says of SPY, 1993 to 2021: CAGR, and the largest distance of the curves.
@pytest.mark.parametrize(
    ("side", "curve", "lost", "apart"), [("strategy", "equity", 3e-5, 0.003), ("benchmark", "benchmark", 2.2e-4, 0.006)]
)
def test_the_equity_of_then_is_the_adjusted_one_but_for_the_documented_difference(side, curve, lost, apart, spy_runs):
    full, asof = spy_runs.values()
    assert 0 < full.metrics[side]["cagr"] - asof.metrics[side]["cagr"] < lost
    assert np.log(asof.history[curve] / full.history[curve]).abs().max() < apart


@pytest.fixture(scope="module")
def spy_runs():
    return {adjust: Request("sma", adjust=adjust).run() for adjust in ("full", "asof")}


def test_a_predictor_forecasts_the_same_as_of_then_and_pays_for_what_it_did_not_hold(spy_runs):
    full, asof = spy_runs.values()
    pd.testing.assert_series_equal(asof.forecast, full.forecast, check_exact=True)
    assert full.metrics["forecast"] == asof.metrics["forecast"]
    assert full.payments is None
    assert 0 < len(asof.payments) < (load("SPY").actions["dividend"] > 0).sum() == 115


def test_what_is_saved_says_where_every_dividend_went(spy_runs, tmp_path):
    spy_runs["asof"].save(tmp_path)
    saved = Result.load(tmp_path)
    bars, history = saved.bars.loc[saved.history.index], saved.history.assign(units=saved.positions.iloc[:, 0])
    np.testing.assert_allclose(history["cash"] + history["units"] * bars["close"], history["equity"], rtol=1e-12)
    np.testing.assert_allclose(history["cash"].diff().iloc[1:], changes_of(saved, bars).iloc[1:], rtol=0, atol=1e-6)
    assert saved.trades["pnl"].sum() == pytest.approx(history["equity"].iloc[-1] - 100_000)
    assert [part.difference for part in check(saved)] == [None] * 3
    (tmp_path / "model_bars.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"model_bars\.parquet is gone"):
        Result.load(tmp_path)


def test_the_gate_and_the_scores_are_of_what_the_predictor_read():
    bars = load("SPY", DataOptions(start="2015", end="2017", adjust="asof"))
    found = run(bars.bars, predictor("sma"), LongFlat, model_bars=bars.model_bars)
    alone = run(bars.model_bars, predictor("sma"), LongFlat)
    assert found.metrics["forecast"] == alone.metrics["forecast"]
    assert found.recipe["bars"]["model_bars"] == alone.recipe["bars"]["sha256"] != found.recipe["bars"]["sha256"]


@pytest.mark.parametrize(
    ("symbol", "said"),
    [("KO.sp20", "adjusted closes only"), ("IBM", "no record of dividends"), ("BTC-USD", "no record of dividends")],
)
def test_a_source_that_does_not_know_what_was_paid_refuses(symbol, said):
    with pytest.raises(ValueError, match=said):
        load(symbol, DataOptions(adjust="asof"))


@pytest.mark.parametrize(
    ("column", "value"), [("dividend", -1.0), ("dividend", np.nan), ("split", 0.0), ("split", np.inf)]
)
def test_an_action_that_cannot_be_is_refused(column, value):
    bars = with_actions(random_walk(20)).assign(**{column: value})
    with pytest.raises(ValueError, match=f"the {column} of 2000-01-03 is"):
        simulate(bars, pd.Series(0.0, bars.index), BuyAndHold)


def test_the_next_position_knows_the_dividends_of_the_past():
    from rollcast.backtests.next_bar import forecast_next

    request = Request("sma", adjust="asof", start="2019")
    assert forecast_next(request).history.position.units == request.run().positions.iloc[:, 0].iloc[-1]
