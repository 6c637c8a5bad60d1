"""Dates: every form a file may have and its exact instant, worked out by hand; and what is refused, with its place."""

from __future__ import annotations

import pandas as pd
import pytest

from rollcast.backtests.data.dates import BadDate, exchange_time, parse_dates

# as written → the wall time it says, to the nanosecond
FORMS = {
    "2021-03-01": "2021-03-01",
    "2021-3-1": "2021-03-01",
    "2021/03/01": "2021-03-01",
    "2021.3.01": "2021-03-01",
    "20210301": "2021-03-01",
    "2021-03": "2021-03-01",
    "31/12/2021": "2021-12-31",
    "12/31/2021": "2021-12-31",
    "31.12.2021": "2021-12-31",
    "12.31.21": "2021-12-31",
    "31-12-21": "2021-12-31",
    "12-31-2021": "2021-12-31",
    "13/12/21": "2021-12-13",  # no month has the number 13
    "12/13/21": "2021-12-13",
    "1-Mar-2021": "2021-03-01",
    "01 March 2021": "2021-03-01",
    "1 Mar. 2021": "2021-03-01",
    "1-mar-21": "2021-03-01",
    "Mar 1, 2021": "2021-03-01",
    "March 1 2021": "2021-03-01",
    "Sept. 30, 2021": "2021-09-30",
    # times of day
    "2021-03-01 16:00:05": "2021-03-01 16:00:05",
    "2021-03-01T16:00": "2021-03-01 16:00",
    "2021-03-01, 9:30": "2021-03-01 09:30",
    "2021-03-01;0930": "2021-03-01 09:30",
    "20210301 093005": "2021-03-01 09:30:05",
    "20210301 235959": "2021-03-01 23:59:59",
    "2021-03-01 16:00:05.5": "2021-03-01 16:00:05.5",
    "2021-03-01 16:00:05,123": "2021-03-01 16:00:05.123",
    "2021-03-01 16:00:05.000007": "2021-03-01 16:00:05.000007",
    "2021-03-01 16:00:05.000000007": "2021-03-01 16:00:05.000000007",
    "2021-03-01 23:59:59.999999999": "2021-03-01 23:59:59.999999999",
    # twelve hours of them
    "2021-03-01 12:00 AM": "2021-03-01 00:00",
    "2021-03-01 12:30 AM": "2021-03-01 00:30",
    "2021-03-01 12:59:59 am": "2021-03-01 00:59:59",
    "2021-03-01 1:00 AM": "2021-03-01 01:00",
    "2021-03-01 11:59 a.m.": "2021-03-01 11:59",
    "2021-03-01 12:00 PM": "2021-03-01 12:00",
    "2021-03-01 12:30 p.m.": "2021-03-01 12:30",
    "2021-03-01 1:00PM": "2021-03-01 13:00",
    "2021-03-01 11:59:59.25 pm": "2021-03-01 23:59:59.25",
}
# as written → the wall time, and how far it is ahead of UTC
ZONED = {
    "2021-03-01T10:00Z": ("2021-03-01 10:00", "0h"),
    "2021-03-01 10:00 UTC": ("2021-03-01 10:00", "0h"),
    "2021-03-01 10:00:00 GMT": ("2021-03-01 10:00", "0h"),
    "2021-03-01 10:00+00:00": ("2021-03-01 10:00", "0h"),
    "2021-03-01 10:00:00.000-05:00": ("2021-03-01 10:00", "-5h"),
    "2021-03-01 10:00 -05": ("2021-03-01 10:00", "-5h"),
    "2021-03-01 10:00+05:30": ("2021-03-01 10:00", "5h30min"),
    "2021-03-01 10:00-0330": ("2021-03-01 10:00", "-3h30min"),
    "2021-03-01 10:00+14": ("2021-03-01 10:00", "14h"),
    "2021-03-01 01:00 PM -05:00": ("2021-03-01 13:00", "-5h"),
    "20210301 1000+0900": ("2021-03-01 10:00", "9h"),
    "13/03/2021 10:00Z": ("2021-03-13 10:00", "0h"),
}
# stamps since 1970: 2021-03-01 is day 18,687, second 1,614,556,800
COUNTED = {
    "1614556800": ("2021-03-01", "seconds"),
    "1614556801.0": ("2021-03-01 00:00:01", "seconds"),
    "1614556801.": ("2021-03-01 00:00:01", "seconds"),
    "1614556800007": ("2021-03-01 00:00:00.007", "milliseconds"),
    "1614556800000007": ("2021-03-01 00:00:00.000007", "microseconds"),
    "1614556800000000007": ("2021-03-01 00:00:00.000000007", "nanoseconds"),
}


@pytest.mark.parametrize(("text", "instant"), FORMS.items())
def test_every_form_is_the_instant_it_says(text, instant):
    stamps = parse_dates([text])
    assert stamps.wall.tolist() == [pd.Timestamp(instant)]
    assert stamps.offset is None


@pytest.mark.parametrize(("text", "wall", "ahead"), [(text, *of) for text, of in ZONED.items()])
def test_an_offset_is_how_far_the_wall_time_is_ahead_of_utc(text, wall, ahead):
    stamps = parse_dates([text])
    assert stamps.wall.tolist() == [pd.Timestamp(wall)]
    assert stamps.offset.tolist() == [pd.Timedelta(ahead)]


@pytest.mark.parametrize(("text", "instant", "unit"), [(text, *of) for text, of in COUNTED.items()])
def test_a_stamp_is_counted_since_1970_in_the_unit_of_its_length(text, instant, unit):
    stamps = parse_dates([text, "1" + "0" * (len(text.split(".")[0]) - 1)])
    assert stamps.wall.tolist() == [pd.Timestamp(instant), pd.Timestamp("2001-09-09 01:46:40")]
    assert stamps.offset.tolist() == [pd.Timedelta(0)] * 2
    assert stamps.statements == [f"dates are {unit} since 1970"]


def test_a_column_of_stamps_may_begin_before_the_billionth_second():
    assert parse_dates(["1000000000", "999999999"]).wall.tolist() == [
        pd.Timestamp("2001-09-09 01:46:40"),
        pd.Timestamp("2001-09-09 01:46:39"),
    ]


@pytest.mark.parametrize(
    ("texts", "days"),
    [
        (["01/02/2021", "13/02/2021"], ["2021-02-01", "2021-02-13"]),
        (["01/02/2021", "02/13/2021"], ["2021-01-02", "2021-02-13"]),
        (["12.11.21", "13.11.21"], ["2021-11-12", "2021-11-13"]),
        (["11-12-21", "11-13-21"], ["2021-11-12", "2021-11-13"]),
    ],
)
def test_one_day_over_twelve_settles_the_order_of_all(texts, days):
    stamps = parse_dates(texts)
    assert stamps.wall.tolist() == [pd.Timestamp(day) for day in days]


def test_what_was_found_out_is_said_and_what_is_plain_is_not():
    said = {text: parse_dates([text]).statements for text in ("2021-03-01", "2021/03/01", "31.12.21", "1-Mar-21")}
    assert list(said.values()) == [[], [], ["dates read as %d.%m.%y"], ["dates read as %d %b %y"]]
    assert parse_dates(["12/31/2021 10:00Z"]).statements == ["dates read as %m/%d/%Y"]


def test_morning_and_afternoon_may_stand_beside_times_of_twenty_four_hours():
    stamps = parse_dates(["2021-03-01 12:15 am", "2021-03-01 12:15", "2021-03-01 12:15 pm", "2021-03-01 15:00"])
    assert (stamps.wall - pd.Timestamp("2021-03-01")).tolist() == [
        pd.Timedelta(span) for span in ("15min", "12h15min", "12h15min", "15h")
    ]


@pytest.mark.parametrize(
    ("texts", "place", "words"),
    [
        (
            ["soon", "later"],
            0,
            r"'soon' is not a date in a known form; say its form with --date-format, as in %d/%m/%Y",
        ),
        (["2021-03-01", "2021-02-29"], 1, "'2021-02-29' is not a date of the form %Y-%m-%d"),
        (["2021-03-01", ""], 1, "the date is missing"),
        (["2021-03-01", "2021-03-02", "03/03/2021"], 2, "'03/03/2021' is not a date like '2021-03-01' in the first"),
        (["2021-03-01 10:00Z", "2021-03-01 11:00"], 1, "'2021-03-01 11:00' has no time zone, and others have"),
        (
            ["12/12/2021", "11/11/2021"],
            0,
            "'12/12/2021' can be read with .*say which with --date-format %d/%m/%Y or .*%m/%d/%Y",
        ),
        (["13/01/2021", "12/01/2021", "01/13/2021"], 2, "'01/13/2021' puts day and month in another order than the"),
        (["01/13/2021", "12/01/2021", "13/01/2021"], 2, "'13/01/2021' puts day and month in another order than the"),
        (["1614556800", "12345678"], 1, "'12345678' is not a stamp like '1614556800' in the first row"),
        (["1614556800", "1614556801.5"], 1, "'1614556801.5' is not a stamp like '1614556800' in the first row"),
        (["1614556800.5"], 0, "is not a date in a known form"),
    ],
)
def test_what_is_no_date_or_could_be_two_is_refused_with_its_place(texts, place, words):
    with pytest.raises(BadDate, match=words) as refused:
        parse_dates(texts)
    assert refused.value.place == place


CLOCKS = ["24:00", "25:00", "2400", "10:60", "1060", "10:59:60", "105960"]


@pytest.mark.parametrize("time", [*CLOCKS, "10:75 AM", "13:00 PM", "13:30 pm", "13:00 AM", "23:59:59 a.m."])
def test_a_time_that_no_day_has_is_refused(time):
    with pytest.raises(BadDate, match=f"'2021-03-01 {time}' has no such time of day") as refused:
        parse_dates(["2021-03-01 12:59 PM", f"2021-03-01 {time}"])
    assert refused.value.place == 1


@pytest.mark.parametrize("offset", ["+15:00", "-25:00", "+05:60", "-0599", "+5"])
def test_an_offset_that_no_clock_has_is_refused(offset):
    with pytest.raises(BadDate, match="is not a date like '2021-03-01 10:00Z' in the first row"):
        parse_dates(["2021-03-01 10:00Z", f"2021-03-01 10:00{offset}"])


def test_a_form_that_is_said_settles_everything():
    texts = ["02/03/2021", "03/03/2021"]
    stamps = parse_dates(texts, "%d/%m/%Y")
    assert stamps.wall.tolist() == [pd.Timestamp("2021-03-02"), pd.Timestamp("2021-03-03")]
    assert (stamps.offset, stamps.statements) == (None, ["dates read as %d/%m/%Y"])
    with pytest.raises(BadDate, match=r"'03/03/2021' is not a date of the form %d\.%m\.%Y") as refused:
        parse_dates(["02.03.2021", texts[1]], "%d.%m.%Y")
    assert refused.value.place == 1
    with pytest.raises(ValueError, match="--date-format %Q: 'Q' is a bad directive"):
        parse_dates(texts, "%Q")


def test_a_form_with_a_zone_is_turned_to_utc():
    stamps = parse_dates(["2021-03-01 10:00 -0500", "2021-03-01 10:00 +0530"], "%Y-%m-%d %H:%M %z")
    assert stamps.wall.tolist() == [pd.Timestamp("2021-03-01 15:00"), pd.Timestamp("2021-03-01 04:30")]
    assert stamps.offset.tolist() == [pd.Timedelta(0)] * 2


# --- exchange time ---


def exchange(texts, zone=None):
    """Exchange time as text, and the last sentence of what was said."""
    wall, said = exchange_time(parse_dates(texts), zone)
    return [f"{stamp:%Y-%m-%d %H:%M}" for stamp in wall], said[-1] if said else None


UTC = ["2021-01-04T15:00Z", "2021-07-01T15:00Z"]  # Monday in winter, Thursday in summer
GUESS = "times turned from UTC to America/New_York; say another exchange's with --time-zone"


@pytest.mark.parametrize(
    ("texts", "zone", "instants", "said"),
    [
        (UTC, None, ["2021-01-04 10:00", "2021-07-01 11:00"], GUESS),
        (UTC, "Asia/Tokyo", ["2021-01-05 00:00", "2021-07-02 00:00"], "times turned from UTC to Asia/Tokyo"),
        (["2021-01-08T15:00Z"], None, ["2021-01-08 10:00"], GUESS),  # a Friday
        (["1609772400"], None, ["2021-01-04 10:00"], GUESS),  # 18,631 days and 15 hours
        (["2021-01-04 10:00-05:00"], "America/New_York", ["2021-01-04 10:00"], "times turned from UTC to America/New_"),
        (["2021-01-04 10:00-05:00"], "Europe/London", ["2021-01-04 15:00"], "times turned from UTC to Europe/London"),
        (["2021-01-04 10:00+05:30"], "UTC", ["2021-01-04 04:30"], "times turned from UTC to UTC"),
        (["2021-01-09T15:00Z"], "America/New_York", ["2021-01-09 10:00"], "times turned from UTC to America/New_York"),
    ],
)
def test_times_whose_offset_is_known_are_turned_to_the_exchange(texts, zone, instants, said):
    ours, sentence = exchange(texts, zone)
    assert ours == instants
    assert sentence.startswith(said)
    assert zone is None or sentence.endswith(zone)


@pytest.mark.parametrize("day", ["2021-01-09", "2021-01-10"])  # a Saturday and a Sunday
def test_utc_stays_utc_where_there_are_bars_on_weekends(day):
    ours, said = exchange([f"{day}T15:00Z", "2021-01-11T15:00Z"])
    assert ours == [f"{day} 15:00", "2021-01-11 15:00"]
    assert said == "times are UTC, and stay so: there are bars on weekends"


@pytest.mark.parametrize("offsets", [("-05:00", "-05:00"), ("Z", "+01:00")])
def test_another_offset_than_utcs_is_the_exchanges_own(offsets):
    ours, said = exchange([f"2021-01-{day} 10:00{offset}" for day, offset in zip(("08", "09"), offsets, strict=True)])
    assert ours == ["2021-01-08 10:00", "2021-01-09 10:00"]
    assert said == "the offset from UTC was dropped; times are exchange time as written"


def test_days_are_never_moved_and_one_bar_off_midnight_makes_them_times():
    days = ["2021-01-04T00:00Z", "2021-01-05T00:00Z"]
    for zone in (None, "Asia/Tokyo"):
        ours, said = exchange(days, zone)
        assert ours == ["2021-01-04 00:00", "2021-01-05 00:00"]
        assert said == "the time zone of the dates was dropped; they are days"
    ours, _ = exchange([*days, "2021-01-06T00:01Z"], "Asia/Tokyo")
    assert ours == ["2021-01-04 09:00", "2021-01-05 09:00", "2021-01-06 09:01"]


def test_times_without_a_zone_are_exchange_time_whatever_the_exchange():
    for zone in (None, "Asia/Tokyo"):
        assert exchange(["2021-01-04 15:00"], zone) == (["2021-01-04 15:00"], None)


def test_what_was_said_before_is_kept_and_an_unknown_zone_is_refused():
    _, said = exchange_time(parse_dates(["13/01/2021 10:00Z"]), "Europe/London")
    assert said == ["dates read as %d/%m/%Y", "times turned from UTC to Europe/London"]
    with pytest.raises(ValueError, match="'Tokyo' is not a time zone; write it as America/New_York, Europe/London or"):
        exchange_time(parse_dates(["2021-01-04"]), "Tokyo")
