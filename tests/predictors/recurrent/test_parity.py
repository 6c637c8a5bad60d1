"""The kernel against the reference: gradients, short trainings, and every option of a plan."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rollcast.predictors.recurrent import kernel, reference
from rollcast.predictors.recurrent.learners import LSTM

PLANS = {
    "many-to-one": {"stride": 1},
    "sequence": {"stride": 8},
    "odd sizes": {"hidden": 5, "features": 3},
    "one feature": {"features": 1},
    "eight features": {"features": 8},
    "wide": {"hidden": 40},
    "one bar": {"lookback": 1, "stride": 1},
    "gru": {"cell": "gru"},
    "rnn": {"cell": "rnn"},
    "stacked": {"layers": 3},
    "stacked gru": {"layers": 2, "cell": "gru", "hidden": 5},
    "both directions": {"directions": 2, "stride": 1},
    "both directions, stacked": {"directions": 2, "layers": 2, "cell": "gru", "stride": 1},
    "attention": {"attention": True, "stride": 1},
    "attention over two layers of gru": {"attention": True, "stride": 1, "layers": 2, "cell": "gru", "hidden": 5},
    "huber": {"loss": "huber"},
    "gaussian": {"loss": "gaussian"},
}
TRAININGS = {
    "mini-batches": {"batch": 7, "stride": 1},
    "weight decay": {"weight_decay": 0.1},
    "dropout": {"dropout": 0.3, "layers": 2, "stride": 1, "batch": 32},
    "dropout, both directions": {"dropout": 0.3, "layers": 2, "directions": 2, "stride": 1},
    "dropout, attention": {"dropout": 0.3, "attention": True, "stride": 1},
    "validation": {"validation": 0.2, "patience": 2, "stride": 1},
    "a clip that bites": {"clip": 0.01},
}


@pytest.mark.parametrize("changes", PLANS.values(), ids=PLANS)
def test_the_gradient_equals_torchs_in_double_precision(changed, build, changes):
    plan, jobs = changed(**changes)
    for job in jobs:
        loss, gradient = kernel.gradient(plan, job, build)
        training = reference.Training(plan, job, dtype=torch.float64)
        expected_loss = training.loss(training.samples.training)
        expected_loss.backward()
        expected = torch.cat([p.grad.flatten() for p in training.net.parameters()]).numpy()
        assert loss == pytest.approx(expected_loss.item(), rel=1e-5)
        assert np.linalg.norm(gradient - expected) <= 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize("changes", [*PLANS.values(), *TRAININGS.values()], ids=[*PLANS, *TRAININGS])
def test_a_short_training_forecasts_as_the_reference_does(changed, build, changes):
    plan, jobs = changed(**changes)
    for k, trained in kernel.train(plan, jobs, 1, build):
        expected = reference.train(plan, jobs[k])
        std = jobs[k].scale[-1, 1]
        np.testing.assert_allclose(trained.losses, expected.losses, atol=1e-5)
        np.testing.assert_allclose(trained.forecast / std, expected.forecast / std, atol=1e-5)
        np.testing.assert_allclose(trained.weights, expected.weights, atol=1e-5)


@pytest.mark.parametrize("windows", [6, pytest.param(40, marks=pytest.mark.slow)])
def test_windows_of_240_updates_forecast_within_1e_5_of_the_reference(jobs_of, build, windows):
    learner = LSTM(lookback=5, hidden=8, epochs=30, lr=0.001, batch=14, loss_on="last", seeds=1)
    jobs = jobs_of(learner, windows=windows, train=118)
    for k, trained in kernel.train(learner.plan(), jobs, 1, build):
        expected = long_reference(learner, jobs, k)
        assert len(trained.losses) * 8 == 240
        np.testing.assert_allclose(trained.forecast / jobs[k].scale[-1, 1], expected, atol=1e-5)


_long = {}


def long_reference(learner, jobs, k):
    if k not in _long:
        _long[k] = reference.train(learner.plan(), jobs[k]).forecast / jobs[k].scale[-1, 1]
    return _long[k]


def test_early_stopping_ends_before_the_last_epoch_and_keeps_the_best_weights(changed, build):
    plan, jobs = changed(validation=0.3, patience=1, stride=1, lr=0.1)
    job = replace(jobs[0], epochs=60)
    (_, trained), *_ = kernel.train(plan, [job], 1, build)
    last = int(np.isfinite(trained.losses).sum())
    assert 1 < last < 60
    # The patience of one epoch ran out at the last, so the best was the one before it.
    (_, shorter), *_ = kernel.train(replace(plan, patience=99), [replace(job, epochs=last - 1)], 1, build)
    np.testing.assert_array_equal(trained.weights, shorter.weights)


def test_a_chain_starts_each_window_from_the_one_before(jobs_of, build):
    plan, jobs = LSTM(lookback=8, hidden=8, seeds=1).plan(), jobs_of(windows=3)
    chain = [jobs[0], *(replace(job, epochs=2, continues=True) for job in jobs[1:])]
    chained = dict(kernel.train(plan, chain, 2, build))
    weights = None
    for k, job in enumerate(chain):
        (_, alone), *_ = kernel.train(plan, [replace(job, continues=False, weights=weights)], 1, build)
        np.testing.assert_array_equal(chained[k].forecast, alone.forecast)
        weights = alone.weights
