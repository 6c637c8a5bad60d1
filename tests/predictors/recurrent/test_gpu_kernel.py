"""The GPU's kernel, emulated on the CPU with its threads in a shuffled order, against the reference."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rollcast.predictors.recurrent import gpu, pooled, reference
from rollcast.predictors.recurrent.learners import LSTM
from tests.predictors.recurrent.emulated_gpu import EmulatedGpu, needs_compiler

pytestmark = needs_compiler
slow = pytest.mark.slow

# What `make test` compiles is one kernel for an LSTM of eight units and one for a GRU.
PLANS = {
    "many-to-one": {"stride": 1},
    "sequence": {},
    "huber": {"loss": "huber"},
    "gru": {"cell": "gru"},
    "gaussian": {"loss": "gaussian"},
    "rnn": {"cell": "rnn"},
    "one bar": {"lookback": 1, "stride": 1},
    "one feature": {"features": 1},
    "eight features": {"features": 8},
    "odd sizes": {"hidden": 5, "features": 3},
    "not a power of two": {"hidden": 13, "features": 3, "cell": "gru"},
    "16 units": {"hidden": 16},
    "24 units": {"hidden": 24, "cell": "gru"},
    "32 units": {"hidden": 32, "stride": 1},
    "40 units": {"hidden": 40, "cell": "rnn"},
    "64 units": {"hidden": 64},
}
TRAININGS = {
    "mini-batches": {"batch": 7, "stride": 1},
    "large mini-batches": {"batch": 50, "stride": 1, "cell": "gru"},
    "weight decay": {"weight_decay": 0.1},
    "dropout": {"dropout": 0.3, "stride": 1, "batch": 32},
    "dropout, sequence, gaussian": {"dropout": 0.3, "loss": "gaussian"},
    "validation": {"validation": 0.2, "patience": 2, "stride": 1},
    "a clip that bites": {"clip": 0.01},
}
COMPILED_ALREADY = {"many-to-one", "sequence", "huber", "gru", *TRAININGS} - {"dropout, sequence, gaussian"}


def cases(plans):
    return [pytest.param(plans[name], id=name, marks=[] if name in COMPILED_ALREADY else [slow]) for name in plans]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("emulated")


@pytest.fixture
def device(folder):
    return EmulatedGpu(folder)


def assert_trains_as_the_reference(plan, jobs, results):
    for k, job in enumerate(jobs):
        expected, std = reference.train(plan, job), job.scale[-1, 1]
        np.testing.assert_allclose(results[k].losses, expected.losses, atol=1e-5)
        np.testing.assert_allclose(results[k].forecast / std, expected.forecast / std, atol=1e-5)
        np.testing.assert_allclose(results[k].weights, expected.weights, atol=1e-5)


@pytest.mark.parametrize("changes", cases(PLANS))
def test_the_gradient_equals_torchs_in_double_precision(changed, device, changes):
    plan, (job, _) = changed(**changes)
    loss, gradient = gpu.gradient(plan, job, device)
    training = reference.Training(plan, job, dtype=torch.float64)
    expected_loss = training.loss(training.samples.training)
    expected_loss.backward()
    expected = torch.cat([p.grad.flatten() for p in training.net.parameters()]).numpy()
    assert loss == pytest.approx(expected_loss.item(), rel=1e-5)
    assert np.linalg.norm(gradient - expected) <= 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize("changes", cases(PLANS | TRAININGS))
def test_a_short_training_is_the_references(changed, device, changes):
    plan, jobs = changed(**changes)
    assert_trains_as_the_reference(plan, jobs, dict(gpu.train(plan, jobs, [device])))


def test_240_updates_forecast_within_1e_5_of_the_reference(jobs_of, device):
    learner = LSTM(lookback=5, hidden=8, epochs=30, lr=0.001, batch=14, loss_on="last", seeds=1)
    jobs = jobs_of(learner, windows=3, train=118)
    for k, trained in gpu.train(learner.plan(), jobs, [device]):
        assert len(trained.losses) * 8 == 240
        expected = reference.train(learner.plan(), jobs[k])
        std = jobs[k].scale[-1, 1]
        np.testing.assert_allclose(trained.forecast / std, expected.forecast / std, atol=1e-5)


def test_early_stopping_ends_before_the_last_epoch_and_keeps_the_best_weights(changed, device):
    plan, jobs = changed(validation=0.3, patience=1, stride=1, lr=0.1)
    job = replace(jobs[0], epochs=60)
    ((_, trained),) = gpu.train(plan, [job], [device])
    last = int(np.isfinite(trained.losses).sum())
    assert 1 < last < 60
    # The patience of one epoch ran out at the last, so the best was the one before it.
    ((_, shorter),) = gpu.train(replace(plan, patience=99), [replace(job, epochs=last - 1)], [device])
    np.testing.assert_array_equal(trained.weights, shorter.weights)


def test_a_chain_starts_each_window_from_the_one_before(jobs_of, device):
    plan, jobs = LSTM(lookback=8, hidden=8, seeds=1).plan(), jobs_of(windows=4)
    chain = [jobs[0], *(replace(job, epochs=2, continues=True) for job in jobs[1:3]), jobs[3]]
    chained = dict(gpu.train(plan, chain, [device]))
    weights = None
    for k, job in enumerate(chain):
        ((_, alone),) = gpu.train(
            plan, [replace(job, continues=False, weights=weights if job.continues else None)], [device]
        )
        np.testing.assert_array_equal(chained[k].forecast, alone.forecast)
        weights = alone.weights


def test_the_order_of_threads_and_of_windows_leaves_every_byte_alone(changed, folder):
    plan, jobs = changed(windows=4, batch=32, stride=1, dropout=0.2)
    expected = dict(gpu.train(plan, jobs, [EmulatedGpu(folder, seed=0, blocks=1)]))
    for seed in (2, 3):
        results = dict(
            gpu.train(plan, jobs[::-1], [EmulatedGpu(folder, seed=seed), EmulatedGpu(folder, seed=seed + 10)])
        )
        for k in range(len(jobs)):
            assert results[len(jobs) - 1 - k].weights.tobytes() == expected[k].weights.tobytes()
            assert results[len(jobs) - 1 - k].forecast.tobytes() == expected[k].forecast.tobytes()


def test_a_diverged_window_is_told_and_leaves_its_neighbours_alone(changed, device):
    plan, jobs = changed()
    nan = replace(jobs[0], weights=np.full(plan.parameters, np.nan, np.float32))
    results = dict(gpu.train(plan, [nan, jobs[1]], [device]))
    assert results[0].diverged
    assert not results[1].diverged
    assert_trains_as_the_reference(plan, jobs[1:], {0: results[1]})


def test_nets_without_epochs_only_forecast(changed, device):
    plan, (job, _) = changed()
    weights = reference.train(plan, job).weights
    evaluated = replace(job, first=1, split=9, stop=len(job.rows) - 1, epochs=0, weights=weights)  # in several pieces
    ((_, trained),) = gpu.train(plan, [evaluated], [device])
    std = job.scale[-1, 1]
    np.testing.assert_allclose(trained.forecast / std, reference.train(plan, evaluated).forecast / std, atol=1e-6)


@slow
def test_weights_that_do_not_fit_into_shared_memory_lie_in_global_memory(changed, folder):
    plan, jobs = changed(stride=1)
    small = EmulatedGpu(folder, shared_memory=11_000)
    assert_trains_as_the_reference(plan, jobs, dict(gpu.train(plan, jobs, [small])))


def test_several_gpus_share_the_windows(changed, folder):
    plan, jobs = changed(windows=5)
    devices = [EmulatedGpu(folder), EmulatedGpu(folder)]
    assert_trains_as_the_reference(plan, jobs, dict(gpu.train(plan, jobs, devices)))
    assert [d.launches[-1] for d in devices] == [("rollcast_train", 3), ("rollcast_train", 2)]


def test_a_chunk_that_does_not_fit_is_halved(changed, folder):
    plan, jobs = changed(windows=6)
    bars = sum(array.nbytes for job in jobs for array in (job.rows, job.returns, job.scale))
    small = EmulatedGpu(folder, memory=bars // 2 + 120_000)
    assert_trains_as_the_reference(plan, jobs, dict(gpu.train(plan, jobs, [small])))
    trainings = [blocks for name, blocks in small.launches if name == "rollcast_train"]
    assert len(trainings) > 1
    with pytest.raises(MemoryError):
        list(gpu.train(plan, jobs, [EmulatedGpu(folder, memory=20_000)]))


def test_closing_the_iterator_stops_the_gpu(changed, device):
    plan, jobs = changed()
    endless = replace(jobs[1], epochs=10**5)
    running = gpu.train(plan, [jobs[0], endless], [device])
    assert next(running)[0] == 0
    assert device.busy()
    running.close()
    assert not device.busy()


@pytest.mark.parametrize("batch", [0, 40])
def test_one_net_is_trained_on_the_slices_of_several_symbols(changed, device, batch):
    plan, jobs = changed(batch=batch, stride=1)
    slices = [jobs[0], replace(jobs[1], first=1, split=90)]
    pooled_plan, whole = pooled.stacked(plan, slices)
    ((_, trained),) = gpu.train(pooled_plan, [whole], [device])
    expected = pooled.by_torch(plan, slices)
    np.testing.assert_allclose(trained.losses, expected.losses, atol=1e-5)
    np.testing.assert_allclose(trained.weights, expected.weights, atol=1e-5)


def test_stacked_nets_attention_and_more_than_64_units_are_not_its(changed):
    plan, _ = changed()
    assert gpu.covers(plan)
    for changes in ({"layers": 2}, {"directions": 2}, {"attention": True}, {"hidden": 65}, {"features": 17}):
        assert not gpu.covers(replace(plan, **changes))
