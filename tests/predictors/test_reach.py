"""How far ahead a leak is said to look, where only the number of bars gives it away, and where values do as well."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rollcast.predictors.bars import log_returns
from rollcast.predictors.checks.lookahead import find_leak
from rollcast.predictors.checks.perturbations import eventful_market

BARS = eventful_market(20)


def known(bars: pd.DataFrame, later: int) -> np.ndarray:
    """At which bars so many later ones are there."""
    return np.arange(len(bars)) + later < len(bars)


@pytest.mark.parametrize("later", [1, 2, 3, 7])
def test_a_forecast_that_asks_whether_a_later_bar_exists_looks_that_far_ahead(later):
    leak = find_leak(lambda bars: log_returns(bars) + 0.01 * known(bars, later), BARS, perturbations=["cut off"])
    assert leak is not None
    assert (leak.ahead, leak.columns) == (later, ())


@pytest.mark.parametrize("later", [1, 2, 7])
def test_one_that_reads_its_value_looks_that_far_ahead(later):
    leak = find_leak(
        lambda bars: log_returns(bars) + bars["close"].shift(-later).fillna(0.0) * 1e-4,
        BARS,
        perturbations=["given other prices"],
    )
    assert leak is not None
    assert (leak.ahead, leak.columns) == (later, ("close",))


def test_one_that_reads_near_values_and_asks_for_far_bars_is_told_by_its_values():
    leak = find_leak(
        lambda bars: log_returns(bars).shift(-2).fillna(0.0) + 0.01 * known(bars, 9), BARS, perturbations=["cut off"]
    )
    assert leak is not None
    assert leak.ahead == 2
