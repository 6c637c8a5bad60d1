"""The batched path on a pretend cuda:0 (`pretend_cuda.py`), every update recorded, against the reference."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CHECK = """
from tests.predictors.recurrent import pretend_cuda
from dataclasses import replace
import numpy as np
import torch
from rollcast import WalkForward
from rollcast.predictors.bars import random_walk
from rollcast.predictors.recurrent import batched, graphs, reference
from rollcast.predictors.recurrent.learners import LSTM
torch.set_num_threads(1)
graphs.worth_recording = lambda *_: True
learner = LSTM(lookback=3, hidden=4, epochs=5, seeds=1, lr=0.001, warm=3)
_, chain = learner.jobs(WalkForward(learner, 40, 10).windows(random_walk(70)))
alone = [replace(job, continues=False, epochs=5) for job in chain[:2]]

def compare(name, changes, jobs, **events):
    plan, start = replace(learner.plan(), **changes), None
    pretend_cuda.events.clear()
    with pretend_cuda.Mode():
        got = dict(batched.train(plan, jobs, "cuda"))
    for k, job in enumerate(jobs):
        expected = reference.train(plan, replace(job, weights=start) if job.continues else job)
        start, std = expected.weights, job.scale[-1, 1]
        np.testing.assert_allclose(got[k].losses, expected.losses, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(got[k].forecast / std, expected.forecast / std, atol=1e-5, err_msg=name)
    assert {key: pretend_cuda.events[key] for key in events} == events, (name, pretend_cuda.events)

compare("sequence", {}, alone, streams=1, replays=3)
for name, changes in {
    "gru": {"cell": "gru", "stride": 1},
    "rnn": {"cell": "rnn"},
    "stacked": {"layers": 2},
    "both directions": {"directions": 2, "layers": 2, "stride": 1, "loss": "huber"},
    "attention": {"attention": True, "stride": 1, "weight_decay": 0.1},
    "dropout in mini-batches": {"dropout": 0.3, "layers": 2, "stride": 1, "batch": 16},
    "validation": {"validation": 0.3, "patience": 1, "stride": 1, "loss": "gaussian", "batch": 7},
}.items():
    compare(name, changes, alone, streams=0)
# Of 5 + 3 + 3 updates all but the first two are replayed: the graph serves the whole chain.
compare("warm chain", {}, chain[:3], streams=0, replays=9)
try:
    with pretend_cuda.Mode():
        torch.ones(2, device="cuda") + torch.ones(2)
except RuntimeError as error:
    assert "two devices" in str(error)
else:
    raise AssertionError("tensors of two devices were added")
"""


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("g++"), reason="no g++ here, which builds the pretend device")
@pytest.mark.skipif(sys.platform != "linux", reason="loads torch's libraries by their names on Linux")
def test_all_nets_train_on_a_pretend_gpu_as_the_reference_does(tmp_path):
    import torch

    if torch.backends.cuda.is_built():
        pytest.skip("this torch has a cuda:0 of its own")
    library = str(tmp_path / "pretend_cuda.so")
    include = Path(torch.__file__).parent / "include"
    build = [
        "g++",
        "-O0",
        "-shared",
        "-fPIC",
        "-std=c++20",
        f"-I{include}",
        str(HERE / "pretend_cuda.cpp"),
        "-o",
        library,
    ]
    subprocess.run(build, check=True)
    environment = os.environ | {
        "PRETEND_CUDA": library,
        "PYTHONPATH": os.pathsep.join([str(HERE.parents[2]), *filter(None, sys.path)]),
    }
    subprocess.run([sys.executable, "-c", CHECK], check=True, env=environment, cwd=HERE.parents[2])
