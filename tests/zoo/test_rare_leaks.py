"""The gate finds leaks that show on a few bars only, on the first call, or in the sign alone."""

import numpy as np
import pytest

from rollcast import load
from rollcast.backtests.gate.gate import examine
from rollcast.backtests.gate.verdict import Unrepeatable
from rollcast.predictors.bars import random_walk
from tests.zoo import rare_leaks


@pytest.fixture(scope="module")
def bars(spy):
    """SPY, with no trade on one bar in fifty."""
    idle = np.arange(len(spy)) % 50 == 25
    spy = spy.copy()
    spy.loc[idle, ["open", "high", "low", "close"]] = np.repeat(spy["close"].shift(1).to_numpy()[idle, None], 4, axis=1)
    spy.loc[idle, "volume"] = 0.0
    return spy


@pytest.mark.parametrize("cls", rare_leaks.RARE, ids=lambda cls: cls.__name__)
def test_a_rare_leak_is_found(cls, bars):
    rare_leaks.CALLS.clear()
    predictor = cls()
    leak = examine(predictor, bars, predictor.predict(bars)).leak
    assert leak is not None
    assert isinstance(leak, Unrepeatable) == (cls is rare_leaks.FirstCallOnly)


@pytest.mark.parametrize("name", ["sma", "ols", "ema", "kalman", "kalman-trend", "naive"])
@pytest.mark.parametrize("seed", range(3))
def test_no_linear_predictor_is_accused(name, seed, bars):
    market = random_walk(1500, seed) if seed else bars
    predictor = load(name)
    verdict = examine(predictor, market, predictor.predict(market))
    assert verdict.leak is None
    assert verdict.bars > 100
