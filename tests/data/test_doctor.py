"""The doctor: each damage planted in real bars is found where it was planted, and sound bars are left in peace."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollcast.backtests.data.bars import list_bars, load_bars
from rollcast.backtests.data.bundled import bundled, bundled_table
from rollcast.backtests.data.doctor import FATAL, compare_calendar, examine, repair
from rollcast.backtests.data.doubts import far_ends, splits
from rollcast.backtests.data.gaps import against_calendar, partial_last
from rollcast.backtests.data.table import PRICES, Table
from rollcast.predictors.bars import check_bars

BARS = load_bars("SPY", "2019", "2020", adjusted=False)
HOURS = load_bars("AAPL.1h", "2025-03", "2025-06")


def table(rows):
    return Table(rows, "a test", np.arange(2, len(rows) + 2))


def at(place, column, value):
    rows = BARS.copy()
    rows.iloc[place, rows.columns.get_loc(column)] = value
    return rows


DAMAGE = {
    "date": BARS.set_axis(BARS.index.where(np.arange(len(BARS)) != 100)),
    "duplicates": BARS.iloc[np.r_[:101, 100, 101 : len(BARS)]],
    "unsorted": BARS.iloc[np.r_[:100, 101, 100, 102 : len(BARS)]],
    "missing": at(100, "close", np.nan),
    "positive": at(100, "low", -1.0),
    "ohlc": at(100, "high", BARS["low"].iloc[100]),
    "volume": at(100, "volume", -5.0),
}


@pytest.mark.parametrize("check", DAMAGE)
def test_planted_damage_is_fatal_and_found_where_it_is(check):
    found = examine(table(DAMAGE[check]))
    assert check in [finding.check for finding in found]
    assert all(finding.fatal for finding in found)
    places = np.flatnonzero(next(finding for finding in found if finding.check == check).where)
    assert set(places) <= {100, 101}
    assert f"row {places[0] + 2}" in next(f for f in found if f.check == check).sentence(table(DAMAGE[check]))


@pytest.mark.parametrize("check", DAMAGE)
def test_every_fatal_damage_is_what_bars_are_refused_for_and_repair_mends_it(check):
    with pytest.raises(ValueError, match="bars: "):
        check_bars(DAMAGE[check])
    mended, said = repair(table(DAMAGE[check]))
    check_bars(mended.rows)
    assert len(said) == 1
    assert "(row 10" in said[0]
    assert len(mended.rows) == len(mended.lines)


def test_there_is_damage_for_every_fatal_check():
    # That a bar lies in the future is held in test_one_series.py: it is no fault of the bars in themselves.
    assert {*DAMAGE, "future"} == {check for check, _, _ in FATAL}


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 8))
def test_whatever_is_broken_the_doctor_refuses_exactly_what_bars_may_not_be(seed, damages):
    rng = np.random.default_rng(seed)
    rows = BARS.iloc[:60].copy()
    for _ in range(damages):
        place, column = rng.integers(60), rng.integers(5)
        rows.iloc[place, column] *= rng.choice([0.5, 1.0001, 2.0, -1.0, 0.0, np.nan, 1.0])
    fatal = [finding for finding in examine(table(rows)) if finding.fatal]
    try:
        check_bars(rows.fillna({"volume": 0.0}))
    except ValueError:
        assert fatal
    else:
        assert not fatal
    mended, _ = repair(table(rows))
    check_bars(mended.rows.fillna({"volume": 0.0}))
    pd.testing.assert_frame_equal(repair(mended)[0].rows, mended.rows)


@pytest.mark.parametrize("symbol", bundled())
def test_nothing_bundled_is_fatal(symbol):
    assert not [finding for finding in examine(bundled_table(symbol)) if finding.fatal]


@pytest.mark.parametrize("symbol", [symbol for symbol, row in list_bars().iterrows() if row["frequency"] == "daily"])
def test_the_bundled_days_are_the_calendar_s(symbol):
    assert compare_calendar(bundled_table(symbol)) == []


def doubts(rows):
    return {finding.check: finding for finding in examine(table(rows))}


def test_sound_bars_raise_no_doubt():
    assert doubts(BARS) == {}


def test_a_feed_that_hung_is_doubted():
    rows = BARS.copy()
    rows.iloc[200:207, :4] = rows.iloc[200, :4].to_numpy()
    assert np.flatnonzero(doubts(rows)["stale"].where).tolist() == list(range(200, 207))
    rows.iloc[204, 3] *= 1.001
    rows["high"] = rows[PRICES].max(axis=1)
    assert "stale" not in doubts(rows)


def test_days_without_trade_are_doubted_and_series_without_volume_are_not():
    assert np.flatnonzero(doubts(at(50, "volume", 0.0))["zero volume"].where).tolist() == [50]
    assert np.flatnonzero(doubts(at(50, "volume", np.nan))["volume"].where).tolist() == [50]
    assert doubts(BARS.assign(volume=0.0)) == {}


@pytest.mark.parametrize(("day", "ratio"), [("2000-06-21", 2), ("2005-02-28", 2)])
def test_the_splits_of_apple_are_suspected_in_raw_prices_and_nowhere_else(day, ratio):
    raw = bundled()["AAPL"].drop(columns="adj_close")
    places = np.flatnonzero(doubts(raw)["split"].where)
    assert pd.Timestamp(day) in raw.index[places]
    assert len(places) == 2
    assert "split" not in doubts(bundled()["AAPL"])
    known = raw.assign(split=0.0)
    known.loc[day, "split"] = ratio
    assert pd.Timestamp(day) not in raw.index[doubts(known)["split"].where]


@pytest.mark.parametrize("symbol", ["IBM", "GOOG", "FB", "SPY", "BTC-USD"])
def test_no_crash_of_a_market_is_taken_for_a_split(symbol):
    assert "split" not in doubts(load_bars(symbol, adjusted=False))


@pytest.mark.parametrize("ratio", [5 / 4, 4 / 3, 3 / 2, 2, 3, 7, 10, 1 / 2, 1 / 10])
def test_a_split_that_nobody_recorded_is_doubted_down_to_five_for_four_and_the_other_way_round(ratio):
    rng = np.random.default_rng(11)
    found = 0
    for symbol in ("SPY", "MSFT", "IBM", "GOOG"):
        sound = load_bars(symbol)
        for place in rng.integers(100, len(sound) - 100, 5):
            rows = sound.copy()
            rows.iloc[place:, :4] /= ratio
            found += bool(splits(rows)[place])
    assert found >= 16  # of 20; the others fell on days that were unusual without it


def test_few_moves_of_the_bundled_symbols_are_taken_for_splits_and_none_where_there_are_opens():
    places = {symbol: splits(rows).sum() for symbol, rows in bundled().items()}
    assert sum(places.values()) <= 5  # of 193,430 bars; 28 symbols
    assert not any(count for symbol, count in places.items() if not symbol.endswith(".sp20"))
    assert not any(far_ends(rows).any() for rows in bundled().values())


def test_a_high_in_pence_among_pounds_is_doubted():
    rows = BARS.copy()
    rows.iloc[300, 1] *= 100
    rows.iloc[400, 2] /= 100
    assert np.flatnonzero(doubts(rows)["range"].where).tolist() == [300, 400]


def test_a_price_a_hundred_times_too_large_is_doubted():
    rows = BARS.copy()
    rows.iloc[300, :4] *= 100
    assert np.flatnonzero(doubts(rows)["spike"].where).tolist() == [300]


# --- the calendar ---


def test_sessions_without_a_bar_are_named():
    holed = BARS.drop([BARS.index[10], BARS.index[20]])
    said = against_calendar(holed.index, "XNYS")
    assert said == [f"2 sessions of XNYS have no bar: {BARS.index[10]:%Y-%m-%d}, {BARS.index[20]:%Y-%m-%d}"]


def test_bars_on_a_holiday_are_named():
    extra = BARS.index.union([pd.Timestamp("2019-12-25")])
    assert against_calendar(extra, "XNYS", guessed=True) == [
        "1 bars stand on days XNYS (assumed) was closed: 2019-12-25"
    ]


def test_a_hole_in_a_market_that_never_closes_is_found_without_a_calendar():
    index = load_bars("BTC-USD", "2020").index
    assert against_calendar(index, "24/7") == []
    assert against_calendar(index.delete([40, 41]), "24/7") == [
        f"1 bars are missing (2 at the usual distance) after: {index[39]:%Y-%m-%d}"
    ]


def test_times_of_another_zone_are_doubted():
    assert against_calendar(HOURS.index, "XNYS") == []
    utc = HOURS.index.tz_localize("America/New_York").tz_convert("UTC").tz_localize(None)
    assert any("the time zone is doubtful" in sentence for sentence in against_calendar(utc, "XNYS"))


def test_a_session_that_lost_its_afternoon_is_named():
    day = HOURS.index.normalize()
    lost = HOURS.index[~((day == "2025-04-02") & (HOURS.index.hour > 12))]
    assert against_calendar(lost, "XNYS") == ["1 sessions have fewer than four fifths of their usual bars: 2025-04-02"]


def test_weeks_and_months_are_held_to_their_own_distance():
    weeks = BARS["close"].resample("W-FRI").last().index
    assert against_calendar(weeks, "XNYS") == []
    assert "1 bars are missing" in against_calendar(weeks.delete(30), "XNYS")[0]
    months = BARS["close"].resample("ME").last().index
    assert against_calendar(months, "XNYS") == []


def test_a_calendar_that_is_not_there_is_said_and_does_not_fail():
    assert against_calendar(BARS.index, "XXXX") == [
        "not compared with a calendar: exchange_calendars knows no exchange 'XXXX'"
    ]
    early = BARS.index - pd.Timedelta(days=365 * 30)
    assert against_calendar(early, "XTKS")[0].startswith("not compared with a calendar: ")


@pytest.mark.parametrize(
    ("last", "now", "unfinished"),
    [
        ("2020-06-30", "2020-06-30 19:59", True),  # New York closes at 20:00 UTC in summer
        ("2020-06-30", "2020-06-30 20:01", False),
        ("2020-06-30", "2020-07-01 03:00", False),
        ("2020-07-01", "2020-06-30 20:00", True),
        ("2020-06-30 15:30", "2020-06-30 19:00", True),
        ("2020-06-30 15:30", "2020-06-30 19:31", False),
        ("2019-06-28", "2020-06-30 12:00", False),
    ],
)
def test_a_bar_is_unfinished_until_its_session_has_closed(last, now, unfinished):
    index = pd.DatetimeIndex(["2019-01-02", last])
    assert partial_last(index, "XNYS", pd.Timestamp(now)) is unfinished
