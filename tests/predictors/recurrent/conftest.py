"""Jobs on a random walk, and whichever kernel builds this machine has."""

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


@pytest.fixture(params=kernel.BUILDS)
def build(request):
    if request.param not in kernel.builds():
        pytest.skip(f"no {request.param} build here")
    return request.param


@pytest.fixture
def without_kernel(monkeypatch):
    monkeypatch.setattr(kernel, "available", lambda: False)
