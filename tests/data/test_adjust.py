"""Adjustment: dividends and splits taken out of returns, by the formula, and no other change."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rollcast.backtests.data.adjust import actions_in, as_bars, factors
from rollcast.backtests.data.bundled import bundled
from rollcast.predictors.bars import check_bars

SPY = bundled()["SPY"].drop(columns="adj_close")


def test_factors_from_dividends_are_those_of_the_adjusted_close():
    whole = bundled()["SPY"]
    theirs = (whole["adj_close"] / whole["close"]).to_numpy()
    np.testing.assert_allclose(factors(SPY), theirs / theirs[-1], rtol=2e-6)


def test_the_return_of_an_ex_date_is_that_of_the_price_less_the_dividend():
    close, adjusted = SPY["close"], as_bars(SPY, "full", "SPY")["close"]
    paid = SPY["dividend"]
    expected = close / (close.shift() - paid) - 1
    np.testing.assert_allclose(adjusted.pct_change().iloc[1:], expected.iloc[1:], rtol=0, atol=1e-13)
    reinvested = (close + paid) / close.shift() - 1
    difference = (expected - reinvested)[paid > 0]
    theory = (paid / close.shift() * reinvested)[paid > 0]
    np.testing.assert_allclose(difference, theory, atol=3e-6)  # what the docs say of the difference


def test_a_split_with_a_dividend_on_one_day():
    rows = pd.DataFrame(
        {"close": [100.0, 49.0, 50.0], "dividend": [0, 2.0, 0], "split": [0, 2.0, 0]}, pd.bdate_range("2020", periods=3)
    )
    # one share of 100 pays 2 and becomes two of 49
    assert as_bars(rows, "full", "x")["close"].tolist() == pytest.approx([49.0, 49.0, 50.0])
    assert as_bars(rows, "none", "x")["close"].tolist() == [100.0, 49.0, 50.0]
    assert actions_in(rows).to_numpy().tolist() == [[2.0, 2.0]]


def test_bars_stay_bars_whatever_is_paid():
    rows = SPY.assign(split=np.where(np.arange(len(SPY)) % 500 == 499, 3.0, 0.0))
    check_bars(as_bars(rows, "full", "SPY"))


def test_a_dividend_larger_than_the_price_is_refused():
    rows = SPY[:50].copy()
    rows.loc[rows.index[20], "dividend"] = 1000.0
    with pytest.raises(ValueError, match=rf"the dividend of {rows.index[20]:%Y-%m-%d} is not less than the close"):
        factors(rows)
