"""The light account is the engine's, and the stress of a portfolio rests on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from backtests.engine import Account
from backtests.evidence.gather import with_evidence
from backtests.portfolio import Panel, PanelResult, load_panel, run_panel
from backtests.portfolio.engine import simulate_panel
from backtests.portfolio.light import Rows, trade_light
from backtests.portfolio.stress import GRID, later, stress_panel, turned
from backtests.sources import load_bars
from predictors import load
from strategies.long_short import LongShort
from strategies.portfolio.equal_weight import EqualWeight
from strategies.portfolio.min_variance_tilt import MinVarianceTilt
from strategies.portfolio.per_name import PerName
from strategies.portfolio.top_k import TopK
from strategies.proportional import Proportional

ACCOUNTS = {
    "free": Account(commission_bps=0, slippage_bps=0, borrow_bps=0),
    "dear": Account(1e6, commission_bps=50, slippage_bps=30, borrow_bps=800, interest_bps=500),
    "fractional": Account(
        12_345.67, commission_bps=10, slippage_bps=5, borrow_bps=200, interest_bps=300, fractional=True
    ),
}
RULES: list[tuple[Any, dict[str, Any]]] = [
    (TopK, {"k": 1, "short": True, "weighting": "inverse_volatility", "turnover_cap": 0.5}),
    (MinVarianceTilt, {"cap": 0.6, "span": 60}),
    (EqualWeight, {}),
    (PerName, {"rule": LongShort, "parameters": {"tolerance": 0.1}}),
    (PerName, {"rule": Proportional, "parameters": {}}),
]


@pytest.fixture(scope="module")
def mixed() -> tuple[Panel, pd.DataFrame]:
    """Weekdays, every day, and no Fridays; one comes late, and one ends early."""
    ko = load_bars("KO.sp20", "2014-08", "2015-12")
    bars = {
        "SPY": load_bars("SPY", "2014-10", "2016-02"),
        "BTC-USD": load_bars("BTC-USD", "2014-11", "2015-09"),
        "KO.sp20": ko[ko.index.day_of_week != 4],
    }
    panel, ema = Panel("mixed", bars), load("ema", span=20)
    return panel, pd.DataFrame({s: ema.predict(one) for s, one in bars.items()}, index=panel.calendar)


@pytest.mark.parametrize("account", ACCOUNTS.values(), ids=ACCOUNTS)
@pytest.mark.parametrize(("rule", "parameters"), RULES, ids=lambda x: getattr(x, "__name__", ""))
def test_the_light_account_is_backtraders_on_three_calendars(mixed, rule, parameters, account):
    panel, table = mixed
    light = trade_light(Rows.of(panel), table.to_numpy(float), rule, parameters, account)
    found = simulate_panel(panel, table, rule, parameters, account)
    np.testing.assert_allclose(light.equity, found.history["equity"], rtol=1e-12)
    np.testing.assert_allclose(light.cash, found.history["cash"], rtol=1e-11, atol=1e-6)
    traded = found.orders["value"].abs().groupby(found.orders["date"]).sum().reindex(panel.calendar).fillna(0.0)
    np.testing.assert_allclose(light.traded, traded, rtol=1e-11, atol=1e-6)


def test_the_light_account_is_wiped_out_where_backtraders_is():
    rises = pd.Series(np.exp(0.05 * np.arange(60)), pd.bdate_range("2020-01-01", periods=60))
    up, flat = (
        pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), x)).assign(volume=1.0)
        for x in (rises, rises * 0 + 1)
    )
    panel = Panel("short squeeze", {"UP": up, "FLAT": flat})
    table = pd.DataFrame({"UP": -1.0, "FLAT": 1.0}, index=panel.calendar)
    rule: dict[str, Any] = {"k": 1, "short": True, "rebalance": "quarterly"}
    with pytest.raises(ValueError, match="wiped out on") as one:
        simulate_panel(panel, table, TopK, rule)
    with pytest.raises(ValueError, match="wiped out on") as two:
        trade_light(Rows.of(panel), table.to_numpy(float), TopK, rule, Account())
    assert str(one.value)[:45] == str(two.value)[:45]


def test_a_delay_counts_a_names_own_bars_and_a_turn_keeps_names_together():
    nan = np.nan
    values = np.array([[nan, 1], [10, nan], [20, 2], [30, 3], [40, 4.0]])
    np.testing.assert_array_equal(later(values, 1), [[nan, nan], [nan, nan], [10, 1], [20, 2], [30, 3]])
    np.testing.assert_array_equal(turned(values, 0.25), [[nan, 4], [40, nan], [10, 1], [20, 2], [30, 3]])


@pytest.fixture(scope="module")
def five() -> PanelResult:
    return run_panel(load_panel("us5", "2009"), load("ema", span=50), TopK, {"k": 2, "short": True})


def test_the_stress_of_a_portfolio_starts_from_its_own_scores(five):
    found = stress_panel(five, TopK, {"k": 2, "short": True}, Account())
    ours = five.metrics["strategy"]
    assert found["engine"] == "fast"
    for key in ("cagr", "sharpe", "total_return"):
        assert found["net"][key] == pytest.approx(ours[key], rel=1e-9)
        assert found["delay"][0][key] == found["net"][key]
    assert [row["bps"] for row in found["costs"]] == [bps for bps in GRID if bps <= 50]
    assert np.all(np.diff([row["total_return"] for row in found["costs"]]) < 0)
    assert found["gross"]["total_return"] > found["net"]["total_return"]
    assert found["random"]["draws"] == 19
    assert found["random"]["turnover_ratio"] == pytest.approx(1, abs=0.2)


def test_a_rule_that_asks_for_what_only_backtrader_has_is_stressed_in_backtrader():
    class Careful(TopK):
        """Looks at the account's history, which only backtrader keeps."""

        def decide(self):
            assert self.broker.startingcash
            return super().decide()

    panel = load_panel("AAPL,IBM", "2012-06", "2013")
    result = run_panel(panel, load("ema", span=50), Careful, {"k": 1})
    same = run_panel(panel, load("ema", span=50), TopK, {"k": 1})
    slow, fast = (with_evidence(one, rule, {"k": 1}).metrics for one, rule in ((result, Careful), (same, TopK)))
    assert slow["stress"]["engine"] == "backtrader"
    for key in ("gross", "delay", "costs"):
        one, two = (pd.json_normalize(metrics["stress"][key]) for metrics in (slow, fast))
        pd.testing.assert_frame_equal(one, two, rtol=1e-9)
