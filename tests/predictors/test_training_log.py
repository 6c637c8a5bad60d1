"""The training log records how learners were fitted, and changes no forecast."""

import numpy as np
import pandas as pd
import pytest

from rollcast import WalkForward, load, load_bars
from rollcast.predictors import training_log
from rollcast.predictors.base import Learner
from rollcast.predictors.recurrent.activations import gates_of
from rollcast.predictors.recurrent.states import block_means

BARS = load_bars("SPY").iloc[:700]
SMALL = {"lookback": 5, "hidden": 4, "epochs": 2, "seeds": 2}


def recorded(model: WalkForward) -> tuple[pd.Series, training_log.Training | None]:
    with training_log.recording() as log:
        forecast = model.predict(BARS)
    return forecast, log.training()


@pytest.mark.parametrize("name", ["ols-features", "kalman-mle", "lstm", "rnn", "stacked-lstm"])
def test_recording_changes_no_forecast(name):
    model = WalkForward(load(name, **(SMALL if name not in ("ols-features", "kalman-mle") else {})), 300, 50)
    forecast, training = recorded(model)
    pd.testing.assert_series_equal(forecast, model.predict(BARS))
    assert training is not None
    assert list(training.windows["date"].unique()) == [window.date for window in model.windows(BARS)]
    assert training.windows["loss"].between(0.5, 3.0).all()


def test_nothing_is_recorded_after_the_log_is_closed():
    _, training = recorded(WalkForward(load("ols-features"), 300, 100))
    assert training_log.current() is None
    assert len(training.windows) == 5


def test_a_predictor_that_is_never_fitted_leaves_no_record():
    with training_log.recording() as log:
        load("sma").predict(BARS)
    assert log.training() is None


def test_the_recorded_loss_is_one_less_r2_within_the_slice():
    model = WalkForward(load("ols-features"), 300, 500)
    _, training = recorded(model)
    (window,) = model.windows(BARS)
    bars = window.training
    forecast = load("ols-features").fit(bars).predict(bars)
    target = np.log(bars["close"]).diff().shift(-1)
    finite = forecast.notna() & target.notna()
    loss = ((target - forecast)[finite] ** 2).sum() / (target[finite] ** 2).sum()
    assert training.windows["loss"].item() == pytest.approx(loss, rel=1e-12)


def test_windows_estimated_together_record_what_the_reference_records():
    learner = load("kalman-mle")
    windows = WalkForward(learner, 300, 100).windows(BARS)
    with training_log.recording() as together:
        list(learner.forecast(windows))
    with training_log.recording() as reference:
        list(Learner.forecast(learner, windows))
    pd.testing.assert_frame_equal(together.training().windows, reference.training().windows, rtol=1e-9)


def test_the_spread_is_the_standard_deviation_over_nets():
    learner = load("gru", **SMALL)
    model = WalkForward(learner, 300, 50)
    _, training = recorded(model)
    windows = model.windows(BARS)
    spread = np.concatenate(
        [nets.spread for _, nets in sorted(learner.forecast_nets(windows), key=lambda item: item[0])]
    )
    np.testing.assert_array_equal(training.spread, spread)
    assert training.spread.index.equals(BARS.index[299:])


def test_a_single_net_has_no_spread():
    _, training = recorded(WalkForward(load("rnn", **SMALL | {"seeds": 1}), 300, 200))
    assert training.spread is None


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("lstm", ["forget", "input", "output", "cell", "hidden"]),
        ("stacked-lstm", ["forget", "input", "output", "cell", "hidden"]),
        ("bilstm", ["forget", "input", "output", "cell", "hidden"]),
        ("attention-lstm", ["forget", "input", "output", "cell", "hidden"]),
        ("gru", ["reset", "update", "hidden"]),
        ("rnn", ["hidden"]),
    ],
)
def test_states_of_many_nets_at_once_equal_those_of_each_fitted_net(name, columns):
    learner = load(name, **SMALL)
    model = WalkForward(learner, 300, 150)
    _, training = recorded(model)
    assert list(training.states) == columns
    for window in model.windows(BARS):
        fitted = load(name, **SMALL).fit(window.training)
        one_by_one = gates_of(fitted, window.model_bars)[[f"{column}_mean" for column in columns]].iloc[-window.block :]
        together = training.states.loc[one_by_one.index]
        np.testing.assert_allclose(together, one_by_one, atol=2e-6)


def test_states_do_not_depend_on_how_many_nets_pass_together(monkeypatch):
    learner = load("lstm", **SMALL)
    windows = WalkForward(learner, 300, 100).windows(BARS)[:4]
    _, jobs = learner.jobs(windows)
    weights = [np.random.default_rng(k).normal(size=learner.plan().parameters) for k in range(len(jobs))]
    whole = block_means(learner.plan(), jobs, weights)
    monkeypatch.setattr("rollcast.predictors.recurrent.states.NETS_PER_PASS", 3)
    for name, values in block_means(learner.plan(), jobs, weights).items():
        np.testing.assert_allclose(values, whole[name], atol=1e-6)
