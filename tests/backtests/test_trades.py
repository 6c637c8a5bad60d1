"""Round trips: nothing gained or lost between the orders and the trades made of them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast import load
from rollcast.backtests.account.engine import ORDER_COLUMNS, Account, simulate
from rollcast.backtests.account.trades import TRADE_COLUMNS, trades_from
from rollcast.backtests.data.bars import load_bars
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort
from rollcast.strategies.proportional import Proportional


def tables(fills, n: int | None = None) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Orders, history and closes of an account of 0 that made these (units, price, commission) fills, one a day."""
    n = n or len(fills) + 1
    index = pd.date_range("2020-01-01", periods=n)
    rows = [
        (index[k], "buy" if u > 0 else "sell", u, p, u * p, c, 0.25 * abs(u), "completed")
        for k, (u, p, c) in enumerate(fills)
    ]
    units = np.zeros(n)
    cash = np.zeros(n)
    for k, (u, p, c) in enumerate(fills):
        units[k:] += u
        cash[k:] -= u * p + c
    close = pd.Series(np.linspace(50, 60, n), index=index)
    history = pd.DataFrame({"equity": cash + units * close, "cash": cash, "units": units}, index=index)
    return pd.DataFrame(rows, columns=ORDER_COLUMNS), history, close


def by_date(fills) -> pd.DataFrame:
    return trades_from(*tables(fills))


def dates(trades: pd.DataFrame, column: str) -> list[int | None]:
    return [None if pd.isna(date) else date.day for date in trades[column]]


def test_a_round_trip_is_one_trade():
    (trade,) = by_date([(10, 100, 1), (-10, 110, 2)]).itertuples()
    assert (trade.side, trade.units, trade.entry_price, trade.exit_price) == ("long", 10, 100, 110)
    assert trade.pnl == 100 - 3
    assert trade.costs == 3 + 5  # commission, and a quarter a unit of slippage on both sides
    assert trade.bars == 1


def test_a_short_gains_when_it_is_bought_back_lower():
    (trade,) = by_date([(-10, 100, 1), (4, 90, 1), (6, 80, 1)]).itertuples()
    assert (trade.side, trade.units, trade.entry_price) == ("short", 10, 100)
    assert trade.exit_price == pytest.approx(84)
    assert trade.pnl == pytest.approx(1000 - 360 - 480 - 3)
    assert trade.bars == 2


def test_a_flip_ends_one_trade_and_begins_the_next_sharing_its_costs_by_units():
    trades = by_date([(10, 100, 1), (-25, 110, 5), (15, 100, 3)])
    assert trades["side"].tolist() == ["long", "short"]
    assert trades["units"].tolist() == [10, 15]
    assert dates(trades, "entry_date") == [1, 2]
    assert dates(trades, "exit_date") == [2, 3]
    assert trades["pnl"].tolist() == [pytest.approx(100 - 1 - 2), pytest.approx(150 - 3 - 3)]


def test_an_open_trade_is_marked_at_the_last_close_and_has_no_exit():
    (trade,) = by_date([(10, 50, 1)]).itertuples()
    assert pd.isna(trade.exit_date)
    assert math.isnan(trade.exit_price)
    assert trade.pnl == pytest.approx(10 * (60 - 50) - 1)
    assert trade.bars == 2


def test_enlarging_and_reducing_a_position_stay_one_trade_at_average_prices():
    (trade,) = by_date([(10, 100, 0), (10, 120, 0), (-5, 130, 0), (-15, 110, 0)]).itertuples()
    assert trade.units == 20
    assert trade.entry_price == 110
    assert trade.exit_price == 115
    assert trade.pnl == pytest.approx(100)


def test_orders_that_were_not_filled_are_no_trades():
    orders, history, close = tables([(10, 100, 0), (-10, 100, 0)])
    orders.loc[0, ["price", "value", "status"]] = [np.nan, 0.0, "margin"]
    orders = orders.iloc[:1]
    trades = trades_from(orders, history, close)
    assert trades.empty
    assert list(trades.columns) == TRADE_COLUMNS


units = st.one_of(st.integers(-50, 50), st.floats(-50, 50)).filter(lambda u: abs(u) > 1e-3)
fill = st.tuples(units, st.floats(1, 200), st.floats(0, 5))


@settings(max_examples=100, deadline=None)
@given(st.lists(fill, min_size=1, max_size=30))
def test_trades_add_up_to_the_account_whatever_the_fills(fills):
    orders, history, close = tables(fills)
    trades = trades_from(orders, history, close)
    assert trades["pnl"].sum() == pytest.approx(history["equity"].iloc[-1], abs=1e-6)
    assert trades["costs"].sum() == pytest.approx(orders["commission"].sum() + orders["slippage"].sum())
    assert trades["exit_date"].iloc[:-1].notna().all()
    assert (trades["units"] > 0).all()
    # One trade follows another: none overlaps the next, and every bar with a position is in exactly one.
    starts, ends = trades["entry_date"].to_numpy()[1:], trades["exit_date"].to_numpy()[:-1]
    assert (ends <= starts).all()
    held = np.cumsum([u for u, _, _ in fills])
    if np.abs(held).min() > 1e-9:
        assert trades["bars"].sum() == (history["units"] != 0).sum()


@settings(max_examples=50, deadline=None)
@given(st.lists(fill, min_size=1, max_size=30))
def test_the_mirrored_fills_are_the_mirrored_trades(fills):
    trades = by_date([(u, p, 0.0) for u, p, _ in fills])
    mirrored = by_date([(-u, p, 0.0) for u, p, _ in fills])
    np.testing.assert_allclose(mirrored["pnl"], -trades["pnl"], atol=1e-9)
    assert mirrored["bars"].tolist() == trades["bars"].tolist()
    assert [*map({"long": "short", "short": "long"}.get, trades["side"])] == mirrored["side"].tolist()


@pytest.mark.parametrize("strategy", [LongFlat, LongShort, Proportional])
@pytest.mark.parametrize("fractional", [True, False])
@pytest.mark.parametrize("symbol", ["SPY", "BTC-USD", "AAPL.1h"])
def test_trades_add_up_to_the_equity_on_real_bars(symbol, strategy, fractional):
    bars = load_bars(symbol).iloc[-400:]
    account = Account(1e6, commission_bps=5, slippage_bps=5, borrow_bps=0, fractional=fractional)
    run = simulate(bars, load("ema", span=8).predict(bars), strategy, {}, account)
    trades = trades_from(run.orders, run.history, bars["close"])
    assert len(trades) > 5
    assert trades["pnl"].sum() == pytest.approx(run.history["equity"].iloc[-1] - 1e6, abs=1e-4)
    assert trades["bars"].sum() == (run.history["units"] != 0).sum()
    assert trades["costs"].sum() == pytest.approx(run.orders["commission"].sum() + run.orders["slippage"].sum())
    signs = np.sign(run.history["units"])
    assert len(trades) == ((signs != signs.shift(fill_value=0)) & (signs != 0)).sum()
