"""Bars: what is accepted, and the date at which it is not."""

import numpy as np
import pandas as pd
import pytest

from rollcast.predictors.bars import check_bars, random_walk


@pytest.fixture
def bars():
    return random_walk(10)


def test_a_synthetic_market_is_valid_bars(bars):
    check_bars(bars)


@pytest.mark.parametrize(
    ("corrupt", "message"),
    [
        (lambda b: b.drop(columns="open"), "missing column 'open'"),
        (lambda b: b.reset_index(drop=True), "expected a DatetimeIndex"),
        (lambda b: b.iloc[:0], "no bars"),
        (lambda b: b.tz_localize("UTC"), "tz-naive"),
        (lambda b: b.iloc[[0, 1, 1, 2]], "two bars share a date, first at 2000-01-04"),
        (lambda b: b.iloc[[0, 2, 1, 3]], "not sorted, first at 2000-01-04"),
        (
            lambda b: b.assign(close=b["close"].where(b.index != b.index[3])),
            "missing or not positive, first at 2000-01-06",
        ),
        (lambda b: b.assign(low=0.0), "missing or not positive"),
        (lambda b: b.assign(close=np.inf), "missing or not positive"),
        (lambda b: b.assign(volume=-1.0), "volume is missing or negative"),
        (lambda b: b.assign(high=b["low"]), "high is below another price"),
        (lambda b: b.assign(low=b["high"]), "low is above another price"),
    ],
)
def test_bad_bars_are_refused_with_the_reason(bars, corrupt, message):
    with pytest.raises((ValueError, TypeError), match=message):
        check_bars(corrupt(bars), "prices.csv")


def test_bars_must_be_a_frame():
    with pytest.raises(TypeError, match="expected a DataFrame, got Series"):
        check_bars(pd.Series([1.0]))


def test_the_same_seed_is_the_same_market():
    pd.testing.assert_frame_equal(random_walk(50, seed=3), random_walk(50, seed=3))
