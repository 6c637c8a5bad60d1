"""Recorded updates, on the CPU: a trace of torch's operations stands in for a CUDA graph.

Like a graph, a trace repeats what was recorded: the same operations on the same tensors, with Python's numbers as they
were then. Whatever a step reads from elsewhere shows as a difference. Threads change the last bit, by the order of
their sums.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from rollcast.predictors.recurrent import batched, graphs
from rollcast.predictors.recurrent.learners import LSTM

PLANS = {
    "many-to-one": {"stride": 1},
    "gru in mini-batches": {"cell": "gru", "stride": 1, "batch": 40},
    "sequence": {"weight_decay": 0.1},
    "dropout": {"dropout": 0.3, "layers": 2, "stride": 1, "batch": 40},
    "validation": {"validation": 0.3, "patience": 1, "stride": 1, "lr": 0.05},
    "both directions, gaussian": {"directions": 2, "loss": "gaussian", "stride": 1},
    "attention": {"attention": True, "stride": 1},
}


@pytest.fixture
def traced(monkeypatch):
    """Every update is recorded; the list of how often each recording was replayed."""
    replays = []

    def trace(step, tensors):
        recording = make_fx(step)(*(tensor.clone() for tensor in tensors))
        position = len(replays)
        replays.append(0)

        def replay():
            replays[position] += 1
            recording(*tensors)

        return replay

    monkeypatch.setattr(graphs, "capture", trace)
    monkeypatch.setattr(graphs, "worth_recording", lambda *_: True)
    return replays


def plan_with(**changes):
    return replace(LSTM(lookback=4, hidden=8, lr=0.01).plan(), **changes)


@pytest.mark.parametrize("changes", PLANS.values(), ids=PLANS)
def test_a_replayed_training_equals_the_eager_one(jobs_of, traced, changes, monkeypatch):
    plan, jobs = plan_with(**changes), [replace(job, epochs=8) for job in jobs_of(windows=3)]
    replayed = dict(batched.train(plan, jobs, "cpu"))
    assert all(traced)
    monkeypatch.setattr(graphs, "worth_recording", lambda *_: False)
    for k, eager in batched.train(plan, jobs, "cpu"):
        np.testing.assert_allclose(replayed[k].losses, eager.losses, atol=1e-5)
        np.testing.assert_allclose(replayed[k].weights, eager.weights, atol=1e-5)


def test_each_batch_size_is_recorded_after_its_warm_up(jobs_of, traced):
    # 115 samples: an epoch has two batches of 50, and one of 15.
    jobs = [replace(job, epochs=8) for job in jobs_of()]
    dict(batched.train(plan_with(batch=50, stride=1), jobs, "cpu"))
    assert traced == [16 - graphs.WARM_UPS, 8 - graphs.WARM_UPS]


class RefusedGraph:
    """In place of `torch.cuda.graph`: recording ends in the error it is made with."""

    def __init__(self, error):
        self.error = error

    def __call__(self, *_, **__):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        raise self.error


@pytest.mark.parametrize("error", [RuntimeError("operation not permitted when stream is capturing"), None])
def test_what_a_capture_refuses_is_told_from_a_lack_of_memory(monkeypatch, error):
    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: None)
    monkeypatch.setattr(torch.cuda, "graph", RefusedGraph(error or torch.OutOfMemoryError()))
    step, tensors = (lambda total: total.add_(1)), [torch.zeros(1)]
    if error:
        with pytest.raises(
            RuntimeError, match="could not record an update as a CUDA graph; use device cpu: operation not"
        ):
            graphs.capture(step, tensors)
    else:
        with pytest.raises(torch.OutOfMemoryError):
            graphs.capture(step, tensors)


def test_only_a_gpu_bound_by_launches_records():
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    small, large = 213 * 64 * 20 * 32, 4500 * 504 * 20 * 32  # 213 windows of batch 64, 4,500 of a full batch
    assert graphs.worth_recording(cuda, small, 240)
    assert not graphs.worth_recording(cpu, small, 240)
    assert not graphs.worth_recording(cuda, large, 240)
    assert not graphs.worth_recording(cuda, small, 10)
