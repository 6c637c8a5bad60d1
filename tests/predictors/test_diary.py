"""A diary keeps what training says of itself, and changes nothing."""

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


def noted(model: WalkForward) -> tuple[pd.Series, training_log.Training | None]:
    with training_log.kept() as page:
        forecast = model.predict(BARS)
    return forecast, page.training()


@pytest.mark.parametrize("name", ["ols-features", "kalman-mle", "lstm", "rnn", "stacked-lstm"])
def test_keeping_a_diary_changes_no_forecast(name):
    model = WalkForward(load(name, **(SMALL if name not in ("ols-features", "kalman-mle") else {})), 300, 50)
    forecast, training = noted(model)
    pd.testing.assert_series_equal(forecast, model.predict(BARS))
    assert training is not None
    assert list(training.windows["date"].unique()) == [window.date for window in model.windows(BARS)]
    assert training.windows["loss"].between(0.5, 3.0).all()


def test_nothing_is_kept_after_the_diary_is_closed():
    _, training = noted(WalkForward(load("ols-features"), 300, 100))
    assert training_log.current() is None
    assert len(training.windows) == 5


def test_a_predictor_that_never_trains_leaves_no_training():
    with training_log.kept() as page:
        load("sma").predict(BARS)
    assert page.training() is None


def test_the_noted_loss_is_one_less_r2_within_the_slice():
    model = WalkForward(load("ols-features"), 300, 500)
    _, training = noted(model)
    (window,) = model.windows(BARS)
    seen = window.training
    fitted = load("ols-features").fit(seen).predict(seen)
    outcome = np.log(seen["close"]).diff().shift(-1)
    known = fitted.notna() & outcome.notna()
    loss = ((outcome - fitted)[known] ** 2).sum() / (outcome[known] ** 2).sum()
    assert training.windows["loss"].item() == pytest.approx(loss, rel=1e-12)


def test_windows_estimated_side_by_side_note_what_the_twin_notes():
    learner = load("kalman-mle")
    windows = WalkForward(learner, 300, 100).windows(BARS)
    with training_log.kept() as fast:
        list(learner.forecast(windows))
    with training_log.kept() as slow:
        list(Learner.forecast(learner, windows))
    pd.testing.assert_frame_equal(fast.training().windows, slow.training().windows, rtol=1e-9)


def test_the_spread_is_the_standard_deviation_over_nets():
    learner = load("gru", **SMALL)
    model = WalkForward(learner, 300, 50)
    _, training = noted(model)
    windows = model.windows(BARS)
    spread = np.concatenate([nets.spread for _, nets in sorted(learner.forecast_nets(windows), key=lambda one: one[0])])
    np.testing.assert_array_equal(training.spread, spread)
    assert training.spread.index.equals(BARS.index[299:])


def test_a_single_net_has_no_spread():
    _, training = noted(WalkForward(load("rnn", **SMALL | {"seeds": 1}), 300, 200))
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
    _, training = noted(model)
    assert list(training.states) == columns
    for window in model.windows(BARS):
        fitted = load(name, **SMALL).fit(window.training)
        one_by_one = gates_of(fitted, window.seen)[[f"{column}_mean" for column in columns]].iloc[-window.block :]
        together = training.states.loc[one_by_one.index]
        np.testing.assert_allclose(together, one_by_one, atol=2e-6)


def test_states_do_not_depend_on_how_many_nets_pass_together(monkeypatch):
    learner = load("lstm", **SMALL)
    windows = WalkForward(learner, 300, 100).windows(BARS)[:4]
    _, jobs = learner.jobs(windows)
    weights = [np.random.default_rng(k).normal(size=learner.plan().parameters) for k in range(len(jobs))]
    whole = block_means(learner.plan(), jobs, weights)
    monkeypatch.setattr("rollcast.predictors.recurrent.states.TOGETHER", 3)
    for name, values in block_means(learner.plan(), jobs, weights).items():
        np.testing.assert_allclose(values, whole[name], atol=1e-6)
