"""Features, targets and scales against numbers worked out by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from rollcast.predictors.features import FEATURES, Scale, check_features, features, lookbacks, next_returns

# Natural logarithms from a table.
LN_2, LN_3, LN_5 = 0.693147180559945, 1.098612288668110, 1.609437912434100
LN_1_1, LN_0_9, LN_1_25, LN_1_5 = 0.095310179804325, -0.105360515657826, 0.223143551314210, 0.405465108108164
#                   open    high   low    close  volume
ROWS = np.array(
    [
        [80.0, 100.0, 80.0, 100.0, 1000.0],
        [100.0, 125.0, 100.0, 110.0, 2000.0],  # opens where the bar before closed
        [99.0, 150.0, 50.0, 99.0, 0.0],
        [148.5, 148.5, 99.0, 99.0, 500.0],
        [49.5, 99.0, 49.5, 99.0, 100.0],
        [108.9, 108.9, 108.9, 108.9, 300.0],
    ]
)
BARS = pd.DataFrame(ROWS, pd.bdate_range("2020", periods=6), ["open", "high", "low", "close", "volume"])
NAN = float("nan")
TABLE = {
    "return": [NAN, LN_1_1, LN_0_9, 0.0, 0.0, LN_1_1],
    "range": [NAN, LN_1_25, LN_3, LN_1_5, LN_2, 0.0],
    "gap": [NAN, 0.0, LN_0_9, LN_1_5, -LN_2, LN_1_1],
    "volume": [NAN, LN_2, 0.0, 0.0, -LN_5, LN_3],  # 0 on a bar without trade and on the one after it
}


def test_the_table_holds_every_feature():
    assert set(TABLE) == set(FEATURES)


@pytest.mark.parametrize("name", FEATURES)
def test_a_feature_is_the_number_worked_out_by_hand(name):
    assert features(BARS, [name])[:, 0] == pytest.approx(TABLE[name], abs=1e-14, nan_ok=True)


@pytest.mark.parametrize("names", [FEATURES, *permutations(FEATURES, 2)])
def test_columns_come_in_the_order_of_their_names(names):
    ours = features(BARS, names)
    assert ours.shape == (6, len(names))
    assert ours == pytest.approx(np.column_stack([TABLE[name] for name in names]), abs=1e-14, nan_ok=True)


def test_the_order_of_the_columns_of_the_bars_does_not_matter():
    np.testing.assert_array_equal(features(BARS[BARS.columns[::-1]]), features(BARS))


def test_the_target_of_a_bar_is_the_return_of_the_next_and_the_last_has_none():
    assert next_returns(BARS) == pytest.approx([LN_1_1, LN_0_9, 0.0, 0.0, LN_1_1, NAN], abs=1e-14, nan_ok=True)


def test_a_lookback_is_the_rows_up_to_its_own_oldest_first():
    rows = np.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]])
    ours = lookbacks(rows, 3)
    assert ours.tolist() == [[[1, 10], [2, 20], [3, 30]], [[2, 20], [3, 30], [4, 40]]]
    assert lookbacks(rows, 4).shape == (1, 4, 2)
    assert lookbacks(rows, 1)[:, 0].tolist() == rows.tolist()


def test_a_scale_is_the_mean_and_the_deviation_of_the_rows_that_are_numbers():
    # 1, 3, 5, 7: mean 4, squares 9 + 1 + 1 + 9 over 4 is 5; the second column stands still.
    rows = np.array([[NAN, NAN], [1.0, 6.0], [3.0, 6.0], [5.0, 6.0], [7.0, 6.0]])
    scale = Scale.of(rows)
    assert scale.mean.tolist() == [4.0, 6.0]
    assert scale.std.tolist() == pytest.approx([5**0.5, 1.0], rel=1e-15)
    assert scale.apply(np.array([[4 + 5**0.5, 8.0]])).tolist() == [pytest.approx([1.0, 2.0], rel=1e-15)]
    assert scale.undo(np.array([[-1.0, 0.5]])).tolist() == [pytest.approx([4 - 5**0.5, 6.5], rel=1e-15)]


@pytest.mark.parametrize("names", [[], ["return", "return"], ["close"], ["gap", "colour"]])
def test_features_that_are_none_twice_or_unknown_are_refused(names):
    with pytest.raises(ValueError, match=r"one or more of return, range, gap, volume, each once; got .*") as refused:
        check_features(names)
    assert str(refused.value).endswith("got " + ", ".join(names))


@pytest.mark.parametrize("names", [FEATURES, ["gap"], ["volume", "return"]])
def test_features_that_are_known_pass(names):
    check_features(names)
