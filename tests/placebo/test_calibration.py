"""p is uniform where there is no edge, and small where one is planted."""

from __future__ import annotations

import numpy as np
import pytest

from rollcast import WalkForward
from rollcast.backtests.placebo import SCORES
from rollcast.predictors.ols import OLSFeatures
from rollcast.predictors.sma import SMA
from tests.placebo.calibration import market, p_values, uniform

pytestmark = pytest.mark.slow

MARKETS = 200
FITTED = WalkForward(OLSFeatures(lags=1, features=("return",)), train=200, every=50)


@pytest.mark.parametrize("predictor", [SMA(window=10), FITTED], ids=["sma", "ols-features"])
def test_p_is_uniform_on_markets_without_an_edge(predictor):
    p = p_values(predictor, "flipped", MARKETS, first=10_000)
    for name in SCORES:
        # Five scores and two predictors: one in a thousand each is one in a hundred in all.
        assert uniform(p[name]) > 0.001, name
        assert abs((p[name] <= 0.05 + 1e-9).mean() - 0.05) < 3.3 * np.sqrt(0.05 * 0.95 / MARKETS), name


def test_a_planted_edge_is_found_the_more_often_the_larger_it_is():
    power = [(p_values(FITTED, "flipped", 40, momentum=m)["ic"] <= 0.05 + 1e-9).mean() for m in (0.0, 0.15, 0.3)]
    assert power[0] < 0.2 < power[1] < power[2]
    assert power[2] > 0.8


def test_the_planted_edge_is_as_large_as_it_is_said_to_be():
    returns = np.diff(np.log(market(0, n=20_000, momentum=0.2)["close"].to_numpy()))
    assert np.corrcoef(returns[1:], returns[:-1])[0, 1] == pytest.approx(0.2, abs=0.03)
