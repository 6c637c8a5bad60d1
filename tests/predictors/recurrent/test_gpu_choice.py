"""Who trains where a GPU is, or is not: the modelled threshold, and the CPU that takes over."""

import logging
from dataclasses import replace

import numpy as np
import pytest

from rollcast.predictors.recurrent import cuda_device, gpu_choice, kernel, trainer
from rollcast.predictors.recurrent.learners import LSTM, StackedLSTM
from tests.predictors.recurrent.emulated_gpu import EmulatedGpu, needs_compiler

PLAN = LSTM(lookback=8, hidden=8, epochs=5, lr=0.001).plan()


@pytest.fixture
def card(monkeypatch, tmp_path_factory):
    """A machine with a driver and an emulated GPU of so many operations a second."""

    def make(peak=60e12, device=None):
        device = device or EmulatedGpu(tmp_path_factory.getbasetemp())
        device.peak = peak
        monkeypatch.setattr(trainer, "_has_driver", lambda: True)
        monkeypatch.setattr(cuda_device, "gpus", lambda: (device,))
        return device

    for function in (gpu_choice.say, gpu_choice.kernel_refusal):
        function.cache_clear()
    yield make
    gpu_choice.kernel_refusal.cache_clear()


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.WARNING, "rollcast")
    return lambda: [record.getMessage() for record in caplog.records]


def assert_as_on_the_cpu(results, jobs, plan=PLAN):
    assert sorted(results) == list(range(len(jobs)))
    for k, expected in kernel.train(plan, jobs, 1):
        np.testing.assert_allclose(results[k].weights, expected.weights, atol=1e-5)


def test_auto_leaves_a_small_training_on_the_cpu_and_says_so(card, jobs_of, lines):
    device, jobs = card(), jobs_of()
    assert trainer.resolve("auto") == "cuda"
    assert_as_on_the_cpu(dict(trainer.train(PLAN, jobs)), jobs)
    assert device.launches == []
    (line,) = lines()
    assert line.startswith(
        "recurrent nets: device auto trains 2 nets on the CPU: 0.0 s modelled on the CPU, 3.0 s on a GPU"
    )


@needs_compiler
def test_auto_takes_the_card_where_it_pays_and_says_so(card, jobs_of, lines, monkeypatch):
    device, jobs = card(), jobs_of()
    monkeypatch.setattr(gpu_choice, "CPU_RATE", 1.0)
    assert_as_on_the_cpu(dict(trainer.train(PLAN, jobs)), jobs)
    assert ("rollcast_train", 2) in device.launches
    assert "trains 2 nets on a GPU" in lines()[0]


@needs_compiler
def test_where_a_gpu_fails_in_the_middle_the_cpu_trains_what_is_left(card, jobs_of, lines, monkeypatch):
    card()
    monkeypatch.setattr(gpu_choice, "CPU_RATE", 1.0)
    jobs = jobs_of(windows=4)
    jobs[1:3] = (replace(job, continues=True) for job in jobs[1:3])
    whole = gpu_choice.gpu.train

    def failing(plan, jobs, devices):
        yield from whole(plan, jobs[:2], devices)
        raise RuntimeError("the CUDA driver refused: CUDA_ERROR_LAUNCH_FAILED")

    monkeypatch.setattr(gpu_choice.gpu, "train", failing)
    assert_as_on_the_cpu(dict(trainer.train(PLAN, jobs)), jobs)
    assert lines()[1:] == [
        "recurrent nets: the CPU trains, since a GPU cannot be used: the CUDA driver refused: CUDA_ERROR_LAUNCH_FAILED"
    ]


def test_a_card_beside_torchs_cpu_build_and_without_the_extra_is_told(monkeypatch, card, lines):
    import torch

    if torch.version.cuda or torch.version.hip:
        pytest.skip("this torch is no CPU build")

    def none():
        raise RuntimeError(f"cuda-bindings is not installed; {cuda_device.INSTALL}")

    card()
    monkeypatch.setattr(cuda_device, "gpus", none)
    expected = (
        "torch finds no CUDA device here, because it is torch's CPU build; and cuda-bindings is not installed; install "
        "rollcast's extra gpu: pip install 'rollcast[gpu]'"
    )
    assert trainer.resolve("auto") == "cpu"
    assert lines() == [f"recurrent nets: the CPU trains, since a GPU cannot be used: {expected}"]
    with pytest.raises(ValueError, match="device cuda was asked for, but torch finds no CUDA device here, because"):
        trainer.resolve("cuda")


def test_nets_that_the_kernel_does_not_train_need_torchs_cuda_build(card, jobs_of, lines):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this torch trains them")
    card()
    plan, jobs = StackedLSTM(lookback=8, hidden=8, epochs=5, lr=0.001).plan(), jobs_of()
    assert_as_on_the_cpu(dict(trainer.train(plan, jobs)), jobs, plan)
    assert "torch finds no CUDA device here" in lines()[0]
    with pytest.raises(
        ValueError, match=r"a GPU cannot train these nets: torch finds .* of one layer, up to 64 units; use device cpu"
    ):
        trainer.train(plan, jobs, "cuda")


def test_operations_are_those_of_the_benchmark(jobs_of):
    plan, jobs = (
        LSTM(lookback=20, hidden=32, epochs=30, loss_on="last").plan(),
        jobs_of(LSTM(lookback=20, hidden=32, epochs=30, loss_on="last", seeds=1), windows=1, train=525),
    )
    per_step = 2 * 128 * (2 * (4 + 32) + 32)
    assert gpu_choice.operations(plan, jobs) == 30 * 504 * 20 * per_step
