"""The gate finds leaks that show on a few bars only, on the first call, or in the sign alone."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from benchmarks.planted import Planted
from rollcast import Predictor, load
from rollcast.backtests.gate.gate import examine, nearest_names
from rollcast.backtests.gate.verdict import Unrepeatable
from rollcast.predictors.bars import log_returns, random_walk
from rollcast.predictors.checks.suite import yield_checks
from tests.zoo import rare_leaks


@pytest.fixture(scope="module")
def bars(spy):
    """SPY, with no trade on one bar in fifty."""
    idle = np.arange(len(spy)) % 50 == 25
    spy = spy.copy()
    spy.loc[idle, ["open", "high", "low", "close"]] = np.repeat(spy["close"].shift(1).to_numpy()[idle, None], 4, axis=1)
    spy.loc[idle, "volume"] = 0.0
    return spy


@pytest.mark.parametrize("cls", rare_leaks.RARE, ids=lambda cls: cls.__name__)
def test_a_rare_leak_is_found(cls, bars):
    rare_leaks.CALLS.clear()
    predictor = cls()
    leak = examine(predictor, bars, predictor.predict(bars)).leak
    assert leak is not None
    assert isinstance(leak, Unrepeatable) == (cls is rare_leaks.FirstCallOnly)


@pytest.mark.parametrize("name", ["sma", "ols", "ema", "kalman", "kalman-trend", "naive"])
@pytest.mark.parametrize("seed", range(3))
def test_no_linear_predictor_is_accused(name, seed, bars):
    market = random_walk(1500, seed) if seed else bars
    predictor = load(name)
    verdict = examine(predictor, market, predictor.predict(market))
    assert verdict.leak is None
    assert verdict.bars > 100


@dataclass(frozen=True)
class OneDay(Predictor):
    """The forecast of another predictor and, on one day in sixteen years, tomorrow's return where that is positive."""

    base: str = "ema"

    def predict(self, bars):
        tomorrow = log_returns(bars).shift(-1).fillna(0.0).clip(lower=0.0)
        return load(self.base).predict(bars).where(bars.index != "2010-03-17", tomorrow)


@pytest.mark.parametrize("base", ["sma", "ema", "kalman"])
def test_a_leak_on_one_day_is_found_whatever_the_memory(base, spy):
    predictor = OneDay(base)
    honest = load(base)
    assert "2010-03-17 looked 1 bar ahead" in str(examine(predictor, spy, predictor.predict(spy)).leak)
    verdict = examine(honest, spy, honest.predict(spy))
    assert "probed at every bar" in str(verdict)
    assert verdict.hidden <= 1.01e-3


@dataclass(frozen=True)
class SignOfTheSmallest(Predictor):
    """A forecast that is next to nothing where it is below 3e-6, with the sign of the next return."""

    base: str = "ema"

    def predict(self, bars):
        forecast, tomorrow = load(self.base).predict(bars), log_returns(bars).shift(-1).fillna(0.0)
        return forecast.where(forecast.abs() >= 3e-6, 0.01 * forecast.abs() * np.sign(tomorrow))


@pytest.mark.parametrize("base", ["sma", "ema", "kalman"])
def test_a_leak_in_the_signs_of_the_smallest_forecasts_is_found(base, spy):
    predictor = SignOfTheSmallest(base)
    forecast = predictor.predict(spy)
    assert 0 < (forecast - load(base).predict(spy)).abs().gt(0).sum() < 20  # bars of 7,191
    assert "looked 1 bar ahead" in str(examine(predictor, spy, forecast).leak)


@dataclass(frozen=True)
class Overtakes(Predictor):
    """An average that a nudge lifts past its neighbour on one day, where the next return is positive."""

    nudge: float = 2e-8

    def predict(self, bars):
        up = log_returns(bars).shift(-1).fillna(0.0) > 0
        return load("ema").predict(bars) + self.nudge * (up & (bars.index == "2010-03-17"))


def test_a_leak_that_only_reorders_names_whose_forecasts_are_nearly_equal_is_found(spy):
    forecast = Overtakes().predict(spy)
    neighbour = load("ema").predict(spy) + np.where(spy.index == "2010-03-17", 1e-8, 0.01)
    nearest = nearest_names({"SPY": forecast, "neighbour": neighbour})["SPY"]
    assert examine(Overtakes(), spy, forecast).leak is None
    assert "2010-03-17 looked 1 bar ahead" in str(examine(Overtakes(), spy, forecast, nearest).leak)
    assert examine(load("ema"), spy, load("ema").predict(spy), nearest).leak is None


def test_the_nearest_name_is_the_one_with_the_next_forecast_on_that_date():
    days = pd.bdate_range("2020-01-01", periods=3)
    series = {
        "a": pd.Series([1.0, 2.0, np.nan], days),
        "b": pd.Series([1.5, 2.0, 3.0], days),
        "c": pd.Series([4.0, 5.0], days[1:]),
    }
    expected = {"a": [0.5, np.nan, np.nan], "b": [0.5, 2.0, 2.0], "c": [2.0, 2.0]}
    for name, distances in nearest_names(series).items():
        known = np.isfinite(expected[name])
        np.testing.assert_allclose(distances[known], np.array(expected[name])[known])


@pytest.mark.parametrize("place", ["calm times", "one bar in 97", "one month", "late"])
def test_check_finds_a_leak_in_few_bars_and_says_how_to_see_it(place):
    (check,) = (c for c in yield_checks(Planted("next return", place, 0.01)) if c.name == "changed_future")
    outcome = check.outcome()
    assert "looked 1 bar ahead" in outcome.finding
    assert "calm_and_wild_market(" in outcome.script("model")
