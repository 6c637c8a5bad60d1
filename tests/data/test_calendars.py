"""A year of bars, and the sessions in it, from the index itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rollcast.backtests.data.bars import bars_per_year, load_bars
from rollcast.backtests.data.calendars import guess_exchange, schedule, session_starts, sessions_per_year
from rollcast.backtests.data.load import load


@pytest.mark.parametrize(
    ("exchange", "usual"), [("XNYS", 252), ("XLON", 252), ("XTKS", 245), ("XHKG", 246), ("XBOM", 247)]
)
def test_a_year_has_the_sessions_its_exchange_holds(exchange, usual):
    days = schedule(exchange, pd.Timestamp("2008-01-01"), pd.Timestamp("2019-12-31")).index
    assert abs(sessions_per_year(days) - usual) <= 1


@pytest.mark.parametrize("start", ["1995-03-01", "2001-01-01", "2001-09-20", "2012-06-15", "2019-01-01"])
def test_any_two_years_of_new_york_have_252_sessions_each(start):
    first = pd.Timestamp(start)
    days = schedule("XNYS", first, first + pd.DateOffset(years=2, days=4)).index
    assert sessions_per_year(days) == 252


def test_five_days_a_week_and_seven():
    assert sessions_per_year(pd.bdate_range("2010", "2020")) == 260
    assert sessions_per_year(pd.date_range("2010", "2020")) == 365
    assert sessions_per_year(pd.date_range("2010-01-01", periods=100)) == 365
    assert sessions_per_year(pd.bdate_range("2010-01-01", periods=100)) == 252


def test_a_few_weekend_bars_do_not_make_a_market_that_never_closes():
    days = load_bars("SPY").index.union(pd.to_datetime(["2010-01-02", "2011-01-08"]))
    assert bars_per_year(days) == 252


def test_minutes_are_the_minutes_of_a_session_times_the_sessions():
    sessions = schedule("XNYS", pd.Timestamp("2018-01-01"), pd.Timestamp("2019-12-31"))
    minutes = pd.DatetimeIndex(
        np.concatenate(
            [pd.date_range(o + pd.Timedelta("1min"), c, freq="min") for o, c in sessions.itertuples(index=False)]
        )
    )
    assert abs(bars_per_year(minutes) - 390 * 252) < 0.01 * 390 * 252
    starts = session_starts(minutes)
    assert starts.sum() == len(sessions)
    assert (minutes[starts].strftime("%H:%M") == "09:31").all()


def test_the_first_hour_of_each_session_is_known_and_days_have_none():
    hours = load_bars("AAPL.1h").index
    starts = session_starts(hours)
    assert starts.sum() == hours.normalize().nunique()
    assert starts[0]
    assert not session_starts(load_bars("SPY").index).any()
    assert not session_starts(pd.date_range("2020-01-01", periods=5000, freq="min")).any()


def test_a_session_of_two_bars_is_known_by_its_nights():
    hours = load_bars("AAPL.1h").index
    twice = hours[hours.strftime("%H:%M").isin(["12:30", "16:00"])]
    for stop in (len(twice), len(twice) - 1):
        starts = session_starts(twice[:stop])
        assert (starts[1:] == (np.diff(twice[:stop].normalize()) > pd.Timedelta(0))).all()


def test_only_bars_with_sessions_have_nights_to_leave_out():
    assert load("SPY").findings == load("BTC-USD").findings == ()
    assert load("SPY").statements == load("BTC-USD").statements == ()


def test_an_early_closing_is_in_the_calendar():
    day = schedule("XNYS", pd.Timestamp("2019-11-29"), pd.Timestamp("2019-11-29"))
    assert day["close"].tolist() == [pd.Timestamp("2019-11-29 13:00")]


def test_the_exchange_of_unnamed_bars_is_guessed_from_weekends():
    assert guess_exchange(load_bars("SPY").index) == "XNYS"
    assert guess_exchange(load_bars("BTC-USD").index) == "24/7"
