"""Rules without an engine: what they are told and what they want, and that they need no backtrader."""

from __future__ import annotations

import dataclasses
import datetime
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import rollcast
from rollcast.backtests.account.engine import Account, simulate
from rollcast.backtests.account.panel_engine import simulate_panel
from rollcast.backtests.data.bars import load_bars
from rollcast.backtests.market.panel import load_panel
from rollcast.backtests.pipeline.strategies import STRATEGIES
from rollcast.predictors.ema import EMA
from rollcast.strategies.base import ForecastStrategy
from rollcast.strategies.feed import date_numbers, date_of
from rollcast.strategies.long_flat import LongFlat
from rollcast.strategies.long_short import LongShort
from rollcast.strategies.portfolio.equal_weight import EqualWeight
from rollcast.strategies.portfolio.per_name import PerName
from rollcast.strategies.portfolio.top_k import TopK
from rollcast.strategies.proportional import Proportional
from rollcast.strategies.rule import CalendarRule, NameRule, NameState, State
from rollcast.strategies.sizing import Ruined

DAY = datetime.datetime(2020, 1, 1)


def told(forecast: float, growth: float = 1.01, units: float = 0.0, equity: float = 1000.0) -> NameState:
    return NameState(DAY, forecast, 100.0, growth, units, equity)


def many(forecasts: list[float], date: datetime.datetime = DAY, units: list[float] | None = None) -> State:
    """Names at 100 that all have a bar."""
    n = len(forecasts)
    closes, every, none = np.full(n, 100.0), np.ones(n, bool), np.zeros(n)
    held = none if units is None else np.array(units)
    return State(date, np.array(forecasts), closes, closes / 99, closes, none, every, every, ~every, held, 1000.0)


def test_a_band_rule_is_asked_with_a_state_and_answers_with_a_weight():
    rule = LongShort(dead_band_bps=10, exposure=0.5)
    assert [rule.decide(told(f)) for f in (0.002, 0.0005, -0.002)] == [0.5, None, -0.5]
    assert LongFlat().decide(told(-0.002)) == 0.0


def test_proportional_remembers_what_it_observed_and_a_fresh_one_does_not():
    rule = Proportional(volatility_bps=50, span=9)
    assert rule.target(told(math.nan, math.nan)) is None
    assert rule.target(told(0.001, math.exp(0.01))) == pytest.approx(0.005 / 0.1 * 0.001 / 1e-4)
    # σ² = 1e-4 + 0.2 · (4e-4 - 1e-4), z = f/σ, k² = 0.01 + 0.2 · (z² - 0.01)
    variance = 1.6e-4
    strength = 0.01 + 0.2 * (4e-6 / variance - 0.01)
    expected = 0.005 / math.sqrt(strength) * 0.002 / variance
    assert rule.target(told(0.002, math.exp(-0.02))) == pytest.approx(expected)
    assert rule.fresh() == Proportional(volatility_bps=50, span=9) != rule
    assert rule.fresh().decide(told(0.002)) is None


def test_top_k_holds_the_best_and_waits_for_the_next_period():
    rule = TopK(k=2, rebalance="weekly")
    assert rule.decide(many([0.1, 0.3, 0.2, math.nan])).tolist() == [0, 0.5, 0.5, 0]  # a Wednesday
    assert rule.decide(many([0.9, 0.3, 0.2, 0.1], DAY + datetime.timedelta(4))) is None  # its Sunday
    assert rule.decide(many([0.9, 0.3, 0.2, 0.1], DAY + datetime.timedelta(5))).tolist() == [0.5, 0.5, 0, 0]


@pytest.mark.parametrize(
    ("rebalance", "days"), [("bar", 366), ("daily", 366), ("weekly", 53), ("monthly", 12), ("quarterly", 4)]
)
def test_a_period_begins_at_its_first_close(rebalance, days):
    @dataclasses.dataclass
    class Every(CalendarRule):
        def decide(self, state):
            if not self.rebalances(state.date):
                return None
            self.mark(state.date)
            return np.ones(1)

    rule = Every(rebalance=rebalance)
    dates = pd.date_range("2020", periods=366)
    decided = [date for date in dates if rule.decide(many([0.0], date.to_pydatetime())) is not None]
    period = {"weekly": "W", "monthly": "M", "quarterly": "Q"}.get(rebalance, "D")
    assert decided == list(pd.Series(dates, dates).groupby(dates.to_period(period)).first())
    assert len(decided) == days


def test_equal_weights_are_of_the_names_with_a_forecast_and_are_decided_once():
    rule = EqualWeight()
    assert rule.decide(many([math.nan, math.nan])) is None
    assert rule.decide(many([0.1, math.nan])).tolist() == [1, 0]
    assert rule.decide(many([0.1, math.nan])) is None
    assert rule.decide(many([0.1, -0.1])).tolist() == [0.5, 0.5]


def test_each_copy_of_a_rule_for_one_name_is_told_its_own_share():
    @dataclasses.dataclass
    class Half(NameRule):
        def decide(self, state):
            assert state.equity == pytest.approx((1000 + 3 * 100) / 2)
            return 0.5 if state.units == 0 else None

    rule = PerName(rule=Half(tolerance=0.2))
    assert rule.decide(many([0.1, 0.2, math.nan], units=[0.0, 3.0, 0.0])).tolist() == [0.25, 0, 0]
    assert rule.tolerances() == 0.1


def test_a_state_says_what_the_account_is_worth():
    state = many([0.1, 0.2], units=[-2.0, 5.0])
    assert state.equity == 1300
    assert state.weights == pytest.approx([-200 / 1300, 500 / 1300])
    assert told(0.0, units=-2.0).weight == -0.2


def test_a_rule_can_be_handed_over_made_and_is_not_changed_by_a_run():
    bars = load_bars("SPY", "2015", "2016")
    rule = Proportional(span=20)
    made, named = (rollcast.run(bars, EMA(20), *words) for words in ((rule,), (Proportional, {"span": 20})))
    assert made.equity.equals(named.equity)
    assert made.recipe["strategy"] == named.recipe["strategy"]
    assert rule.variance is None
    panel = load_panel("AAPL,IBM", "2012")
    table = pd.DataFrame({name: EMA(9).predict(one) for name, one in panel.bars.items()})
    equity = [simulate_panel(panel, table, *words).history["equity"] for words in ((TopK(k=1),), (TopK, {"k": 1}))]
    assert equity[0].equals(equity[1])


def test_the_first_parameter_of_a_rule_is_its_own():
    @dataclasses.dataclass
    class Scaled(NameRule):
        factor: float = 1.0

        def decide(self, state):
            return self.factor

    assert (Scaled(0.5).factor, Scaled(0.5).tolerance, Scaled(0.5, tolerance=0.2).tolerance) == (0.5, 0.1, 0.2)


def test_the_name_of_a_strategy_is_no_strategy_and_the_error_says_how_to_find_it():
    with pytest.raises(TypeError, match=r"got 'long_flat'; rollcast\.STRATEGIES\.find\(name\)"):
        rollcast.run(load_bars("SPY", "2015", "2016"), EMA(20), "long_flat")


def test_a_strategy_written_for_backtrader_goes_on_as_it_was(tmp_path):
    (tmp_path / "old.py").write_text(
        "from rollcast.strategies.base import ForecastStrategy\n"
        "class Old(ForecastStrategy):\n"
        "    params = (('band_bps', 1.0),)\n"
        "    limits = {**ForecastStrategy.limits, 'band_bps': (0.0, 100.0)}\n"
        "    def __init__(self):\n        super().__init__()\n        self.last = 0.0\n"
        "    def decide(self, forecast):\n"
        "        assert self.position.size >= 0 and self.broker.getcash() >= 0 and self.data.close[0] > 0\n"
        "        band = self.p.band_bps / 1e4\n"
        "        self.last = 1.0 if forecast > band else 0.0 if forecast < -band else self.last\n"
        "        return self.last\n"
    )
    old = STRATEGIES.find(str(tmp_path / "old.py"))
    assert issubclass(old, ForecastStrategy)
    bars = load_bars("SPY", "2015", "2016")
    forecast = EMA(10).predict(bars)
    one, other = (simulate(bars, forecast, strategy).history for strategy in (old, LongFlat))
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    with pytest.raises(ValueError, match="band_bps must be at least 0 and at most 100; got 200"):
        rollcast.run(bars, EMA(10), old, {"band_bps": 200.0})


def test_a_ruin_says_when_and_what_is_left():
    bars = pd.DataFrame(100.0, pd.date_range("2020", periods=4), ["open", "high", "low", "close"]).assign(volume=0.0)
    bars.iloc[2:, :4] = 250.0
    with pytest.raises(Ruined) as ruined:
        simulate(bars, pd.Series(-1.0, bars.index), LongShort, {}, Account(1000, 0, 0, 0))
    # 9 short at 100: 1,900 in cash, of which 9 · 250 is owed.
    assert (ruined.value.date, ruined.value.equity) == (datetime.datetime(2020, 1, 3), -350)
    assert str(ruined.value) == "the account was wiped out on 2020-01-03: equity -350.00. Trade smaller"


@pytest.mark.parametrize("symbol", ["SPY", "AAPL.1h"])
def test_the_date_of_a_number_is_that_of_the_bar(symbol):
    index = load_bars(symbol).index[-2000:]
    assert [date_of(number) for number in date_numbers(index)] == index.to_pydatetime().tolist()


def test_rules_need_no_backtrader():
    names = ("rule", "sizing", "long_flat", "long_short", "proportional", "buy_and_hold")
    many_names = ("equal_weight", "min_variance_tilt", "per_name", "top_k", "trader")
    modules = [f"rollcast.strategies.{n}" for n in names] + [f"rollcast.strategies.portfolio.{n}" for n in many_names]
    code = f"import sys, {', '.join(modules)}; assert 'backtrader' not in sys.modules"
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
