"""The predictor keeps rollcast's contract, the strategy trades, and rollcast knows both by name."""

import pytest
from rollcast_plugin_demo.hysteresis import Hysteresis
from rollcast_plugin_demo.reversal import Reversal

from rollcast import STRATEGIES, load, load_bars, run, yield_checks


@pytest.mark.parametrize("check", list(yield_checks(Reversal())), ids=str)
def test_conformance(check):
    check()


def test_both_are_known_by_name():
    assert load("reversal", window=3) == Reversal(window=3)
    assert STRATEGIES.find("hysteresis") is Hysteresis


def test_the_strategy_trades_and_none_of_its_orders_is_refused():
    result = run(load_bars("SPY", "2018"), load("reversal"), Hysteresis)
    assert result.metrics["strategy"]["orders"] > 10
    assert result.metrics["strategy"]["rejected"] == 0


def test_a_band_the_wrong_way_round_is_refused():
    with pytest.raises(ValueError, match="leave_bps must not be above enter_bps"):
        run(load_bars("SPY", "2018"), load("reversal"), Hysteresis, {"enter_bps": 0.0, "leave_bps": 1.0})
