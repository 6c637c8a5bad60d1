"""Attribution: integrated gradients add up; shuffling a part of the bars moves what reads it, from the past alone."""

import numpy as np
import pandas as pd
import pytest

from rollcast.backtests.explain.linear_sections import coefficients
from rollcast.backtests.explain.permutation import PARTS, importance, shuffle
from rollcast.predictors.bars import check_bars, random_walk
from rollcast.predictors.features import Scale, features
from rollcast.predictors.ols import OLSFeatures
from rollcast.predictors.recurrent.activations import unit_of
from rollcast.predictors.recurrent.integrated_gradients import integrated_gradients
from rollcast.predictors.recurrent.learners import GRU, LSTM, RNN, AttentionLSTM, BiLSTM, StackedLSTM
from rollcast.predictors.walk_forward import WalkForward

BARS = random_walk(160)
SMALL = {"lookback": 6, "hidden": 4, "seeds": 2, "epochs": 3}


@pytest.mark.parametrize("kind", [RNN, GRU, LSTM, StackedLSTM, BiLSTM, AttentionLSTM])
def test_integrated_gradients_add_up_to_the_forecast_less_that_of_average_bars(kind):
    learner = kind(**SMALL).fit(BARS)
    found = integrated_gradients(learner, BARS)
    assert found.inputs.to_numpy().sum() == pytest.approx(found.forecast - found.baseline, abs=1e-12)
    assert found.forecast == pytest.approx(float(learner.predict(BARS).iloc[-1]), abs=1e-7)  # the kernel is in float32


def test_integrated_gradients_give_nothing_to_an_input_at_its_average():
    learner = LSTM(**SMALL).fit(BARS)
    scale = Scale.of(features(BARS, learner.features))
    at = learner.features.index("volume")
    flat = BARS.copy()
    flat["volume"] = 1e6 * np.exp(scale.mean[at] * np.arange(len(BARS)))  # its log changes by its mean at every bar
    shares = integrated_gradients(learner, flat).inputs
    assert shares["volume"].abs().max() < 1e-12 < shares["return"].abs().max()


def test_the_values_of_a_unit_obey_the_equations_of_the_cell():
    values, unit = unit_of(LSTM(**SMALL).fit(BARS), BARS)
    assert 0 <= unit < 4
    np.testing.assert_allclose(values["c"], values["f"] * values["c_before"] + values["i"] * values["candidate"])
    np.testing.assert_allclose(values["h"], values["o"] * np.tanh(values["c"]))
    np.testing.assert_array_equal(values["c_before"], np.r_[0, values["c"].iloc[:-1]])
    with pytest.raises(TypeError, match="GRU has no cell state"):
        unit_of(GRU(**SMALL).fit(BARS), BARS)


@pytest.mark.parametrize("part", PARTS)
def test_a_shuffled_part_changes_and_the_others_stay(part):
    (window,) = WalkForward(OLSFeatures(), train=120, every=41).windows(BARS)
    shuffled = shuffle(window, part, np.random.default_rng(1))
    check_bars(shuffled)
    real, changed = (features(bars, ("return", "gap", "volume"))[1:] for bars in (window.model_bars, shuffled))
    same = np.isclose(real, changed, atol=1e-12).all(axis=0)
    assert [bool(one) for one in same] == [part != name for name in ("return", "gap", "volume")]


@pytest.mark.parametrize("part", PARTS)
def test_what_stands_in_a_shuffled_bar_depends_on_no_later_bar(part):
    (window,) = WalkForward(OLSFeatures(), train=120, every=41).windows(BARS)
    later = BARS.copy()
    later.iloc[140:] *= 1.5
    (other,) = WalkForward(OLSFeatures(), train=120, every=41).windows(later)
    before, after = (shuffle(w, part, np.random.default_rng(1)).iloc[:140] for w in (window, other))
    pd.testing.assert_frame_equal(before, after, rtol=1e-12)


def test_shuffling_moves_only_the_forecasts_that_read_the_part():
    table = importance(WalkForward(OLSFeatures(lags=2, features=("volume",)), train=100, every=21), BARS)
    moved = table["moved"]
    assert moved["volume"] > 0.1
    assert moved[["return", "gap", "range"]].max() < 1e-12
    assert (table["r2"][["return", "gap", "range"]].abs() < 1e-12).all()


def test_the_coefficients_of_the_last_refit_make_its_forecast():
    model = WalkForward(OLSFeatures(lags=3), train=150, every=21)
    table = coefficients(model, BARS)
    training = model.windows(BARS)[-1].training
    learner = OLSFeatures(lags=3).fit(training)
    rows = learner.scale_.apply(features(training, learner.features))
    parts = [table[n, lag].iloc[-1] * rows[-1 - lag, k] for lag in range(3) for k, n in enumerate(learner.features)]
    forecast = float(learner.predict(training).iloc[-1])
    assert learner.coefficients_[0] + sum(parts) == pytest.approx(forecast, abs=1e-12)
