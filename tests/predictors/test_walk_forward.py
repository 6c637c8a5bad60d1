"""Walk-forward: what a fit sees, what it forecasts, and that neither moves."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast import Learner, WalkForward
from rollcast.predictors.bars import random_walk
from rollcast.predictors.features import FEATURES, Scale, features
from rollcast.predictors.naive import Naive
from rollcast.predictors.ols import OLSFeatures


@dataclass
class LastVolume(Learner):
    """Forecasts the volume of the last bar it was fitted on; where volume numbers the bars, that tells the fit."""

    def fit(self, bars):
        self.length_ = len(bars)
        self.last_ = float(bars["volume"].iloc[-1])
        return self

    def predict(self, bars):
        return pd.Series(self.last_, index=bars.index)


def numbered(n: int) -> pd.DataFrame:
    return random_walk(n).assign(volume=np.arange(n, dtype=float))


def test_each_block_is_forecast_by_the_fit_that_ends_where_it_begins():
    forecast = WalkForward(LastVolume(), train=10, every=4).predict(numbered(20))
    assert forecast.isna().sum() == 9
    assert forecast.dropna().tolist() == [9.0] * 4 + [13.0] * 4 + [17.0] * 3


@settings(deadline=None)
@given(n=st.integers(10, 80), train=st.integers(2, 10), every=st.integers(1, 12), extra=st.integers(1, 30))
def test_appending_bars_moves_no_earlier_refit(n, train, every, extra):
    learner = WalkForward(LastVolume(), train=train, every=every)
    now, later = learner.predict(numbered(n)), learner.predict(numbered(n + extra))
    pd.testing.assert_series_equal(later.iloc[:n], now, check_freq=False)


@settings(deadline=None)
@given(n=st.integers(10, 80), train=st.integers(2, 10), every=st.integers(1, 12))
def test_windows_cover_every_bar_from_the_first_forecast_once(n, train, every):
    windows = WalkForward(LastVolume(), train=train, every=every).windows(numbered(n))
    covered = [t for w in windows for t in range(w.split - 1, w.stop)]
    assert covered == list(range(train - 1, n))
    assert all(len(w.training) == train and w.date == w.training.index[-1] for w in windows)


def test_the_learner_passed_in_stays_unfitted(spy):
    learner = OLSFeatures()
    WalkForward(learner, train=300).predict(spy.iloc[:400])
    assert vars(learner) == vars(OLSFeatures())


def test_a_refit_equals_a_fresh_fit(spy):
    first, second = spy.iloc[:300], spy.iloc[300:600]
    again = OLSFeatures().fit(first).fit(second).predict(second)
    pd.testing.assert_series_equal(again, OLSFeatures().fit(second).predict(second))


def test_progress_counts_the_refits(spy):
    calls = []
    WalkForward(OLSFeatures(), train=300, every=50).predict(spy.iloc[:500], lambda *at: calls.append(at))
    assert calls == [(k, 5) for k in range(6)]


def test_too_few_bars_says_how_many_are_needed(spy):
    with pytest.raises(ValueError, match=r"at least train=1000 bars before its first forecast; got 999"):
        WalkForward(OLSFeatures()).predict(spy.iloc[:999])


def test_a_predictor_needs_no_wrapping():
    with pytest.raises(TypeError, match="wraps a Learner; got Naive"):
        WalkForward(Naive())


def test_a_learner_that_forecasts_nan_is_stopped_with_its_date():
    @dataclass
    class Silent(LastVolume):
        def predict(self, bars):
            return pd.Series(np.nan, index=bars.index)

    with pytest.raises(ValueError, match=r"Silent\(\) fitted on 2000-01-14 forecast NaN"):
        WalkForward(Silent(), train=10).predict(numbered(30))


def test_regression_equals_lstsq_by_hand(spy):
    bars, lags = spy.iloc[:400], 3
    learner = OLSFeatures(lags=lags).fit(bars)
    rows = features(bars)
    x = (rows - np.nanmean(rows, axis=0)) / np.nanstd(rows, axis=0)
    y = np.log(bars["close"]).diff().to_numpy()
    samples = range(lags, len(bars) - 1)
    design = np.array([[1.0, *x[t - lags + 1 : t + 1].ravel()] for t in samples])
    by_hand = np.linalg.lstsq(design, y[[t + 1 for t in samples]], rcond=None)[0]
    np.testing.assert_allclose(learner.coefficients_, by_hand, rtol=0, atol=1e-12)
    last = np.array([1.0, *x[-lags:].ravel()])
    assert learner.predict(bars).iloc[-1] == pytest.approx(float(last @ by_hand), abs=1e-12)


def test_the_fit_never_sees_a_target_beyond_its_slice(spy):
    slice_, poisoned = spy.iloc[:400], spy.iloc[:401].copy()
    poisoned.iloc[-1, :4] *= 10
    np.testing.assert_array_equal(
        OLSFeatures().fit(slice_).coefficients_, OLSFeatures().fit(poisoned.iloc[:400]).coefficients_
    )


@pytest.mark.parametrize("name", FEATURES)
def test_no_feature_looks_past_its_bar(spy, name):
    whole = features(spy.iloc[:300], (name,))
    for cut in (2, 77, 299):
        np.testing.assert_array_equal(features(spy.iloc[:cut], (name,)), whole[:cut])


def test_features_are_finite_on_flat_prices_and_without_volume():
    flat = random_walk(50).assign(open=5.0, high=5.0, low=5.0, close=5.0, volume=0.0)
    rows = features(flat)
    assert np.isnan(rows[0]).all()
    assert (rows[1:] == 0).all()
    assert np.isfinite(Scale.of(rows).apply(rows)[1:]).all()


def test_features_ignore_currency_and_lot_size(spy):
    scaled = spy.mul([100, 100, 100, 100, 0.01])
    np.testing.assert_allclose(features(scaled), features(spy), rtol=0, atol=1e-12)


def test_unknown_features_are_refused():
    with pytest.raises(ValueError, match="features must be one or more of return, range, gap, volume"):
        replace(OLSFeatures(), features=("return", "colour"))
