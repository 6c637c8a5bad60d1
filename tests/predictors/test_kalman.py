"""Kalman filters: against statsmodels, against the textbook recursion, and against the reference implementation."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.predictors import kalman, state_space
from rollcast.predictors.bars import log_returns, random_walk
from rollcast.predictors.base import Learner
from rollcast.predictors.ema import EMA
from rollcast.predictors.kalman import KalmanMLE, LocalLevel, LocalLinearTrend
from rollcast.predictors.walk_forward import WalkForward, Window

if TYPE_CHECKING:
    from statsmodels.tsa.statespace.structural import UnobservedComponents

PRICES = Path(__file__).parents[2] / "backtests" / "prices"
MODELS = ["level", "trend"]
LEVEL = [LocalLevel(q) for q in (0, 1e-6, 0.01, 1, 1e4)]
TREND = [LocalLinearTrend(*ratios) for ratios in ((10, 0.1), (0, 0.001), (1e-4, 1e-8), (1e4, 0), (1, 100))]


def from_returns(returns) -> pd.DataFrame:
    """Bars whose closes have these log returns."""
    bars = random_walk(len(returns) + 1)
    close = 100 * np.exp(np.r_[0, np.cumsum(returns)])
    return bars.assign(open=close, high=close, low=close, close=close)


def market(name: str) -> pd.DataFrame:
    if name == "random":
        return random_walk(1500, seed=4)
    bars = pd.read_parquet(PRICES / "spy.parquet").set_index("date")
    factor = bars["adj_close"] / bars["close"]
    return bars[["open", "high", "low", "close"]].mul(factor, axis=0).assign(volume=bars["volume"])


SPY = market("spy")


def structural(model: str, bars: pd.DataFrame) -> UnobservedComponents:
    """statsmodels' model of the same data, in percent so that its optimiser is comfortable."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    log_price = 100 * np.log(bars["close"].to_numpy())
    if model == "level":
        return UnobservedComponents(np.diff(log_price), "llevel", use_exact_diffuse=True)
    return UnobservedComponents(log_price, "lltrend", use_exact_diffuse=True)


def concentrated(model: str, bars: pd.DataFrame, ratios) -> tuple[float, float]:
    """The most likely var(ε), in percent squared, and the log likelihood there."""
    recursion, diffuse = state_space.MODELS[model]
    v, F, _ = np.array(list(recursion(100 * log_returns(bars).to_numpy()[1:], *ratios)))[1:].T
    variance = np.mean(v**2 / F)
    constant = -0.5 * diffuse * math.log(2 * math.pi)
    return variance, constant - 0.5 * np.sum(np.log(2 * math.pi * variance * F) + v**2 / F / variance)


# The filters


@pytest.mark.parametrize("name", ["spy", "random"])
@pytest.mark.parametrize("predictor", LEVEL)
def test_local_level_is_the_filtered_mean_of_statsmodels(name, predictor):
    bars = market(name).iloc[-1500:]
    model = structural("level", bars)
    model.ssm.tolerance = 0
    expected = model.filter([1, predictor.q]).filtered_state[0] / 100
    np.testing.assert_allclose(predictor.predict(bars).iloc[1:], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["spy", "random"])
@pytest.mark.parametrize("predictor", TREND)
def test_local_linear_trend_is_the_filtered_trend_of_statsmodels(name, predictor):
    bars = market(name).iloc[-1500:]
    model = structural("trend", bars)
    model.ssm.tolerance = 0
    state = model.filter([1, predictor.q_level, predictor.q_slope]).filtered_state
    expected = (state.sum(axis=0) - model.endog[:, 0]) / 100
    np.testing.assert_allclose(predictor.predict(bars).iloc[1:], expected[1:], rtol=0, atol=1e-10)


def test_trend_recursion_is_the_textbook_filter_started_from_two_prices():
    q_level, q_slope = 3.0, 0.2
    log_price = np.log(random_walk(300)["close"].to_numpy())
    T, Z, Q = np.array([[1.0, 1], [0, 1]]), np.array([1.0, 0]), np.diag([q_level, q_slope])
    state = np.array([log_price[1], log_price[1] - log_price[0]])
    P = np.array([[1, 1], [1, 2 + q_level + q_slope]])
    expected = [math.nan, state.sum() - log_price[1]]
    for y in log_price[2:]:
        state, P = T @ state, T @ P @ T.T + Q
        gain = P @ Z / (Z @ P @ Z + 1)
        state, P = state + gain * (y - Z @ state), P - np.outer(gain, Z @ P)
        expected.append(state.sum() - y)
    forecast = LocalLinearTrend(q_level, q_slope).predict(random_walk(300))
    np.testing.assert_allclose(forecast, expected, rtol=0, atol=1e-13)


def test_the_diffuse_start_after_two_prices_is_that_of_statsmodels():
    filtered = structural("trend", random_walk(50)).filter([1, 3, 0.2])
    np.testing.assert_allclose(filtered.filtered_state_cov[:, :, 1], [[1, 1], [1, 5.2]], rtol=1e-12)


@pytest.mark.parametrize("predictor", [LocalLevel(), LocalLinearTrend()])
def test_a_diffuse_start_forecasts_the_first_return_after_the_first_return(predictor):
    bars = random_walk(50)
    forecast, returns = predictor.predict(bars), log_returns(bars)
    assert math.isnan(forecast.iloc[0])
    assert forecast.iloc[1] == returns.iloc[1]
    assert forecast.iloc[1:].notna().all()


def test_second_gain_of_the_local_level_weighs_two_uncertain_means():
    returns, q = [0.01, 0.03], 0.5
    assert LocalLevel(q).predict(from_returns(returns)).iloc[2] == pytest.approx(0.01 + 0.02 * (1 + q) / (2 + q))


@pytest.mark.parametrize("q", [0.01, 0.1, 2])
def test_local_level_tends_to_an_ema_with_alpha_the_steady_gain(q):
    alpha = (math.sqrt(q * q + 4 * q) - q) / 2
    bars = SPY.iloc[:1500]
    ema = EMA(span=2 / alpha - 1).predict(bars)
    np.testing.assert_allclose(LocalLevel(q).predict(bars).iloc[-700:], ema.iloc[-700:], rtol=0, atol=1e-13)


def test_steady_gain_of_one_hundredth_is_a_span_of_20():
    impulse = from_returns([0.0] * 500 + [1.0])
    gain = LocalLevel(0.01).predict(impulse).iloc[-1]
    assert gain == pytest.approx(0.0951, abs=5e-5)
    assert 2 / gain - 1 == pytest.approx(20, abs=0.03)


def test_a_level_that_never_moves_is_the_average_return_so_far():
    expected = log_returns(SPY).expanding().mean()
    pd.testing.assert_series_equal(LocalLevel(0).predict(SPY), expected, check_names=False, rtol=0, atol=1e-14)


def test_a_trend_that_never_moves_is_the_regression_line():
    bars = SPY.iloc[:3000]
    log_price = np.log(bars["close"].to_numpy())
    forecast = LocalLinearTrend(0, 0).predict(bars)
    for n in (2, 3, 10, 500, 3000):
        time = np.arange(n)
        slope = np.cov(time, log_price[:n])[0, 1] / np.var(time, ddof=1)
        line = log_price[:n].mean() + slope * (n - time.mean())
        assert forecast.iloc[n - 1] == pytest.approx(line - log_price[n - 1], abs=1e-11)


def test_a_trend_without_noise_is_a_local_level():
    forecast = LocalLinearTrend(q_level=1e9, q_slope=1e7).predict(SPY)
    np.testing.assert_allclose(forecast, LocalLevel(q=0.01).predict(SPY), rtol=0, atol=1e-9)


# The estimates


@pytest.mark.parametrize("model", MODELS)
def test_likelihood_is_the_diffuse_likelihood_of_statsmodels(model):
    bars, ratios = SPY.iloc[:500], {"level": (0.01,), "trend": (10, 0.1)}[model]
    variance, likelihood = concentrated(model, bars, ratios)
    assert likelihood == pytest.approx(structural(model, bars).loglike(variance * np.r_[1, ratios]), abs=1e-6)


@pytest.mark.parametrize("start", [0, 2300, 6591])
@pytest.mark.parametrize("model", MODELS)
def test_estimate_is_as_likely_as_that_of_statsmodels(model, start):
    from statsmodels.tools.sm_exceptions import ConvergenceWarning

    bars = SPY.iloc[start : start + 600]
    theirs = structural(model, bars)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        optimum = theirs.fit(disp=False, maxiter=500).llf
    ratios = KalmanMLE(model).fit(bars).ratios_
    variance, _ = concentrated(model, bars, ratios)
    assert theirs.loglike(variance * np.r_[1, ratios]) > optimum - 1e-3


@pytest.mark.parametrize("model", MODELS)
def test_no_ratio_on_a_dense_grid_is_more_likely(model):
    bars = SPY.iloc[2300:2550]
    recursion, count = state_space.MODELS[model]
    dense = np.meshgrid(*[10 ** np.arange(-12, 6.01, 0.02 if count == 1 else 0.2)] * count)
    v, F = zip(*[(v, F) for v, F, _ in recursion(100 * log_returns(bars).to_numpy()[1:], *dense)][1:], strict=True)
    variance = np.mean([a**2 / b for a, b in zip(v, F, strict=True)], axis=0)
    likelihood = -0.5 * (len(v) * (np.log(2 * np.pi * variance) + 1) + np.sum(np.log(F), axis=0))
    likelihood -= 0.5 * count * math.log(2 * math.pi)
    assert concentrated(model, bars, KalmanMLE(model).fit(bars).ratios_)[1] > likelihood.max() - 1e-3


def test_the_ratio_of_a_simulated_level_is_found():
    rng = np.random.default_rng(1)
    returns = 0.01 * (np.cumsum(rng.normal(0, math.sqrt(0.05), 4000)) + rng.normal(0, 1, 4000))
    (q,) = KalmanMLE().fit(from_returns(returns)).ratios_
    assert q == pytest.approx(0.05, rel=0.25)


def test_the_ratios_of_a_simulated_trend_are_found():
    rng = np.random.default_rng(2)
    slope = np.cumsum(rng.normal(0, math.sqrt(0.05), 3000))
    level = np.cumsum(np.r_[0, slope[:-1]] + rng.normal(0, math.sqrt(2), 3000))
    log_price = 0.001 * (level + rng.normal(0, 1, 3000))
    q_level, q_slope = KalmanMLE("trend").fit(from_returns(np.diff(log_price))).ratios_
    assert q_level == pytest.approx(2, rel=0.25)
    assert q_slope == pytest.approx(0.05, rel=0.4)


@pytest.mark.parametrize("model", MODELS)
def test_fit_writes_only_fitted_state_and_predict_is_the_filter_with_it(model):
    bars = random_walk(80)
    learner = KalmanMLE(model).fit(bars)
    assert {name for name in vars(learner) if not name.endswith("_")} == {"model"}
    wrapped = {"level": LocalLevel, "trend": LocalLinearTrend}[model](*learner.ratios_)
    pd.testing.assert_series_equal(learner.predict(bars), wrapped.predict(bars), check_exact=True)


# The batch


def windows_of_many_shapes() -> list[Window]:
    spy, random = SPY.iloc[4000:4160], random_walk(130, seed=7)
    equal = WalkForward(KalmanMLE(), train=60, every=15).windows(spy)
    others = WalkForward(KalmanMLE(), train=60, every=15).windows(random)
    return [*equal, Window(spy, 10, 50, 70), *others, Window(random, 0, 100, 100), Window(spy, 100, 140, 160)]


@pytest.mark.parametrize("model", MODELS)
def test_windows_together_equal_windows_one_by_one(model):
    windows = windows_of_many_shapes()
    together = dict(KalmanMLE(model).forecast(windows))
    alone = dict(Learner.forecast(KalmanMLE(model), windows))
    assert sorted(together) == sorted(alone) == list(range(len(windows)))
    for k in alone:
        pd.testing.assert_series_equal(together[k], alone[k], check_exact=True, check_freq=False)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("chunk", [1, 3])
def test_a_window_does_not_depend_on_its_chunk(model, chunk, monkeypatch):
    windows = windows_of_many_shapes()
    expected = dict(KalmanMLE(model).forecast(windows))
    monkeypatch.setattr(kalman, "CHUNK", chunk)
    for k, forecast in KalmanMLE(model).forecast(windows[::-1]):
        pd.testing.assert_series_equal(forecast, expected[len(windows) - 1 - k], check_exact=True)


@pytest.mark.parametrize("model", MODELS)
def test_walk_forward_forecasts_from_the_first_fit_to_the_last_bar(model):
    forecast = WalkForward(KalmanMLE(model), train=100, every=21).predict(SPY.iloc[:170])
    assert forecast.iloc[:99].isna().all()
    assert forecast.iloc[99:].notna().all()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("cut", [60, 61, 79, 80])
def test_walk_forward_never_sees_the_future(model, cut):
    bars, predictor = SPY.iloc[2000:2120], WalkForward(KalmanMLE(model), train=60, every=20)
    expected = predictor.predict(bars).iloc[:cut]
    pd.testing.assert_series_equal(predictor.predict(bars.iloc[:cut]), expected, check_exact=True)


# Robustness


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(1, 400), predictor=st.sampled_from([*LEVEL, *TREND]))
def test_no_filter_sees_the_future(cut, predictor):
    bars = SPY.iloc[:400]
    expected = predictor.predict(bars).iloc[:cut]
    pd.testing.assert_series_equal(predictor.predict(bars.iloc[:cut]), expected, check_exact=True)


@pytest.mark.parametrize(
    "predictor", [LocalLevel(), LocalLinearTrend(), *(WalkForward(KalmanMLE(m), 50, 10) for m in MODELS)]
)
def test_a_price_that_never_moves_is_forecast_to_stay(predictor):
    forecast = predictor.predict(from_returns(np.zeros(99)))
    assert (forecast.dropna() == 0).all()
    assert forecast.notna().sum() >= 50


@pytest.mark.parametrize("model", MODELS)
def test_a_price_of_constant_growth_is_forecast_to_grow_so(model):
    bars = from_returns(np.full(99, 0.001))
    np.testing.assert_allclose(KalmanMLE(model).fit(bars).predict(bars).iloc[1:], 0.001, rtol=0, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-6, 7.0, 1e8])
def test_the_currency_does_not_matter(scale):
    bars = SPY.iloc[:160]
    scaled = bars[["open", "high", "low", "close"]].mul(scale).assign(volume=bars["volume"])
    for predictor in (LocalLevel(), LocalLinearTrend()):
        np.testing.assert_allclose(predictor.predict(scaled), predictor.predict(bars), rtol=0, atol=1e-13)
    for model in MODELS:
        # The estimate comes off a grid, so where the likelihood is flat rounding may choose its neighbour.
        predictor = WalkForward(KalmanMLE(model), 100, 20)
        np.testing.assert_allclose(predictor.predict(scaled), predictor.predict(bars), rtol=0, atol=1e-7)


@pytest.mark.parametrize("ratio", [0, 5e-324, 1e-300, 1e-12, 1e6, 1e12])
def test_any_ratio_gives_forecasts_no_wilder_than_the_returns(ratio):
    bars = SPY.iloc[:2000]
    extreme = log_returns(bars).abs().max()
    assert LocalLevel(ratio).predict(bars).abs().max() <= extreme
    for predictor in (LocalLinearTrend(ratio, 0), LocalLinearTrend(0, ratio), LocalLinearTrend(ratio, ratio)):
        forecast = predictor.predict(bars).iloc[1:]
        assert np.isfinite(forecast).all()
        assert forecast.abs().max() < 10 * extreme


@pytest.mark.parametrize("predictor", [LocalLevel(), LocalLinearTrend()])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_warm_up_is_the_first_bar_alone(predictor, n):
    forecast = predictor.predict(random_walk(n))
    assert forecast.isna().tolist() == [True, False, False][:n]
    assert forecast.dtype == float


@pytest.mark.parametrize(("model", "least"), [("level", 4), ("trend", 5)])
def test_an_estimate_needs_more_innovations_than_variances(model, least):
    assert len(KalmanMLE(model).fit(random_walk(least)).ratios_) == least - 3
    with pytest.raises(ValueError, match=f"at least {least} training bars; got {least - 1}. Use a larger train"):
        KalmanMLE(model).fit(random_walk(least - 1))


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf, 1e13])
def test_ratios_are_checked(bad):
    with pytest.raises(ValueError, match="q must be at least 0"):
        LocalLevel(bad)
    with pytest.raises(ValueError, match="q_level must be at least 0"):
        LocalLinearTrend(q_level=bad)
    with pytest.raises(ValueError, match="q_slope must be at least 0"):
        LocalLinearTrend(q_slope=bad)


def test_wrong_types_and_names_are_refused():
    with pytest.raises(TypeError, match="q must be a number; got '1'"):
        LocalLevel("1")
    with pytest.raises(TypeError, match="q_slope must be a number; got None"):
        LocalLinearTrend(1, None)
    with pytest.raises(ValueError, match="model must be one of level, trend; got 'slope'"):
        KalmanMLE("slope")


def test_an_unfitted_learner_says_what_to_do():
    with pytest.raises(ValueError, match="call fit"):
        KalmanMLE().predict(random_walk(10))
