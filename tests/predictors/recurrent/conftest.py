"""Jobs on a random walk, and whichever kernel builds this machine has."""

from dataclasses import replace

import numpy as np
import pytest

from rollcast import WalkForward
from rollcast.predictors.bars import random_walk
from rollcast.predictors.recurrent import kernel
from rollcast.predictors.recurrent.learners import LSTM


@pytest.fixture(scope="session")
def market():
    return random_walk(1000)


@pytest.fixture(scope="session")
def jobs_of(market):
    """The jobs a learner makes of the first windows of a market."""

    def make(learner=None, windows=2, train=120, every=10):
        learner = learner or LSTM(lookback=8, hidden=8, epochs=5, seeds=1)
        _, jobs = learner.jobs(WalkForward(learner, train, every).windows(market)[:windows])
        return jobs

    return make


@pytest.fixture(scope="session")
def changed(jobs_of):
    """A plan with some changes, and jobs of a market with as many features as it has."""

    def make(windows=2, **changes):
        plan = replace(LSTM(lookback=8, hidden=8, epochs=5, lr=0.001).plan(), **changes)
        rng = np.random.default_rng(0)
        jobs = []
        for job in jobs_of(windows=windows):
            rows, scale = rng.normal(size=(len(job.rows), plan.features)), np.tile([0.0, 1.0], (plan.features, 1))
            jobs.append(replace(job, rows=rows, scale=np.vstack([scale, job.scale[-1:]])))
        return plan, jobs

    return make


@pytest.fixture(params=kernel.BUILDS)
def build(request):
    if request.param not in kernel.builds():
        pytest.skip(f"no {request.param} build here")
    return request.param


@pytest.fixture
def without_kernel(monkeypatch):
    monkeypatch.setattr(kernel, "available", lambda: False)
