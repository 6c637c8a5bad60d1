"""Forecasts that change with the windows trained beside them: noise, or look-ahead by way of the list of windows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

import pandas as pd
import pytest

from rollcast.backtests.gate.gate import examine
from rollcast.backtests.gate.verdict import WindowDependence
from rollcast.predictors import Learner, WalkForward
from rollcast.predictors.bars import random_walk

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
def test_a_window_that_changes_by_less_than_that_is_noise_and_the_noise_is_said(times):
    verdict = examined(0.4, 0.4 / times)
    assert verdict.leak is None
    # The mean square of 239 ones and twelve of 1.4 is 1 + 12 · 0.96 / 251.
    assert verdict.noise == pytest.approx(0.4 / (1 + 12 * 0.96 / 251) ** 0.5)
    assert "; running it again moves a forecast by 39%, which would hide a smaller look-ahead" in str(verdict)


def test_a_change_of_a_hundredth_of_the_forecasts_is_rounding_of_batches_and_one_of_more_is_not():
    assert examined(0.0099, 0.0).leak is None
    assert isinstance(examined(0.0102, 0.0).leak, WindowDependence)
