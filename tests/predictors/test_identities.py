"""The linear predictors are weightings of past returns: exact identities between them."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.predictors.bars import log_returns, random_walk
from rollcast.predictors.ema import EMA
from rollcast.predictors.naive import Naive
from rollcast.predictors.ols import OLS
from rollcast.predictors.sma import SMA

EXACT = {"rtol": 0, "atol": 1e-12}


def weighted(returns: pd.Series, weights: np.ndarray) -> np.ndarray:
    """Σ weights[j] · r[t-j], the readable way."""
    return sum(w * returns.shift(j).to_numpy() for j, w in enumerate(weights))


@pytest.mark.parametrize("n", [2, 3, 20, 200])
def test_sma_is_a_triangle_over_the_last_returns(spy, n):
    j = np.arange(n - 1)
    triangle = 2 / (n - 1) * (n - 1 - j) / n
    np.testing.assert_allclose(SMA(n).predict(spy), weighted(log_returns(spy), triangle), **EXACT)


@pytest.mark.parametrize("n", [5, 50])
def test_sma_keeps_the_sign_of_price_above_its_average(spy, n):
    log_price = np.log(spy["close"])
    above = np.sign(log_price - log_price.rolling(n).mean())
    assert (np.sign(SMA(n).predict(spy)).dropna() == above.dropna()).all()


@pytest.mark.parametrize("span", [1.5, 20, 200])
def test_ema_of_the_price_gap_is_the_ema_of_returns(spy, span):
    returns = log_returns(spy).fillna(0.0)  # an average seeded with the first price starts from a return of zero
    expected = returns.ewm(span=span, adjust=False).mean()
    forecast = EMA(span).predict(spy)
    np.testing.assert_allclose(forecast[forecast.notna()], expected[forecast.notna()], **EXACT)


@pytest.mark.parametrize("n", [2, 3, 20, 200])
def test_ols_is_a_parabola_over_the_last_returns(spy, n):
    j = np.arange(1, n)
    parabola = 6 * j * (n - j) / (n * (n**2 - 1))
    np.testing.assert_allclose(OLS(n).predict(spy), weighted(log_returns(spy), parabola), **EXACT)


@pytest.mark.parametrize("n", [3, 20, 200])
def test_ols_is_the_least_squares_slope_on_time(spy, n):
    from statsmodels.regression.rolling import RollingOLS

    log_price = np.log(spy["close"].iloc[-600:])
    time = np.column_stack([np.ones(600), np.arange(600.0)])
    slope = RollingOLS(log_price.to_numpy(), time, window=n).fit().params[:, 1]
    np.testing.assert_allclose(OLS(n).predict(spy.iloc[-600:]), slope, rtol=0, atol=1e-9)
    last = np.linalg.lstsq(time[-n:], log_price.iloc[-n:], rcond=None)[0][1]
    assert OLS(n).predict(spy).iloc[-1] == pytest.approx(last, abs=1e-12)


def test_naive_forecasts_zero(spy):
    assert (Naive().predict(spy) == 0.0).all()


@settings(max_examples=60, deadline=None)
@given(
    predictor=st.one_of(
        st.builds(SMA, st.integers(2, 60)), st.builds(EMA, st.floats(1.01, 60)), st.builds(OLS, st.integers(2, 60))
    ),
    seed=st.integers(0, 10_000),
    cut=st.integers(1, 120),
    scale=st.floats(1e-3, 1e4),
)
def test_a_linear_forecast_ignores_the_future_and_the_currency(predictor, seed, cut, scale):
    bars = random_walk(121, seed)
    whole = predictor.predict(bars)
    np.testing.assert_allclose(predictor.predict(bars.iloc[:cut]), whole.iloc[:cut], **EXACT)
    in_cents = bars.assign(close=bars["close"] * scale)
    np.testing.assert_allclose(predictor.predict(in_cents), whole, **EXACT)


@pytest.mark.parametrize("predictor", [SMA(10), EMA(10), OLS(10)])
def test_a_steady_trend_is_forecast_exactly(predictor):
    bars = random_walk(400).assign(close=100 * np.exp(0.001 * np.arange(400)))
    assert predictor.predict(bars).iloc[-1] == pytest.approx(0.001, abs=1e-12)


@pytest.mark.parametrize("predictor", [SMA(10), EMA(10), OLS(10)])
def test_warm_up_is_leading_nan_and_nothing_after(predictor, spy):
    known = predictor.predict(spy).notna()
    assert known.idxmax() == spy.index[9]
    assert known.iloc[9:].all()


@pytest.mark.parametrize("build", [lambda: SMA(1), lambda: EMA(1.0), lambda: OLS(0), lambda: EMA(float("nan"))])
def test_a_parameter_out_of_range_is_refused(build):
    with pytest.raises(ValueError, match="must be"):
        build()


def test_a_parameter_of_the_wrong_type_is_refused():
    with pytest.raises(TypeError, match=r"window must be a whole number; got 2\.5"):
        SMA(2.5)
