"""Scores against empyrical, scipy and the formulas themselves."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rollcast
from rollcast import load
from rollcast.backtests.account.engine import Account
from rollcast.backtests.account.scores import forecast_scores, return_scores, trading_scores
from rollcast.backtests.account.trades import trades_from
from rollcast.backtests.data.bars import bars_per_year, load_bars
from rollcast.predictors.bars import random_walk
from rollcast.strategies.long_short import LongShort

RATIOS = ["sharpe", "sortino", "skew", "kurtosis"]


def real(symbol: str) -> tuple[pd.Series, int]:
    bars = load_bars(symbol)
    return bars["close"].pct_change().fillna(0.0), bars_per_year(bars.index)


@pytest.mark.parametrize("symbol", ["SPY", "BTC-USD", "AAPL.1h", "AMD.sp20", "FB"])
def test_return_scores_equal_empyricals_and_scipys(symbol):
    import empyrical
    from scipy import stats

    r, yearly = real(symbol)
    ours = return_scores(r, yearly)
    theirs = {
        "total_return": empyrical.cum_returns_final(r),
        "cagr": empyrical.annual_return(r, annualization=yearly),
        "volatility": empyrical.annual_volatility(r, annualization=yearly),
        "sharpe": empyrical.sharpe_ratio(r, annualization=yearly),
        "sortino": empyrical.sortino_ratio(r, annualization=yearly),
        "max_drawdown": empyrical.max_drawdown(r),
        "calmar": empyrical.calmar_ratio(r, annualization=yearly),
        "skew": stats.skew(r),
        "kurtosis": stats.kurtosis(r, fisher=False),
    }
    assert ours == pytest.approx(theirs, rel=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-0.5, 0.5), min_size=3, max_size=60), st.integers(1, 2000))
def test_return_scores_equal_plain_formulas(values, yearly):
    r = np.array(values)
    ours = return_scores(pd.Series(r), yearly)
    assert all(isinstance(value, float) for value in ours.values())
    equity = [1.0]
    for x in values:
        equity.append(equity[-1] * (1 + x))
    depths = [value / max(equity[: k + 1]) - 1 for k, value in enumerate(equity)]
    assert ours["total_return"] == pytest.approx(equity[-1] - 1, abs=1e-12)
    assert ours["max_drawdown"] == pytest.approx(min(depths), abs=1e-12)
    assert -1 <= ours["max_drawdown"] <= 0
    assert ours["volatility"] == pytest.approx(np.std(r, ddof=1) * math.sqrt(yearly))
    if np.ptp(r) > 1e-6:
        assert ours["sharpe"] == pytest.approx(r.mean() / np.std(r, ddof=1) * math.sqrt(yearly))
    if (r < -1e-6).any():
        assert ours["sortino"] == pytest.approx(r.mean() / np.sqrt(np.mean(np.clip(r, None, 0) ** 2)) * yearly**0.5)
        assert ours["calmar"] == pytest.approx(ours["cagr"] / -ours["max_drawdown"])


def test_a_loss_on_the_first_bar_is_a_drawdown():
    assert return_scores(pd.Series([-0.2, 0.1]), 252)["max_drawdown"] == pytest.approx(-0.2)


@pytest.mark.parametrize("size", [1e-2, 1e-4, 1e-5, 1e-7])
def test_ratios_do_not_depend_on_how_small_the_returns_are(size):
    # An account mostly in cash, or minute bars, moves by a basis point or less.
    shape = np.random.default_rng(1).standard_t(5, 500)
    ours, large = (return_scores(pd.Series(shape * scale), 252) for scale in (size, 1e-2))
    assert [ours[name] for name in RATIOS] == pytest.approx([large[name] for name in RATIOS], rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_the_order_of_the_returns_changes_only_the_drawdown(seed):
    rng = np.random.default_rng(seed)
    r = rng.normal(0, 0.02, 100)
    ours, shuffled = (return_scores(pd.Series(x), 252) for x in (r, rng.permutation(r)))
    for name in ("total_return", "cagr", "volatility", "sharpe", "sortino", "skew", "kurtosis"):
        assert ours[name] == pytest.approx(shuffled[name], rel=1e-9, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6))
def test_mirrored_returns_mirror_sharpe_and_skew(seed):
    r = pd.Series(np.random.default_rng(seed).normal(0.001, 0.02, 100))
    ours, mirrored = return_scores(r, 252), return_scores(-r, 252)
    for name, sign in (("sharpe", -1), ("skew", -1), ("volatility", 1), ("kurtosis", 1)):
        assert ours[name] == pytest.approx(sign * mirrored[name])


@pytest.mark.parametrize("value", [0.0, 0.01, 0.1, 1 / 3, -0.05, 1e-8])
@pytest.mark.parametrize("n", [1, 2, 7, 50, 1000])
def test_constant_returns_have_no_ratio_rather_than_an_absurd_one(value, n):
    scores = return_scores(pd.Series([value] * n), 4)
    for name in ("sharpe", "skew", "kurtosis"):
        assert math.isnan(scores[name]), name
    assert math.isnan(scores["sortino"]) == (value >= 0)
    assert math.isnan(scores["calmar"]) == (value >= 0)
    assert scores["volatility"] == pytest.approx(0, abs=1e-12) or n == 1
    assert scores["cagr"] == pytest.approx((1 + value) ** 4 - 1)


def test_a_gain_too_large_to_be_annualised_is_no_number_and_no_warning():
    assert not math.isfinite(return_scores(pd.Series([0.0, 9.0]), 1749)["cagr"])


def test_losing_everything_is_a_cagr_of_minus_one():
    scores = return_scores(pd.Series([0.0, -1.0]), 252)
    assert (scores["total_return"], scores["cagr"], scores["max_drawdown"]) == (-1, -1, -1)


# --- trading ---


def test_trading_scores_equal_what_the_tables_say():
    result = rollcast.run(load_bars("SPY", "2010", "2014"), load("ema", span=10), LongShort)
    scores, history = result.metrics["strategy"], result.history
    years = len(history) / 252
    mean = history["equity"].mean()
    traded = sum(abs(o.units * o.price) for o in result.orders.itertuples())
    assert scores["turnover"] == pytest.approx(traded / mean / years)
    assert scores["commission"] == pytest.approx(traded * 1e-4)
    assert scores["slippage"] == pytest.approx(traded * 1e-4, rel=1e-3)
    assert scores["cost_bps"] == pytest.approx(1e4 * (scores["commission"] + scores["slippage"]) / mean / years)
    assert scores["time_in_market"] == (result.positions["bars"] != 0).sum() / len(history)
    assert scores["trades"] == len(result.trades)
    assert scores["orders"] == len(result.orders)
    assert scores["rejected"] == 0
    closed = result.trades[result.trades["exit_date"].notna()]
    assert scores["win_rate"] == (closed["pnl"] > 0).sum() / len(closed)


def test_an_account_that_never_traded_has_zero_turnover_and_no_win_rate():
    bars = random_walk(30)
    traded = rollcast.simulate(bars, pd.Series(0.0, index=bars.index), LongShort)
    trades = trades_from(traded.orders, traded.history, bars["close"])
    scores = trading_scores(traded.history, traded.orders, trades, 252)
    assert math.isnan(scores.pop("win_rate"))
    assert set(scores.values()) == {0}


def test_buy_and_hold_in_the_metrics_is_the_market_less_its_one_purchase():
    bars = load_bars("SPY", "2010", "2014")
    result = rollcast.run(bars, load("sma", window=2), LongShort, account=Account(1e9))
    market = bars["close"].iloc[-1] / bars["open"].iloc[2] / 1.0001**2
    assert result.metrics["benchmark"]["total_return"] == pytest.approx(market - 1, rel=1e-4)
    assert result.metrics["benchmark"]["trades"] == 1
    assert result.metrics["benchmark"]["time_in_market"] == pytest.approx(1 - 1 / len(result.history))


# --- forecasts ---


@pytest.mark.parametrize("symbol", ["SPY", "BTC-USD", "AAPL.1h"])
def test_forecast_scores_equal_direct_formulas(symbol):
    from scipy import stats

    bars = load_bars(symbol).iloc[-1000:]
    forecast = load("ema", span=15).predict(bars)
    log = np.log(bars["close"].to_numpy())
    f, y = forecast.to_numpy()[:-1], log[1:] - log[:-1]
    f, y = f[~np.isnan(f)], y[~np.isnan(f)]
    right = [a * b > 0 for a, b in zip(f, y, strict=True) if a * b != 0]
    assert forecast_scores(forecast, bars) == pytest.approx(
        {
            "forecasts": len(f),
            "r2": 1 - ((y - f) ** 2).sum() / (y**2).sum(),
            "ic": stats.pearsonr(f, y).statistic,
            "hit_rate": sum(right) / len(right),
        },
        rel=1e-9,
    )


def test_a_perfect_forecast_scores_one_and_a_forecast_of_zero_explains_nothing():
    bars = random_walk(300, seed=3)
    outcome = np.log(bars["close"]).diff().shift(-1)
    perfect = forecast_scores(outcome, bars)
    assert (perfect["r2"], perfect["ic"], perfect["hit_rate"]) == pytest.approx((1, 1, 1))
    against = forecast_scores(-outcome, bars)
    assert (against["r2"], against["ic"], against["hit_rate"]) == pytest.approx((-3, -1, 0))
    zero = forecast_scores(0 * bars["close"], bars)
    assert zero["r2"] == 0
    assert math.isnan(zero["ic"])
    assert math.isnan(zero["hit_rate"])


@pytest.mark.parametrize("value", [0.1, 1 / 3, 0.0007, -1e-4, 1e-9])
def test_a_constant_forecast_has_no_correlation_with_anything(value):
    # The mean of equal floats is not always that float, so their deviation is not always zero.
    bars = random_walk(200)
    assert math.isnan(forecast_scores(pd.Series(value, index=bars.index), bars)["ic"])


@pytest.mark.parametrize("known", [0, 1, 2])
def test_forecast_scores_of_almost_nothing_are_nan_and_not_an_error(known):
    bars = random_walk(10)
    forecast = pd.Series(np.nan, index=bars.index)
    forecast.iloc[10 - known :] = 0.01
    scores = forecast_scores(forecast, bars)
    assert scores["forecasts"] == max(known - 1, 0)
    assert math.isnan(scores["ic"])


def test_forecasts_of_a_market_that_stands_still_have_no_scores():
    bars = random_walk(10).assign(close=100.0)
    scores = forecast_scores(pd.Series(np.linspace(-1, 1, 10), index=bars.index), bars)
    assert all(math.isnan(scores[name]) for name in ("r2", "ic", "hit_rate"))
