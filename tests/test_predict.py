"""The forecast for the bar after the last one, and `cli.py predict`."""

import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

import cli
from rollcast import Request, WalkForward, load
from rollcast.backtests.evidence.skill import skill
from rollcast.backtests.gate.verdict import LookAheadError
from rollcast.backtests.next_bar import forecast_next, last_forecast
from rollcast.predictors import training_log
from rollcast.predictors.ols import OLSFeatures

ROOT = Path(__file__).parent.parent
LEAKY = """
from dataclasses import dataclass
import numpy as np
from rollcast import Predictor

@dataclass(frozen=True)
class Tomorrow(Predictor):
    def predict(self, bars):
        returns = np.log(bars["close"]).diff()
        return returns.shift(-1).ffill()
"""


def predict(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, ["predict", *arguments])


def test_the_forecast_and_its_skill_are_those_of_the_backtest():
    request = Request("ols-features", start="2012", end="2016", train=250, since="2014")
    made, result = forecast_next(request), request.run()
    assert made.date == result.bars.index[-1]
    assert made.close == result.bars["close"].iloc[-1]
    assert made.forecast == result.forecast.iloc[-1]
    assert made.price == pytest.approx(made.close * math.exp(made.forecast), rel=1e-15)
    assert made.history.first == result.recipe["evaluation"]["first"]
    assert made.history.skill == skill(result.forecast, result.bars["close"])
    assert made.history.skill["forecasts"] == len(result.forecast) - 1  # the last has no outcome yet
    assert str(made.history.verdict) == result.recipe["look_ahead"]["finding"]


@pytest.mark.parametrize(
    ("name", "parameters"), [("ols-features", {}), ("kalman-mle", {}), ("lstm", {"epochs": 3}), ("gru", {"epochs": 3})]
)
def test_the_quick_forecast_is_the_last_of_the_walk_forward_to_the_bit(name, parameters, spy):
    bars = spy.loc["2018":"2019"]
    model = WalkForward(load(name, **parameters), train=300)
    assert last_forecast(model, bars) == model.predict(bars).iloc[-1]


@settings(max_examples=20, deadline=None)
@given(length=st.integers(100, 400), every=st.integers(1, 60))
def test_the_quick_forecast_is_the_last_one_wherever_the_schedule_stands(length, every, spy):
    model, bars = WalkForward(OLSFeatures(), train=100, every=every), spy.iloc[1000 : 1000 + length]
    assert last_forecast(model, bars) == model.predict(bars).iloc[-1]


def test_the_quick_forecast_fits_one_window(spy):
    with training_log.recording() as page:
        made = forecast_next(Request("ols-features", train=250), spy.iloc[:2000], history=False)
    assert len(page.training().windows) == 1
    assert made.history is None


def test_a_predictor_that_is_still_warming_up_has_no_forecast(spy):
    with pytest.raises(ValueError, match="no forecast after 30 bars"):
        forecast_next(Request("sma"), spy.iloc[:30], history=False)


@pytest.mark.parametrize("strategy", ["long_flat", "long_short", "proportional", "buy_and_hold"])
def test_the_position_is_the_one_a_longer_backtest_takes_on_the_next_bar(strategy, spy):
    request, bars = Request("sma", strategy, params={"window": "20"}), spy.loc["2015":"2017"]
    held = request.run(bars).positions.iloc[:, 0]
    moved = 0
    for stop in range(100, 750, 50):
        position = forecast_next(request, bars.iloc[:stop]).history.position
        now, after = held.iloc[stop - 1 - 19], held.iloc[stop - 19]  # the first 19 bars warm up
        assert position.units == now
        # Sized at the last close instead of the next open, which is at most 2 % away here.
        assert position.next_units == pytest.approx(after, rel=0.03)
        moved += now != after
    assert moved or strategy == "buy_and_hold"


def test_the_weight_is_within_whole_units_and_costs_of_the_exposure(spy):
    request = Request("sma", strategy_params={"exposure": "0.5"})
    position = forecast_next(request, spy.iloc[:500]).history.position
    assert position.next_weight in (0.0, pytest.approx(0.5, abs=0.1))  # the tolerance of 0.1 lets it drift


def test_what_is_forecast_does_not_change_when_the_next_bar_is_known(spy):
    request = Request("ols-features", train=250)
    longer = request.predict(spy.iloc[:700]).series
    assert forecast_next(request, spy.iloc[:650]).forecast == pytest.approx(longer.iloc[649], rel=1e-12)


def test_a_predictor_that_looks_ahead_is_refused_unless_it_is_allowed(tmp_path):
    file = tmp_path / "tomorrow.py"
    file.write_text(LEAKY, encoding="utf-8")
    with pytest.raises(LookAheadError, match="looks ahead"):
        forecast_next(Request(str(file)))
    done = predict("SPY", "-P", str(file))
    assert done.exit_code == 1
    assert done.stderr.startswith("Error: the predictor looks ahead: ")
    marked = predict("SPY", "-P", str(file), "--allow-lookahead")
    assert marked.exit_code == 0
    assert marked.stderr.startswith("Look-ahead, SPY: ")


def test_the_command_prints_a_line_for_each_symbol_and_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = predict("SPY", "BTC-USD", "-P", "sma", "-p", "window=20")
    assert done.exit_code == 0, done.output
    titles, spy, btc, *gate = done.stdout.splitlines()
    assert titles.split()[:4] == ["symbol", "last", "bar", "close"]
    assert spy.startswith("SPY      2021-08-18")
    assert btc.startswith("BTC-USD  2026-08-12")
    assert all(len(line) <= len(titles) + 10 for line in (spy, btc))
    assert gate[0].startswith("Look-ahead, SPY")
    assert all("none found on these bars with these parameters, probed at every bar" in line for line in gate)
    assert list(tmp_path.iterdir()) == []


def test_the_json_is_what_the_python_api_returns():
    done = predict("AAPL.1h", "-P", "ema", "-S", "proportional", "--json")
    printed = json.loads(done.stdout)
    assert (printed["predictor"], printed["strategy"]) == ("ema", "proportional")
    assert printed["forecasts"] == [forecast_next(Request("ema", "proportional", "AAPL.1h")).as_dict()]
    assert -1 <= printed["forecasts"][0]["position"]["next_weight"] <= 1


def test_without_skill_the_command_prints_the_forecast_alone():
    whole, alone = (predict("SPY", "-P", "sma", *more) for more in ([], ["--no-skill"]))
    first, second = (done.stdout.splitlines()[1].split() for done in (whole, alone))
    assert len(second) == 6
    assert first[:6] == second


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["SPX", "-P", "sma"], "unknown symbol 'SPX'. Did you mean 'SPY'?"),
        (["SPY", "SPY", "-P", "sma"], "SPY is given twice"),
        (["SPY"], "name what forecasts: "),
        (["SPY", "-P", "sma", "-s", "dead_band_bps=-1"], "dead_band_bps must be at least 0"),
        (["SPY", "-P", "sma", "--train", "100"], "sma is never refitted"),
    ],
)
def test_a_mistake_is_one_plain_line(arguments, words):
    done = predict(*arguments)
    assert done.exit_code != 0
    assert words in done.stderr
    assert "Traceback" not in done.output
