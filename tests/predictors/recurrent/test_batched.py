"""Windows batched in torch, on the CPU and small: the algorithm a GPU runs, against the reference."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
import torch

from rollcast.predictors.recurrent import batched, batched_net, reference
from rollcast.predictors.recurrent.learners import LSTM

PLANS = {
    "sequence": {},
    "many-to-one": {"stride": 1},
    "gru": {"cell": "gru", "stride": 1},
    "rnn": {"cell": "rnn"},
    "stacked": {"layers": 2, "cell": "gru"},
    "both directions": {"directions": 2, "layers": 2, "stride": 1},
    "attention": {"attention": True, "stride": 1},
    "huber": {"loss": "huber"},
    "gaussian": {"loss": "gaussian"},
    "mini-batches": {"batch": 7, "stride": 1},
    "weight decay": {"weight_decay": 0.1},
    "dropout": {"dropout": 0.3, "layers": 2, "stride": 1, "batch": 32},
    "validation": {"validation": 0.3, "patience": 1, "stride": 1, "lr": 0.05},
}


def plan_with(**changes):
    return replace(LSTM(lookback=8, hidden=8, lr=0.001).plan(), **changes)


@pytest.mark.parametrize("changes", PLANS.values(), ids=PLANS)
def test_batched_windows_train_as_the_reference_does(jobs_of, changes):
    plan, jobs = plan_with(**changes), jobs_of(windows=3)
    for k, trained in batched.train(plan, jobs, "cpu", chunk=2):
        expected = reference.train(plan, jobs[k])
        std = jobs[k].scale[-1, 1]
        np.testing.assert_allclose(trained.losses, expected.losses, atol=1e-5)
        np.testing.assert_allclose(trained.forecast / std, expected.forecast / std, atol=2e-5)


@pytest.mark.parametrize("changes", [plan for plan in PLANS.values() if "dropout" not in plan])
def test_the_gradient_equals_torchs_in_double_precision(jobs_of, changes):
    plan, jobs = plan_with(**changes), jobs_of(windows=2)
    chunk = batched.Chunk(plan, jobs, "cpu")
    weights = chunk.state.p.requires_grad_()
    first = torch.from_numpy(chunk.samples.training + chunk.offset).expand(2, -1)
    (gradients,) = torch.autograd.grad(chunk.nets.loss(weights, first).sum(), weights)
    for job, gradient in zip(jobs, gradients.numpy(), strict=True):
        training = reference.Training(plan, job, dtype=torch.float64)
        training.loss(training.samples.training).backward()
        expected = torch.cat([p.grad.flatten() for p in training.net.parameters()]).numpy()
        assert np.linalg.norm(gradient - expected) <= 1e-5 * np.linalg.norm(expected)


def test_jobs_of_different_shapes_chains_and_no_epochs_are_told_apart(jobs_of):
    plan = plan_with()
    jobs = [*jobs_of(windows=3), *jobs_of(windows=2, train=90)]
    jobs[1], jobs[2] = (replace(job, continues=True, epochs=2) for job in jobs[1:3])
    results = dict(batched.train(plan, jobs, "cpu"))
    weights = None
    for k, job in enumerate(jobs):
        expected = reference.train(plan, replace(job, weights=weights if job.continues else None))
        np.testing.assert_allclose(results[k].forecast, expected.forecast, atol=1e-6)
        weights = expected.weights
    evaluated = replace(jobs[0], first=1, split=9, stop=60, epochs=0, weights=weights)
    (_, trained), *_ = batched.train(plan, [evaluated], "cpu")
    np.testing.assert_allclose(trained.forecast, reference.train(plan, evaluated).forecast, atol=1e-7)


def test_a_diverged_window_leaves_its_neighbours_alone(jobs_of):
    plan, jobs = plan_with(), jobs_of(windows=2)
    nan = replace(jobs[0], weights=np.full(plan.parameters, np.nan, np.float32))
    results = dict(batched.train(plan, [nan, jobs[1]], "cpu"))
    assert results[0].diverged
    assert not results[1].diverged
    np.testing.assert_allclose(results[1].forecast, reference.train(plan, jobs[1]).forecast, atol=1e-6)


def test_running_out_of_memory_halves_the_chunk(jobs_of, monkeypatch):
    plan, jobs, sizes = plan_with(), jobs_of(windows=5), []
    loss = batched_net.Nets.loss

    def short_of_memory(nets, p, first, keys=None):
        sizes.append(len(p))
        if len(p) > 2:
            raise torch.OutOfMemoryError
        return loss(nets, p, first, keys)

    monkeypatch.setattr(batched_net.Nets, "loss", short_of_memory)
    results = dict(batched.train(plan, jobs, "cpu"))
    assert sizes == [5, *[2] * 10, *[1] * 5]  # five updates of each chunk
    for k, job in enumerate(jobs):
        np.testing.assert_allclose(results[k].forecast, reference.train(plan, job).forecast, atol=1e-6)


def test_one_window_that_does_not_fit_raises(jobs_of, monkeypatch):
    def no_memory(*_):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(batched_net.Nets, "loss", no_memory)
    with pytest.raises(torch.OutOfMemoryError):
        list(batched.train(plan_with(), jobs_of(windows=3), "cpu"))


def test_a_chunk_takes_six_tenths_of_the_free_memory(jobs_of, monkeypatch):
    learner = LSTM(lookback=20, hidden=32, loss_on="last", seeds=1)
    (job,) = jobs_of(learner, windows=1, train=525)
    # What torch has reserved and does not use is free, too.
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (80e9, 140e9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 30e9)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 10e9)
    # 10 MB a window of 504 samples of 20 steps, 32 units, and half again.
    assert batched._affordable(learner.plan(), job, "cuda") == 0.6 * 100e9 // 15e6
    assert batched._affordable(replace(learner.plan(), batch=63), job, "cuda") == 0.6 * 100e9 // (15e6 / 8)


def test_a_chunk_that_is_done_lets_go_of_its_memory_at_once(jobs_of):
    chunk = batched.Chunk(plan_with(batch=50), jobs_of(), "cpu")
    chunk.run()
    weights = weakref.ref(chunk.state.p)
    gc.disable()
    try:
        del chunk
        assert weights() is None
    finally:
        gc.enable()


def test_memory_that_runs_out_within_a_chain_trains_no_window_twice(jobs_of, monkeypatch):
    plan, jobs, calls = plan_with(), [], []
    for first, second in zip(jobs_of(windows=2), jobs_of(windows=2, train=120), strict=True):
        jobs += [first, replace(second, continues=True, epochs=2)]
    expected = dict(batched.train(plan, jobs, "cpu"))
    run = batched.Chunk.run

    def short_of_memory(chunk):
        calls.append(len(chunk.jobs))
        if calls == [2, 2]:
            raise torch.OutOfMemoryError
        return run(chunk)

    monkeypatch.setattr(batched.Chunk, "run", short_of_memory)
    results = list(batched.train(plan, jobs, "cpu"))
    assert calls == [2, 2, 1, 1]
    assert sorted(k for k, _ in results) == [0, 1, 2, 3]
    for k, trained in results:
        np.testing.assert_allclose(trained.forecast, expected[k].forecast, atol=1e-7)


@pytest.mark.parametrize("new_way", [False, True])
def test_products_are_exact_whatever_torch_was_told(new_way):
    matmul = torch.backends.cuda.matmul
    if new_way:
        matmul.fp32_precision = "tf32"
    else:
        torch.set_float32_matmul_precision("medium")
    try:
        with batched.exact_products():
            assert matmul.fp32_precision == "ieee"
            assert torch.get_float32_matmul_precision() == "highest"
        assert matmul.fp32_precision == "tf32"
    finally:
        torch.set_float32_matmul_precision("highest")
