"""The replay of a portfolio is the engine to the last bit, and its stress a run of each variant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtests.engine import Account
from backtests.portfolio import Panel, load_panel
from backtests.portfolio.engine import simulate_panel
from backtests.portfolio.replay import Stage, replay, supports
from backtests.portfolio.stress import late, rotations, stress_panel
from backtests.scores import return_scores
from backtests.sources import bars_per_year
from predictors.bars import random_walk
from predictors.ema import EMA
from strategies.long_short import LongShort
from strategies.portfolio.equal_weight import EqualWeight
from strategies.portfolio.min_variance_tilt import MinVarianceTilt
from strategies.portfolio.per_name import PerName
from strategies.portfolio.top_k import TopK
from strategies.proportional import Proportional

DEAR = Account(commission_bps=7, slippage_bps=5, borrow_bps=150, interest_bps=200, fractional=True)
RULES = [
    (TopK, {}),
    (TopK, {"k": 2, "short": True, "weighting": "inverse_volatility", "turnover_cap": 0.5, "rebalance": "bar"}),
    (EqualWeight, {}),
    (MinVarianceTilt, {"cap": 0.4, "span": 60}),
    (PerName, {"rule": LongShort, "parameters": {}}),
    (PerName, {"rule": Proportional, "parameters": {"tolerance": 0.02}}),
]


def forecasts_of(panel: Panel, span: int = 20) -> pd.DataFrame:
    return pd.DataFrame({name: EMA(span).predict(bars) for name, bars in panel.bars.items()}, index=panel.calendar)


def three_calendars(seed: int) -> Panel:
    """A name on weekdays, one that misses every seventh of them and comes late, and one that ends early."""
    a, b, c = (random_walk(300, seed=3 * seed + k) for k in range(3))
    return Panel("three", {"A": a, "B": b.iloc[np.arange(300) % 7 != 3].iloc[40:], "C": c.iloc[:180]})


def assert_equal(panel: Panel, table: pd.DataFrame, rule: type, parameters: dict, account: Account) -> None:
    slow = simulate_panel(panel, table, rule, parameters, account)
    fast = replay(Stage(panel), table, rule, parameters, account)
    assert np.array_equal(slow.history["equity"], fast.equity)
    assert np.array_equal(slow.history["cash"], fast.cash)
    assert np.array_equal(slow.positions, fast.units)
    assert np.array_equal(slow.orders["units"], fast.orders[:, 2])
    assert np.array_equal(slow.orders["value"], fast.orders[:, 3])
    assert np.array_equal(slow.orders["date"], panel.calendar[fast.orders[:, 0].astype(int)])
    assert len(slow.orders) > 3


@pytest.mark.parametrize("account", [Account(), DEAR], ids=["whole", "dear"])
@pytest.mark.parametrize(("rule", "parameters"), RULES)
def test_the_replay_is_the_engine_to_the_last_bit(rule, parameters, account):
    panel = load_panel("sp20", "2001", "2001")
    assert_equal(panel, forecasts_of(panel), rule, parameters, account)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    which=st.integers(0, len(RULES) - 1),
    bps=st.tuples(*[st.integers(0, 300)] * 4),
    fractional=st.booleans(),
    cash=st.sampled_from([2_000.0, 1e5, 3e7]),
)
def test_names_that_pause_come_late_and_end_are_replayed_to_the_last_bit(seed, which, bps, fractional, cash):
    panel = three_calendars(seed)
    account = Account(cash, *map(float, bps), fractional)
    assert_equal(panel, forecasts_of(panel, 5), *RULES[which], account)


def test_a_ruin_is_the_same_error_in_both():
    rising = pd.Series(100 * 1.3 ** np.arange(60), pd.bdate_range("2020-01-01", periods=60))
    bars = pd.DataFrame({name: rising for name in ("open", "high", "low", "close")}).assign(volume=1.0)
    flat = random_walk(60).set_axis(bars.index)
    panel = Panel("two", {"UP": bars, "FLAT": flat})
    table = pd.DataFrame({"UP": -1.0, "FLAT": 1.0}, index=panel.calendar)
    parameters = {"k": 1, "short": True, "rebalance": "quarterly"}
    with pytest.raises(ValueError, match="wiped out") as slow:
        simulate_panel(panel, table, TopK, parameters)
    with pytest.raises(ValueError, match="wiped out") as fast:
        replay(Stage(panel), table, TopK, parameters)
    assert str(slow.value) == str(fast.value)


def test_a_rule_of_a_users_is_left_to_backtrader():
    class Mine(TopK):
        pass

    assert not supports(Mine, {})
    assert not supports(PerName, {"rule": type("Own", (LongShort,), {}), "parameters": {}})


def scored(panel: Panel, table: pd.DataFrame, account: Account) -> dict[str, float]:
    history = simulate_panel(panel, table, TopK, {"k": 2}, account).history["equity"]
    returns = history.loc[table.first_valid_index() :].pct_change().fillna(0.0)
    scores = return_scores(returns, bars_per_year(returns.index))
    return {key: scores[key] for key in ("cagr", "sharpe", "total_return")}


def test_every_figure_of_the_stress_is_a_run_of_its_own():
    panel = load_panel("us5", "2011", "2012")
    table = forecasts_of(panel)
    values = table.to_numpy()
    own = [panel.calendar.get_indexer(bars.index) for bars in panel.bars.values()]
    told = stress_panel(panel, table, TopK, {"k": 2}, DEAR, draws=3)
    assert told["net"] == scored(panel, table, DEAR) == {k: told["delay"][0][k] for k in told["net"]}
    assert told["gross"] == scored(panel, table, replace(DEAR, commission_bps=0, slippage_bps=0, borrow_bps=0))
    later = pd.DataFrame(late(values, own, 2), panel.calendar, panel.symbols)
    # Both are scored from the first forecast that is not late.
    history = simulate_panel(panel, later, TopK, {"k": 2}, DEAR).history["equity"].loc[table.first_valid_index() :]
    assert told["delay"][2]["total_return"] == pytest.approx(history.iloc[-1] / history.iloc[0] - 1, rel=1e-12)
    (taxed,) = (row for row in told["costs"] if row["bps"] == 20)
    assert taxed["cagr"] == scored(panel, table, replace(DEAR, commission_bps=20, slippage_bps=0))["cagr"]
    assert told["random"]["draws"] == 3


def test_a_rotation_keeps_every_names_forecasts_and_the_ranking_of_a_date():
    panel = load_panel("sp20", "2001", "2001")
    values = forecasts_of(panel).to_numpy()
    for turned in rotations(values, 5, seed=0):
        assert np.array_equal(np.isnan(turned), np.isnan(values))
        assert np.array_equal(np.sort(turned, axis=0), np.sort(values, axis=0), equal_nan=True)
        known = ~np.isnan(values).any(axis=1)
        assert {tuple(row) for row in turned[known]} == {tuple(row) for row in values[known]}
        assert not np.array_equal(turned, values, equal_nan=True)


def test_a_late_forecast_is_heard_at_a_bar_of_its_own_name():
    panel = three_calendars(1)
    table = forecasts_of(panel, 5)
    own = [panel.calendar.get_indexer(bars.index) for bars in panel.bars.values()]
    moved = pd.DataFrame(late(table.to_numpy(), own, 1), panel.calendar, panel.symbols)
    for name, bars in panel.bars.items():
        heard = moved[name].reindex(bars.index)
        assert heard.equals(table[name].reindex(bars.index).shift(1))
        assert moved[name].drop(bars.index).isna().all()
