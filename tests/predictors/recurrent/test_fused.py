"""LSTMs through FlashRNN: plain torch, and Triton kernels in Triton's interpreter, against the reference."""

import os
import subprocess
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from rollcast.predictors.recurrent import batched, fused, reference
from rollcast.predictors.recurrent.learners import LSTM

PLANS = {
    "sequence": {},
    "many-to-one": {"stride": 1},
    "stacked": {"layers": 2, "stride": 1},
    "both directions": {"directions": 2, "layers": 2, "stride": 1},
    "attention": {"attention": True, "stride": 1},
    "gaussian": {"loss": "gaussian"},
    "dropout in mini-batches": {"dropout": 0.3, "layers": 2, "stride": 1, "batch": 40},
}
needs_flashrnn = pytest.mark.skipif(not fused.installed(), reason="flashrnn is not installed, or not with its Triton")


def plan_with(**changes):
    return replace(LSTM(lookback=5, hidden=16, lr=0.001).plan(), **changes)


def check_trainings(plan, jobs, atol=2e-5):
    for k, trained in batched.train(plan, jobs, "cpu"):
        expected = reference.train(plan, jobs[k])
        std = jobs[k].scale[-1, 1]
        np.testing.assert_allclose(trained.losses, expected.losses, atol=1e-5)
        np.testing.assert_allclose(trained.forecast / std, expected.forecast / std, atol=atol)


@needs_flashrnn
@pytest.mark.parametrize("changes", PLANS.values(), ids=PLANS)
def test_fused_windows_train_as_the_reference_does(jobs_of, monkeypatch, changes):
    calls = []

    def recurrence(*_):
        calls.append(1)
        return partial(fused.lstm, backend="vanilla")

    monkeypatch.setattr(fused, "recurrence", recurrence)
    check_trainings(plan_with(**changes), jobs_of(windows=3))
    assert calls


INTERPRETED = """
from functools import partial
from rollcast.predictors.recurrent import fused
fused.recurrence = lambda *_: partial(fused.lstm, backend="triton_fused")
from rollcast import WalkForward
from rollcast.predictors.bars import random_walk
from tests.predictors.recurrent.test_fused import LSTM, check_trainings
learner = LSTM(lookback=4, hidden=16, epochs=2, lr=0.001, seeds=1, loss_on="last")
_, jobs = learner.jobs(WalkForward(learner, 40, 3).windows(random_walk(60))[:2])
check_trainings(learner.plan(), jobs)
"""


@needs_flashrnn
def test_the_triton_kernels_train_as_the_reference_does():
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-c", INTERPRETED], check=True, env=environment)


@pytest.fixture
def gpu(monkeypatch):
    """A machine that says it has FlashRNN and a GPU of this generation."""

    def make(capability=(9, 0), installed=True):
        monkeypatch.setattr(fused, "installed", lambda: installed)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
        monkeypatch.setenv("TRITON_F32_DEFAULT", "ieee")
        return torch.device("cuda")

    return make


def test_lstms_of_its_sizes_are_fused_and_everything_else_is_batched(gpu):
    cuda = gpu()
    assert all(fused.recurrence(plan_with(hidden=hidden), cuda) for hidden in (16, 32))
    for other in ({"hidden": 8}, {"hidden": 24}, {"hidden": 64}, {"cell": "gru"}, {"cell": "rnn"}):
        assert fused.recurrence(plan_with(**other), cuda) is None
    assert fused.recurrence(plan_with(), torch.device("cpu")) is None
    assert fused.recurrence(plan_with(), gpu(capability=(7, 5))) is None
    assert fused.recurrence(plan_with(), gpu(installed=False)) is None


def test_a_triton_without_block_pointers_is_not_used(monkeypatch):
    for triton, usable in (("3.5.1", False), ("3.6.0", True), ("3.8.0", True), ("3.9.0", False), ("4.0.0", False)):
        monkeypatch.setattr(fused, "version", {"flashrnn": "1.0.8", "triton": triton}.__getitem__)
        assert fused.installed.__wrapped__() == usable


def test_a_chunk_stays_within_what_its_kernels_can_count():
    windows = fused.most_windows(plan_with(hidden=32), 504, 20)
    assert windows == (2**31 - 1) // (512 * 21 * 4 * 32)  # 504 samples are filled up to 512
    assert fused.most_windows(plan_with(hidden=64), 10**9, 20) == 1


def test_a_chunk_of_fused_windows_is_no_larger_than_that(gpu, jobs_of, monkeypatch):
    learner = LSTM(lookback=20, hidden=32, loss_on="last", seeds=1)
    (job,) = jobs_of(learner, windows=1, train=525)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (100e9, 140e9))
    gpu()
    assert batched._affordable(learner.plan(), job, "cuda") == fused.most_windows(learner.plan(), 504, 20)
