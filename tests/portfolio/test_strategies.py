"""The rules for many names: what they hold, when they change it, and what they refuse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast import load
from rollcast.backtests.account.engine import Account
from rollcast.backtests.account.panel_engine import simulate_panel
from rollcast.backtests.market.panel import Panel, load_panel
from rollcast.backtests.pipeline.strategies import PORTFOLIO_STRATEGIES, check_strategy
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.portfolio.min_variance_tilt import MinVarianceTilt, shrunk, tilted
from rollcast.strategies.portfolio.per_name import PerName
from rollcast.strategies.portfolio.top_k import TopK

FREE = Account(1e6, commission_bps=0, slippage_bps=0, fractional=True)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return load_panel("sp20", "2007", "2008-09")


@pytest.fixture(scope="module")
def table(panel) -> pd.DataFrame:
    sma = load("sma", window=20)
    return pd.DataFrame({s: sma.predict(bars) for s, bars in panel.bars.items()}, index=panel.calendar)


def weights(panel: Panel, table: pd.DataFrame, **parameters) -> pd.DataFrame:
    """The weights of `top_k` at the opens of the dates it traded on; opens are closes in sp20."""
    found = simulate_panel(panel, table, TopK, parameters, FREE)
    held = (found.positions * panel.table("close")).div(found.history["equity"], axis=0)
    return held.loc[sorted(set(found.orders["date"]))]


def test_the_built_in_rules_are_found_by_name():
    assert {name: PORTFOLIO_STRATEGIES.find(name) for name in ("top_k", "min_variance_tilt")} == {
        "top_k": TopK,
        "min_variance_tilt": MinVarianceTilt,
    }


def test_top_k_holds_the_k_highest_forecasts_of_the_close_before(panel, table):
    for date, row in weights(panel, table, k=4).iterrows():
        decided = table.loc[table.index < date].iloc[-1]
        assert set(row.index[row > 1e-6]) == set(decided.nlargest(4).index)
        assert row[row > 1e-6].tolist() == pytest.approx([0.25] * 4, rel=1e-6)


def test_a_long_short_portfolio_has_as_much_short_as_long(panel, table):
    for date, row in weights(panel, table, k=3, short=True, exposure=0.8).iterrows():
        decided = table.loc[table.index < date].iloc[-1]
        assert row[row > 0].sum() == pytest.approx(0.4) == -row[row < 0].sum()
        assert set(row.index[row < 0]) == set(decided.nsmallest(3).index)


def test_inverse_volatility_weights_are_in_proportion_to_one_over_sigma(panel, table):
    squares = np.log(panel.table("close")).diff() ** 2
    sigma = np.sqrt(squares.ewm(span=30, adjust=False, ignore_na=True).mean())
    for date, row in weights(panel, table, k=5, weighting="inverse_volatility", span=30).iterrows():
        risk = (row * sigma.loc[sigma.index < date].iloc[-1])[row > 1e-6]
        assert risk.to_numpy() == pytest.approx(risk.mean(), rel=1e-5)


@pytest.mark.parametrize(("rebalance", "period"), [("weekly", "W"), ("monthly", "M"), ("quarterly", "Q")])
def test_a_calendar_rebalances_after_the_first_close_of_each_period(panel, table, rebalance, period):
    first = table.index[table.notna().any(axis=1)]
    decided = pd.Series(first, first).groupby(first.to_period(period)).first()
    after = [table.index[table.index.get_loc(date) + 1] for date in decided if date < table.index[-1]]
    orders = simulate_panel(panel, table, TopK, {"rebalance": rebalance}, FREE).orders
    assert sorted(set(orders["date"])) == after


@pytest.mark.parametrize("cap", [0.1, 0.5])
def test_the_turnover_cap_bounds_what_is_traded_at_a_rebalance(panel, table, cap):
    # Opens at the close before, so that what is traded is what was decided.
    still = {s: bars.assign(open=bars["close"].shift(1).fillna(bars["close"])) for s, bars in panel.bars.items()}
    still = {
        s: b.assign(high=b[["open", "close"]].max(axis=1), low=b[["open", "close"]].min(axis=1))
        for s, b in still.items()
    }
    found = simulate_panel(Panel("still", still), table, TopK, {"turnover_cap": cap}, FREE)
    traded = found.orders.groupby("date")["value"].agg(lambda v: v.abs().sum())
    turnover = traded / found.history["equity"].shift(1).loc[traded.index]
    assert turnover.max() < cap * (1 + 1e-4)
    assert turnover.median() > 0.8 * cap


def test_ties_go_to_the_name_that_comes_first(panel):
    equal = pd.DataFrame(1e-3, panel.calendar, panel.symbols)
    assert weights(panel, equal, k=2).columns[(weights(panel, equal, k=2) > 0).any()].tolist() == panel.symbols[:2]


@pytest.mark.parametrize(
    ("strategy", "parameters", "message"),
    [
        (TopK, {"k": 0}, "k must be at least 1; got 0"),
        (TopK, {"exposure": 1.5}, "exposure must be at least 0 and at most 1; got 1.5"),
        (
            TopK,
            {"rebalance": "yearly"},
            "rebalance must be one of bar, daily, weekly, monthly, quarterly; got 'yearly'",
        ),
        (TopK, {"weighting": "cap"}, "weighting must be one of equal, inverse_volatility; got 'cap'"),
        (MinVarianceTilt, {"span": 10}, "span must be at least 30; got 10"),
        (LongFlat, {"exposure": 2.0}, "exposure must be at least 0 and at most 1; got 2"),
    ],
)
def test_a_parameter_outside_its_limits_is_refused_before_anything_is_run(strategy, parameters, message):
    with pytest.raises(ValueError, match=message):
        check_strategy(strategy, parameters, portfolio=True)


def test_only_rules_can_trade_a_panel(panel, table):
    with pytest.raises(TypeError, match="cannot trade a panel"):
        check_strategy(__import__("backtrader").Strategy, {}, portfolio=True)
    with pytest.raises(TypeError, match="PerName needs rule="):
        simulate_panel(panel, table, PerName, {"rule": TopK()})


def test_shrinkage_is_that_of_ledoit_and_wolf(panel):
    from sklearn.covariance import ledoit_wolf

    x = np.diff(np.log(panel.table("close").to_numpy()), axis=0)
    for rows in (30, 250):
        np.testing.assert_allclose(shrunk(x[-rows:]), ledoit_wolf(x[-rows:])[0], rtol=1e-10, atol=1e-18)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(2, 15), tilt=st.floats(0, 3), cap=st.floats(0.1, 1))
def test_tilted_weights_meet_the_conditions_of_an_optimum(seed, n, tilt, cap):
    rng = np.random.default_rng(seed)
    covariance = shrunk(rng.normal(0, 0.01, (60, n)) * rng.uniform(0.5, 3, n))
    forecast = rng.normal(0, 1e-3, n)
    w = tilted(covariance, forecast, tilt, cap, 1.0)
    assert w.sum() == pytest.approx(min(1.0, cap * n), abs=1e-6)
    assert (w >= 0).all()
    assert (w <= cap).all()
    # Karush, Kuhn and Tucker: the gradient is one number inside the bounds, no less at 0 and no more at the cap.
    z = (forecast - forecast.mean()) / forecast.std()
    gradient = covariance @ w / (np.trace(covariance) / n) - tilt / n * z
    low, high = w < 1e-5, w > cap - 1e-5
    slack = 2e-4
    if (~low).any() and (~high).any():
        assert gradient[~high].min() >= gradient[~low].max() - slack


def test_without_correlation_a_tilt_is_in_equal_weights():
    z = np.array([-1.0, 1.0, -1.0, 1.0])
    w = tilted(np.eye(4) * 1e-4, z * 2e-3, 0.5, 1.0, 1.0)
    np.testing.assert_allclose(w, (1 + 0.5 * z) / 4, atol=1e-7)


def test_a_minimum_variance_portfolio_is_quieter_than_equal_weights(panel, table):
    longer = load_panel("sp20", "2004", "2008")
    forecasts = pd.DataFrame(0.0, longer.calendar, longer.symbols)
    found = simulate_panel(longer, forecasts, MinVarianceTilt, {"tilt": 0.0, "cap": 0.15})
    returns = found.history["equity"].pct_change().loc["2006":]
    equal = longer.table("close").pct_change().mean(axis=1).loc["2006":]
    assert returns.std() < 0.85 * equal.std()
    weights = (found.positions * longer.table("close")).div(found.history["equity"], axis=0)
    days = sorted(set(found.orders["date"]))
    assert weights.loc[days].max().max() < 0.151


def test_without_a_turnover_cap_nothing_is_left_of_what_was_dropped(panel, table):
    found = simulate_panel(panel, table, TopK, {"k": 1, "short": True})
    assert set(found.history["units"]) == {0.0, 2.0}
