"""The last bar of a session that the width does not divide: whole at the closing, and not a minute before."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rollcast.backtests.data.resample import resample

NONE = pd.DataFrame(columns=["dividend", "split"])


def session(until: str) -> pd.DataFrame:
    """Every minute of two days in New York, the second day up to this time; a volume of one each."""
    ends = [("2019-12-04", "16:00"), ("2019-12-05", until)]
    days = [pd.date_range(f"{day} 09:31", f"{day} {end}", freq="min") for day, end in ends]
    index = pd.DatetimeIndex(np.concatenate(days), name="date")
    prices = np.arange(100.0, 100.0 + len(index))
    columns = {"open": prices, "high": prices, "low": prices, "close": prices, "volume": 1.0}
    return pd.DataFrame(columns, index=index)


# 390 minutes of 9:30 to 16:00: as bars of so many minutes, the last of them of the rest.
@pytest.mark.parametrize(("bar", "whole", "rest"), [("1h", 6, 30), ("2h", 3, 30), ("4h", 1, 150), ("7m", 55, 5)])
def test_the_rest_of_a_session_is_a_bar_that_ends_at_the_closing(bar, whole, rest):
    bars, _, said = resample(session("16:00"), NONE, bar, "XNYS")
    width = (390 - rest) // whole
    assert bars["volume"].tolist() == 2 * [*[float(width)] * whole, float(rest)]
    assert bars.index[-1] == pd.Timestamp("2019-12-05 16:00")
    assert bars["close"].iloc[-1] == 100 + 2 * 390 - 1
    assert not any("left out" in sentence for sentence in said)


def test_before_the_closing_the_rest_is_left_out():
    bars, _, said = resample(session("15:59"), NONE, "1h", "XNYS")
    assert bars.index[-1] == pd.Timestamp("2019-12-05 15:30")
    assert "left out: the last 29, to 2019-12-05 15:59:00, which may not be a whole bar" in said


def test_where_no_calendar_is_known_half_an_hour_is_no_whole_hour():
    bars, _, said = resample(session("16:00"), NONE, "1h")
    assert bars.index[-1] == pd.Timestamp("2019-12-05 15:30")
    assert "left out: the last 30, to 2019-12-05 16:00:00, which may not be a whole bar" in said
