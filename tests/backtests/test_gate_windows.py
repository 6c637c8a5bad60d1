"""Forecasts that change with the windows trained beside them: noise, or look-ahead by way of the list of windows."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from itertools import count

import numpy as np
import pandas as pd
import pytest

from rollcast import load
from rollcast.backtests.gate.gate import examine
from rollcast.backtests.gate.verdict import Unrepeatable, WindowDependence
from rollcast.predictors import Learner, WalkForward
from rollcast.predictors.bars import log_returns, random_walk
from rollcast.predictors.features import features, next_returns

BARS = random_walk(500, 1)  # 251 forecasts in twelve blocks


@dataclass
class Companionable(Learner):
    """Forecasts 1: the first bar of a block `company` more beside all windows, the second `noise` more at odd calls."""

    company: float
    noise: float
    total: int
    calls = count()

    def fit(self, bars):
        return self

    def predict(self, bars):
        return pd.Series(1.0, bars.index)

    def forecast(self, windows):
        odd = next(self.calls) % 2
        for k, w in enumerate(windows):
            block = pd.Series(1.0, w.bars.index[w.split - 1 : w.stop])
            block.iloc[0] += self.company * (len(windows) == self.total)
            block.iloc[1:2] += self.noise * odd
            yield k, block


def examined(company: float, noise: float):
    Companionable.calls = count()
    total = len(WalkForward(Companionable(0, 0, 0), train=250, every=21).windows(BARS))
    predictor = WalkForward(Companionable(company, noise, total), train=250, every=21)
    return examine(predictor, BARS, predictor.predict(BARS))


@pytest.mark.parametrize("times", [8.5, 20, 79])
def test_a_window_that_changes_by_more_than_eight_times_the_noise_depends_on_the_others(times):
    leak = examined(0.4, 0.4 / times).leak
    assert isinstance(leak, WindowDependence)
    assert leak.size == pytest.approx(0.4)
    assert leak.noise == pytest.approx(0.4 / times)


@pytest.mark.parametrize("times", [1.5, 7.5])
def test_a_window_that_changes_by_less_than_that_does_not_repeat_and_the_size_is_said(times):
    leak = examined(0.4, 0.4 / times).leak
    assert isinstance(leak, Unrepeatable)
    assert "does not repeat: it moved by 0.4 when its window was trained again" in str(leak)


def test_a_change_of_a_hundredth_of_the_forecasts_is_rounding_of_batches_and_one_of_more_is_not():
    assert examined(0.0099, 0.0).leak is None
    assert isinstance(examined(0.0102, 0.0).leak, WindowDependence)


@dataclass
class OneDay(Learner):
    """Least squares on features; on one day `predict` reads the range or the rise of the next bar."""

    reads: str = ""

    def fit(self, bars):
        self.weights_ = np.linalg.lstsq(features(bars)[1:-1], next_returns(bars)[1:-1], rcond=None)[0]
        return self

    def predict(self, bars):
        forecast = pd.Series(features(bars) @ self.weights_, index=bars.index)
        after = {
            "range": np.log(bars["high"] / bars["low"]),
            "rise": log_returns(bars).clip(lower=0.0),
            "fall": log_returns(bars).clip(upper=0.0),
            "": forecast,
        }[self.reads]
        return forecast.where(bars.index != "2010-03-17", after.shift(-1 if self.reads else 0).fillna(0.0))


@pytest.mark.parametrize("reads", ["range", "rise", "fall"])
def test_a_leak_on_one_day_within_one_block_is_found(reads, spy):
    bars = spy.loc["2006":"2013"]
    predictor = WalkForward(OneDay(reads), train=250, every=21)
    assert "2010-03-17 looked 1 bar ahead" in str(examine(predictor, bars, predictor.predict(bars)).leak)


def test_a_quick_learner_is_probed_at_every_bar_with_a_tenth_of_its_fits(spy):
    bars = spy.loc["2006":"2009"]
    predictor = WalkForward(OneDay(), train=250, every=5)
    verdict = examine(predictor, bars, predictor.predict(bars))
    assert verdict.leak is None
    assert f"probed at every bar with {verdict.fits} of {verdict.windows} fits" in str(verdict)
    assert verdict.fits <= verdict.windows / 10


UNREPEATABLE = {
    "unseeded": "np.random.default_rng().normal()",
    "state of the module": "float(KEPT.append(1) or len(KEPT))",
    "hash of a text": "float(hash('close') % 1000)",
}
LEARNER = """
from dataclasses import dataclass
import numpy as np
import pandas as pd
from rollcast import Learner

KEPT = []

@dataclass
class Drifting(Learner):
    "The mean return of its slice, times what does not repeat."
    def fit(self, bars):
        self.mean_ = float(np.log(bars["close"]).diff().mean()) * (1.0 + {what})
        return self
    def predict(self, bars):
        return pd.Series(self.mean_, index=bars.index)
"""


@pytest.mark.parametrize("what", UNREPEATABLE.values(), ids=UNREPEATABLE)
def test_a_learner_that_does_not_repeat_is_refused_with_the_size(what, tmp_path):
    (tmp_path / "drifting.py").write_text(textwrap.dedent(LEARNER.format(what=what)), encoding="utf-8")
    predictor = WalkForward(load(str(tmp_path / "drifting.py")), train=100, every=63)
    assert "does not repeat: it moved by" in str(examine(predictor, BARS, predictor.predict(BARS)).leak)


@pytest.mark.parametrize("learner", [load("ols-features"), load("lstm", epochs=2, seeds=1, hidden=4)], ids=str)
def test_a_learner_that_repeats_is_not(learner):
    predictor = WalkForward(learner, train=200, every=100)
    assert examine(predictor, BARS, predictor.predict(BARS)).leak is None
