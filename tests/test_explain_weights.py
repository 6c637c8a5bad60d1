"""Weights on past returns and the states of a Kalman filter, against closed forms and generalised least squares."""

import numpy as np
import pytest

from rollcast.backtests.explain.kalman import filtered
from rollcast.backtests.explain.weights import weights_on_returns
from rollcast.predictors.bars import log_returns
from rollcast.predictors.ema import EMA
from rollcast.predictors.kalman import LocalLevel, LocalLinearTrend
from rollcast.predictors.naive import Naive
from rollcast.predictors.ols import OLS
from rollcast.predictors.sma import SMA
from rollcast.predictors.state_space import local_trend

N = 20


@pytest.fixture(scope="module")
def bars(spy):
    return spy.iloc[-120:]


@pytest.mark.parametrize("model", [SMA(N), EMA(N), OLS(N), LocalLevel(), LocalLinearTrend(), Naive()], ids=str)
def test_the_weights_of_a_linear_predictor_reproduce_its_forecast(model, bars):
    found = weights_on_returns(model, bars)
    assert found.reproduces
    assert found.sum == pytest.approx(float(model.predict(bars).iloc[-1]), abs=1e-12)


def closed_form(name: str, count: int) -> np.ndarray:
    """The weights of the literature, by lag."""
    j = np.arange(1, count + 1)
    within, alpha = j < N, 2 / (N + 1)
    return {
        "sma": np.where(within, 2 * (N - j) / (N * (N - 1)), 0),
        "ema": alpha * (1 - alpha) ** (j - 1),
        "ols": np.where(within, 6 * j * (N - j) / (N * (N**2 - 1)), 0),
    }[name]


@pytest.mark.parametrize(("name", "model"), [("sma", SMA(N)), ("ema", EMA(N)), ("ols", OLS(N))])
def test_the_weights_are_those_of_the_literature(name, model, bars):
    np.testing.assert_allclose(weights_on_returns(model, bars).weights, closed_form(name, 119), atol=1e-14)


def test_weights_do_not_reproduce_what_is_not_linear(bars):
    class Squared(SMA):
        def predict(self, bars):
            return super().predict(bars) ** 2

    assert not weights_on_returns(Squared(N), bars).reproduces


def test_mean_and_gain_of_the_level_filter_are_those_of_generalised_least_squares(bars):
    q, returns = 0.05, log_returns(bars).to_numpy()[1:]
    states = filtered("level", bars, q)
    for t in (1, 2, 30, 119):
        # r_s = μ_t - Σ η over (s, t] + ε_s, so that cov = I + q·(t - max) of the steps two returns share
        age = np.arange(t)[::-1]
        inverse = np.linalg.inv(np.eye(t) + q * np.minimum.outer(age, age))
        precision = inverse.sum()
        assert states["forecast"].iloc[t] == pytest.approx(inverse.sum(axis=0) @ returns[:t] / precision, abs=1e-12)
        assert states["gain"].iloc[t] == pytest.approx(1 / precision, abs=1e-12)
    steady = (np.sqrt(q**2 + 4 * q) - q) / 2
    assert states["gain"].iloc[-1] == pytest.approx(steady, abs=1e-6)


def test_the_gain_of_the_trend_filter_is_what_the_last_return_adds_to_its_slope(bars):
    F = [F for _, F, _ in local_trend(log_returns(bars).iloc[1:].tolist(), 10.0, 0.1)][-1]
    weight = weights_on_returns(LocalLinearTrend(), bars).weights[0]
    assert filtered("trend", bars, 10.0, 0.1)["gain"].iloc[-1] - 1 / F == pytest.approx(weight, abs=1e-12)


def test_the_standard_deviations_at_a_bar_depend_on_no_later_bar(bars):
    whole, part = filtered("level", bars, 0.01), filtered("level", bars.iloc[:60], 0.01)
    assert whole.iloc[:60].equals(part)
