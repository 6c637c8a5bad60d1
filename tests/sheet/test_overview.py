"""The head of a sheet shows the account as it was: growth, exposure, crises, the books and what trades went through."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from rollcast import Account, load, load_bars, run
from rollcast.backtests.account.trades import excursions
from rollcast.backtests.market.panel import load_panel
from rollcast.backtests.sheet.costs import rolling_exposure
from rollcast.backtests.sheet.crises import CRISES, crises
from rollcast.backtests.sheet.names import largest_weights
from rollcast.backtests.sheet.overview import chart_data, exposure
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort
from rollcast.strategies.portfolio.equal_weight import EqualWeight


@pytest.mark.parametrize("kind", ["winning", "losing", "hourly", "flat"])
def test_the_chart_has_every_close_of_both_accounts(result_of, kind):
    result = result_of(kind)
    data = chart_data(result)
    dates = pd.to_datetime(np.cumsum(data["t"]) * data["unit"], unit="s")
    assert dates.tolist() == result.equity.index.tolist()
    for name, curve in (("s", result.equity), ("h", result.history["benchmark"])):
        np.testing.assert_allclose(np.cumsum(data[name]) / 1e4, curve / curve.iloc[0], atol=5.001e-5)
    assert ("k" in data) == (kind == "losing"), "only long_short is ever short"
    assert ("l" in data) == (kind != "flat")


def test_exposure_is_the_value_of_the_positions_over_the_equity(result_of):
    result = result_of("losing")
    sides = exposure(result)
    position_value = result.equity - result.history["cash"]
    np.testing.assert_allclose(sides.sum(axis=1), position_value / result.equity, atol=1e-9)
    assert (sides["long"] >= 0).all()
    assert (sides["short"] <= 0).all()


def test_exposure_of_a_portfolio_adds_up_its_names():
    panel = load_panel("us5", "2010-01-01", "2012-12-31")
    result = run(panel, load("sma"), EqualWeight)
    value = (result.equity - result.history["cash"]) / result.equity
    np.testing.assert_allclose(exposure(result).sum(axis=1), value, atol=1e-9)


def test_the_weights_drawn_are_all_of_the_exposure():
    panel = load_panel("sp20", "2010-01-01", "2011-12-31")
    result = run(panel, load("sma"), EqualWeight)
    table = largest_weights(result)
    assert list(table)[-1] == "15 others"
    np.testing.assert_allclose(table.sum(axis=1), exposure(result).sum(axis=1), atol=1e-12)
    means = table.iloc[:, :-1].abs().mean().to_numpy()
    assert (np.diff(means) <= 0).all()


def test_the_rolling_exposure_ends_with_the_mean_of_the_last_year(result_of):
    result = result_of("losing")
    rolling = rolling_exposure(result)
    year = result.metrics["bars_per_year"]
    long = (
        result.positions.iloc[:, 0].clip(lower=0) * result.bars["close"].reindex(result.equity.index)
    ) / result.equity
    assert rolling["long"].iloc[-1] == pytest.approx(long.iloc[-year:].mean())
    assert (rolling["short"] < 0).any()


def test_a_crisis_is_from_the_close_before_it_to_the_last_close_of_it(spy):
    result = run(spy, load("sma", window=100), LongFlat)
    rows = {row["name"]: row for row in crises(result)}
    first, last = CRISES["COVID-19"]
    close = spy["close"]
    assert rows["COVID-19"]["holding"] == pytest.approx(close[last] / close[first] - 1, abs=1e-3)
    assert rows["COVID-19"]["strategy"] == pytest.approx(result.equity[last] / result.equity[first] - 1)
    deepest = rows["Holding's deepest fall"]
    assert deepest["holding"] == pytest.approx(result.metrics["benchmark"]["max_drawdown"])
    assert "Black Monday" not in rows, "the bars begin later"
    assert "Inflation of 2022" not in rows, "and end before"


ACCOUNTS = {
    "shorts that pay": (Account(borrow_bps=300), LongShort, {}),
    "cash that earns": (Account(interest_bps=400, fractional=True), LongFlat, {}),
    "both": (Account(interest_bps=400, borrow_bps=300), LongShort, {}),
}


@pytest.mark.parametrize("name", ACCOUNTS)
def test_the_books_balance_to_the_cent(name):
    account, rule, parameters = ACCOUNTS[name]
    result = run(load_bars("AAPL"), load("ema", span=20), rule, parameters, account=account)
    books = result.metrics["account"]
    assert books["start"] == account.cash
    assert books["end"] == result.equity.iloc[-1]
    assert books["trades"] == pytest.approx(result.trades["pnl"].sum())
    assert books["start"] + books["trades"] + books["interest"] - books["borrow"] - books["loan"] == pytest.approx(
        books["end"], abs=0.005
    )
    assert (books["borrow"] > 0) == (rule is LongShort)
    assert (books["interest"] > 0) == (account.interest_bps > 0)
    assert books["loan"] == 0


def test_the_books_of_a_portfolio_balance_too():
    panel = load_panel("us5", "2010-01-01", "2012-12-31")
    result = run(panel, load("sma"), EqualWeight, account=Account(interest_bps=500))
    books = result.metrics["account"]
    assert books["start"] + books["trades"] + books["interest"] - books["borrow"] - books["loan"] == pytest.approx(
        books["end"], abs=0.005
    )


def test_excursions_are_the_worst_and_the_best_price_of_a_trade_by_hand():
    index = pd.bdate_range("2020-01-01", periods=5)
    bars = pd.DataFrame({"low": [9, 8, 7, 9, 1.0], "high": [11, 12, 13, 12, 99.0]}, index=index)
    trade = pd.Series({"entry_date": index[1], "exit_date": index[3], "entry_price": 10.0, "side": "long"})
    assert excursions(trade, bars) == (pytest.approx(0.3), pytest.approx(0.3))
    short = trade.copy()
    short["side"], short["entry_price"] = "short", 12.5
    assert excursions(short, bars) == (pytest.approx(0.04), pytest.approx(0.44))
    open_trade = trade.copy()
    open_trade["exit_date"] = pd.NaT
    assert excursions(open_trade, bars) == (pytest.approx(0.9), pytest.approx(8.9))
    split = bars.assign(split=[1, 1, 2, 1, 1.0])
    assert all(math.isnan(value) for value in excursions(trade, split))
