"""The replay of a portfolio is the engine to the last bit, and its stress a run of each variant."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests.account.engine import Account
from rollcast.backtests.account.panel_engine import simulate_panel
from rollcast.backtests.account.replay import Stage, replay
from rollcast.backtests.account.scores import cash_returns, return_scores
from rollcast.backtests.data.bars import bars_per_year
from rollcast.backtests.evidence.panel_stress import GRID, late, stress_panel, turned
from rollcast.backtests.market.panel import Panel, load_panel
from rollcast.backtests.pipeline.backtest import run
from rollcast.backtests.pipeline.result import Result
from rollcast.predictors.bars import random_walk
from rollcast.predictors.ema import EMA
from rollcast.strategies.long_short import LongShort
from rollcast.strategies.portfolio.equal_weight import EqualWeight
from rollcast.strategies.portfolio.min_variance_tilt import MinVarianceTilt
from rollcast.strategies.portfolio.top_k import TopK
from rollcast.strategies.proportional import Proportional
from rollcast.strategies.sizing import Ruined

DEAR = Account(commission_bps=7, slippage_bps=5, borrow_bps=150, interest_bps=200, fractional=True)
RULES = [
    (TopK, {}),
    (TopK, {"k": 2, "short": True, "weighting": "inverse_volatility", "turnover_cap": 0.5, "rebalance": "bar"}),
    (EqualWeight, {}),
    (MinVarianceTilt, {"cap": 0.4, "span": 60}),
    (LongShort, {}),
    (Proportional, {"tolerance": 0.02}),
]


def forecasts_of(panel: Panel, span: int = 20) -> pd.DataFrame:
    return pd.DataFrame({name: EMA(span).predict(bars) for name, bars in panel.bars.items()}, index=panel.calendar)


def three_calendars(seed: int) -> Panel:
    """A name on weekdays, one that misses every seventh of them and comes late, and one that ends early."""
    a, b, c = (random_walk(300, seed=3 * seed + k) for k in range(3))
    return Panel("three", {"A": a, "B": b.iloc[np.arange(300) % 7 != 3].iloc[40:], "C": c.iloc[:180]})


def assert_equal(panel: Panel, table: pd.DataFrame, rule: type, parameters: dict, account: Account) -> None:
    slow = simulate_panel(panel, table, rule, parameters, account)
    fast = replay(Stage(panel), table.to_numpy(), rule, parameters, account)
    if account.fractional:
        # Where a position flips, backtrader leaves a rounding of it to the next bar.
        for ours, theirs in ((fast.equity, "equity"), (fast.cash, "cash")):
            np.testing.assert_allclose(ours, slow.history[theirs], rtol=1e-9, atol=1e-6)
        np.testing.assert_allclose(fast.units, slow.positions, rtol=1e-9, atol=1e-6)
        return
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
    with pytest.raises(Ruined, match="wiped out") as slow:
        simulate_panel(panel, table, TopK, parameters)
    with pytest.raises(Ruined, match="wiped out") as fast:
        replay(Stage(panel), table.to_numpy(), TopK, parameters)
    assert str(slow.value) == str(fast.value)


def test_a_delay_counts_a_names_own_bars_and_a_turn_keeps_names_together():
    nan = np.nan
    values = np.array([[nan, 1], [10, nan], [20, 2], [30, 3], [40, 4.0]])
    np.testing.assert_array_equal(late(values, 1), [[nan, nan], [nan, nan], [10, 1], [20, 2], [30, 3]])
    np.testing.assert_array_equal(turned(values, 0.25), [[nan, 4], [40, nan], [10, 1], [20, 2], [30, 3]])


def test_a_turn_keeps_every_names_forecasts_and_the_ranking_of_a_date():
    values = forecasts_of(load_panel("sp20", "2001", "2001")).to_numpy()
    known = ~np.isnan(values).any(axis=1)
    for share in (0.1, 0.5, 0.9):
        again = turned(values, share)
        assert np.array_equal(np.isnan(again), np.isnan(values))
        assert {tuple(row) for row in again[known]} == {tuple(row) for row in values[known]}
        assert not np.array_equal(again, values, equal_nan=True)


def scored(panel: Panel, table: pd.DataFrame, first: pd.Timestamp, account: Account) -> dict[str, float]:
    history = simulate_panel(panel, table, TopK, {"k": 2, "short": True}, account).history["equity"]
    returns = history.loc[first:].pct_change().fillna(0.0)
    cash = cash_returns(pd.DatetimeIndex(returns.index), account.interest_bps)
    scores = return_scores(returns, bars_per_year(returns.index), cash)
    return {key: scores[key] for key in ("cagr", "sharpe", "total_return")}


@pytest.fixture(scope="module")
def five() -> Result:
    return run(load_panel("us5", "2011", "2012"), EMA(50), TopK, {"k": 2, "short": True}, DEAR)


def test_every_figure_of_the_stress_is_a_run_of_its_own(five):
    told = stress_panel(five, TopK, {"k": 2, "short": True}, DEAR)
    panel, first = five.market.panel, five.forecasts.index[0]
    table = five.forecasts.reindex(panel.calendar)

    def again(forecasts: np.ndarray, **changes: float) -> dict[str, float]:
        return scored(panel, pd.DataFrame(forecasts, panel.calendar, panel.symbols), first, replace(DEAR, **changes))

    values = table.to_numpy()
    assert told["engine"] == "fast"
    assert told["net"] == again(values)
    assert told["net"] == {key: five.metrics["strategy"][key] for key in told["net"]}
    assert told["gross"] == again(values, commission_bps=0, slippage_bps=0, borrow_bps=0)
    assert told["delay"][0] == {"bars": 0} | told["net"]
    assert told["delay"][2] == {"bars": 2} | again(late(values, 2))
    assert [row["bps"] for row in told["costs"]] == [bps for bps in GRID if bps <= 50]
    assert told["costs"][4] == {"bps": 10} | again(values, commission_bps=10, slippage_bps=0)
    assert np.all(np.diff([row["total_return"] for row in told["costs"]]) < 0)
    assert told["random"]["draws"] == 19
    assert told["random"]["turnover_ratio"] == pytest.approx(1, abs=0.2)
    assert "naive" not in told
