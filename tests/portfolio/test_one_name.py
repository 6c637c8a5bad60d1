"""A name traded alone and as a portfolio of one is the same account in the engine, the fast accounts and the replay."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests.account import evaluate
from rollcast.backtests.account.engine import Account, simulate
from rollcast.backtests.account.panel_engine import simulate_panel
from rollcast.backtests.account.replay import Stage, replay
from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.market.panel import Panel
from rollcast.predictors.bars import random_walk
from rollcast.predictors.ema import EMA
from rollcast.strategies.buy_and_hold import BuyAndHold
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort
from rollcast.strategies.proportional import Proportional
from rollcast.strategies.sizing import Ruined
from tests.backtests.test_asof import RATIOS, as_traded

tolerances = st.sampled_from([0.0, 0.05, 0.1])
bands = {
    "tolerance": tolerances,
    "dead_band_bps": st.sampled_from([0.0, 5.0]),
    "exposure": st.sampled_from([0.3, 0.7, 1.0]),
}
sizes = {
    "tolerance": tolerances,
    "volatility_bps": st.floats(20, 300),
    "span": st.integers(2, 60),
    "cap": st.sampled_from([0.5, 1.0]),
    "short": st.booleans(),
}
rules = st.one_of(
    *(
        st.tuples(st.just(rule), st.fixed_dictionaries(parameters))
        for rule, parameters in [
            (BuyAndHold, {"tolerance": tolerances}),
            (LongFlat, bands),
            (LongShort, bands),
            (Proportional, sizes),
        ]
    )
)
bps = st.one_of(st.just(0.0), st.floats(0, 300))
accounts = st.builds(
    Account,
    cash=st.sampled_from([3_000.0, 1e5, 1e7]),
    commission_bps=bps,
    slippage_bps=bps,
    borrow_bps=st.floats(0, 2000),
    interest_bps=st.floats(0, 2000),
    fractional=st.booleans(),
)
dates = st.integers(1, 79)
actions = st.tuples(
    st.lists(st.tuples(dates, st.floats(0, 0.05)), max_size=6),
    st.lists(st.tuples(dates, st.sampled_from(RATIOS)), max_size=3, unique_by=lambda pair: pair[0]),
)


def market(seed: int, volatility: float, dividends: list, splits: list) -> pd.DataFrame:
    """A random walk that pays these shares of the close before, and splits; without the columns if there are none."""
    walk = random_walk(80, seed, volatility=volatility)
    if not (dividends or splits):
        return walk
    bars = as_traded(walk, splits)
    for place, share in dividends:
        bars.iloc[place, bars.columns.get_loc("dividend")] = share * bars["close"].iloc[place - 1]
    return bars


def one_and_many(bars: pd.DataFrame, forecast: pd.Series, rule: type, parameters: dict, account: Account) -> None:
    panel, table = Panel("one", {"A": bars}), forecast.to_frame("A")
    many = (
        (lambda: simulate_panel(panel, table, rule, parameters, account)),
        (lambda: replay(Stage(panel), table.to_numpy(), rule, parameters, account)),
    )
    fast = evaluate(bars, forecast, rule, parameters, account)
    if fast.ruined[0]:
        dates = set()
        for ruined in (lambda: simulate(bars, forecast, rule, parameters, account), *many):
            with pytest.raises(Ruined) as error:
                ruined()
            dates.add(error.value.date)
        assert len(dates) == 1
        return
    one = simulate(bars, forecast, rule, parameters, account)
    engine, replayed = (other() for other in many)
    accounts = {
        "panel": (engine.history["equity"], engine.history["cash"], engine.positions["A"]),
        "replay": (replayed.equity, replayed.cash, replayed.units[:, 0]),
        "fast": (fast.equity[:, 0], fast.cash[:, 0], fast.units[:, 0]),
    }
    for where, columns in accounts.items():
        for name, column in zip(("equity", "cash", "units"), columns, strict=True):
            theirs = one.history[name].to_numpy(float)
            if account.fractional:
                np.testing.assert_allclose(column, theirs, rtol=1e-9, atol=1e-9 * account.cash, err_msg=where)
            else:
                np.testing.assert_array_equal(column, theirs, err_msg=f"{where}: {name}")
    assert engine.too_small == one.too_small == fast.too_small[0]
    assert len(engine.orders) == len(one.orders) == len(replayed.orders)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.004, 0.03]), actions, rules, accounts)
def test_a_name_alone_and_as_a_portfolio_of_one_is_the_same_account_to_the_last_bit(
    seed, volatility, acted, chosen, account
):
    bars = market(seed, volatility, *acted)
    rule, parameters = chosen
    one_and_many(bars, EMA(span=4).predict(bars), rule, parameters, account)


@pytest.mark.parametrize("fractional", [False, True])
@pytest.mark.parametrize("rule", [BuyAndHold, LongFlat, LongShort, Proportional])
def test_a_name_alone_and_as_a_portfolio_of_one_is_the_same_account_on_real_bars(rule, fractional):
    bars = load_bars("SPY", "2007", "2009")
    account = Account(commission_bps=7, slippage_bps=5, borrow_bps=150, interest_bps=200, fractional=fractional)
    one_and_many(bars, EMA(span=20).predict(bars), rule, {}, account)
