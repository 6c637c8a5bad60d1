"""Dates as files write them: read where there is one way to, refused where there are two.

`01/02/2021` is refused in a column where no number is over 12; a strptime format settles it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import available_timezones

import numpy as np
import pandas as pd

NEW_YORK = "America/New_York"
HALF = pd.Timedelta(hours=12)
_TIME = r"(?P<time>\d{1,2}:\d{2}(?::\d{2})?(?:[.,]\d+)?|\d{6}|\d{4})?(?P<half> ?[AaPp]\.?[Mm]\.?)?"
_ZONE = r"(?P<zone> ?(?:Z|UTC|GMT|[+-](?:0\d|1[0-4])(?::?[0-5]\d)?))?"
_CLOCK = r"\d{1,2}:[0-5]\d:[0-5]\d(\.\d+)?"
_MONTH = r"(?P<month>[A-Za-z]{3,9})\.?"
# pattern of a date → its strptime forms; of two forms the first has the day first, the second the month first
PATTERNS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"\d{4}-\d{1,2}-\d{1,2}", ("%Y-%m-%d",)),
    (r"\d{4}/\d{1,2}/\d{1,2}", ("%Y/%m/%d",)),
    (r"\d{4}\.\d{1,2}\.\d{1,2}", ("%Y.%m.%d",)),
    (r"\d{8}", ("%Y%m%d",)),
    *(
        (
            rf"\d{{1,2}}{re.escape(mark)}\d{{1,2}}{re.escape(mark)}{year}",
            (f"%d{mark}%m{mark}{form}", f"%m{mark}%d{mark}{form}"),
        )
        for mark in "/.-"
        for year, form in ((r"\d{4}", "%Y"), (r"\d{2}", "%y"))
    ),
    (rf"\d{{1,2}}[- ]{_MONTH}[- ]\d{{4}}", ("%d %b %Y",)),
    (rf"\d{{1,2}}[- ]{_MONTH}[- ]\d{{2}}", ("%d %b %y",)),
    (rf"{_MONTH} \d{{1,2}},? \d{{4}}", ("%b %d %Y",)),
    (r"\d{4}-\d{2}", ("%Y-%m",)),
)
USUAL = tuple(forms[0] for _, forms in PATTERNS if len(forms) == 1 and "%b" not in forms[0])
# the patterns of most files; a column of one of them is parsed at once
PLAIN = ((r"\d{4}-\d\d-\d\d", "%Y-%m-%d"), (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "%Y-%m-%d %H:%M:%S"))
# a stamp since 1970: seconds from March 1973 on or before 1970, and finer units
_STAMP = re.compile(r"(-\d{1,10}|\d{9,10}|\d{13}|\d{16}|\d{19})(\.0*)?")
UNITS = ((10, "s"), (13, "ms"), (16, "us"), (19, "ns"))  # the most digits of each
NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


class BadDate(ValueError):
    """A date that cannot be read; `place` is its position in the column, from 0."""

    def __init__(self, place: int, message: str) -> None:
        """place: the position of the text in its column; message: with the text itself."""
        super().__init__(message)
        self.place = place


@dataclass(frozen=True)
class Stamps:
    """Dates as written.

    wall: local time without its zone.   offset: its distance from UTC; None where the texts have none.
    statements: what was detected, one sentence each.
    """

    wall: pd.DatetimeIndex
    offset: pd.TimedeltaIndex | None
    statements: list[str]


def parse_dates(texts: Sequence[str], form: str | None = None) -> Stamps:
    """The dates of a column.

    texts: at least one; the first decides the pattern.   form: a strptime format, which overrides what is detected.

    Raises BadDate for the first text that is no date, and where a date can be read in two ways; ValueError for a
    format that strptime does not know.
    """
    column = pd.Series(texts, dtype="str")
    if form is not None:
        return _exactly(column, form)
    if (stamps := _epoch(column)) is not None:
        return stamps
    for shape, plain in PLAIN:
        if re.fullmatch(shape, texts[0]):
            quick = pd.to_datetime(column, format=plain, errors="coerce")
            if not quick.isna().any():
                return Stamps(pd.DatetimeIndex(quick), None, [])
    for pattern, forms in PATTERNS:
        whole = re.compile(rf"(?P<date>{pattern})(?:[T ,;]+{_TIME}{_ZONE})?$")
        if whole.match(texts[0]):
            parts = column.str.extract(whole)
            _refuse(column, parts["date"].isna().to_numpy(), f"is not a date like {texts[0]!r} in the first row")
            return _read(column, parts, forms)
    raise BadDate(0, f"{texts[0]!r} is not a date in a known form; say its form with --date-format, as in %d/%m/%Y")


def exchange_time(stamps: Stamps, zone: str | None) -> tuple[pd.DatetimeIndex, list[str]]:
    """Dates in the exchange's time, without a zone, and the statements about them.

    zone: the exchange's, where the caller knows it. Without it, dates without a time of day are never moved; offsets
    other than UTC's are taken as the exchange's own; times in UTC stay so where there are bars on weekends, and are
    converted to New York's otherwise.

    Raises ValueError for a zone that is none, and where the clocks' going back makes a local time come twice.
    """
    wall, offset, statements = stamps.wall, stamps.offset, stamps.statements
    if zone is not None and zone not in available_timezones():
        raise ValueError(f"{zone!r} is not a time zone; write it as {NEW_YORK}, Europe/London or UTC")
    if offset is None:
        return wall, statements
    if (wall == wall.normalize()).all():
        return wall, [*statements, "the time zone of the dates was dropped; they are days"]
    utc = (wall - offset).tz_localize("UTC")
    if zone is None and (offset != pd.Timedelta(0)).any():
        if wall.has_duplicates and not utc.has_duplicates:
            twice = wall[wall.duplicated()][0]
            raise ValueError(
                f"{twice:%Y-%m-%d %H:%M} comes twice, as clocks go back; say --time-zone UTC to read the times in UTC"
            )
        return wall, [*statements, "the offset from UTC was dropped; times are exchange time as written"]
    if zone is None and (wall.day_of_week >= 5).any():
        return wall, [*statements, "times are UTC, and stay so: there are bars on weekends"]
    guess = "" if zone else "; say another exchange's with --time-zone"
    zone = zone or NEW_YORK
    return utc.tz_convert(zone).tz_localize(None), [*statements, f"times turned from UTC to {zone}{guess}"]


def _read(column: pd.Series, parts: pd.DataFrame, forms: tuple[str, ...]) -> Stamps:
    """The dates of texts that all have the shape of one pattern.

    parts: the columns `date`, `time`, `half` (AM or PM) and `zone` of the texts; forms: the strptime forms that the
    shape can have. Raises BadDate.
    """
    dates = parts["date"]
    if "%b" in forms[0]:
        dates = dates.str.replace(r"[-,.]", " ", regex=True).str.replace(r" +", " ", regex=True)
        dates = dates.str.replace(r"([A-Za-z]{3})[A-Za-z]*", r"\1", regex=True)
    form = forms[0] if len(forms) == 1 else _day_or_month(dates, forms)
    days = pd.to_datetime(dates, format=form, errors="coerce")
    _refuse(column, days.isna().to_numpy(), f"is not a date of the form {form}")
    days = _in_the_past(days) if "%y" in form else days
    wall = pd.DatetimeIndex(days + _times(column, parts))
    statements = [f"dates read as {form}"] if form not in USUAL else []
    offsets = parts["zone"].dropna()
    if offsets.empty:
        return Stamps(wall, None, statements)
    _refuse(column, parts["zone"].isna().to_numpy(), "has no time zone, and others have")
    spans = {zone: _offset(zone) for zone in offsets.unique()}
    return Stamps(wall, pd.TimedeltaIndex(parts["zone"].map(spans)), statements)


def _in_the_past(days: pd.Series) -> pd.Series:
    """Days of years in two digits, of which 62 is 1962 as long as 2062 is in the future."""
    return days.where(days <= pd.Timestamp.now() + pd.Timedelta(days=1), days - pd.DateOffset(years=100))


def _day_or_month(dates: pd.Series, forms: tuple[str, ...]) -> str:
    """The one of two forms, day first or month first, that the numbers over 12 decide.

    Raises BadDate where rows contradict each other, and where no number decides.
    """
    numbers = dates.str.split(r"[/.\-]", regex=True, expand=True).iloc[:, :2].astype(int).to_numpy()
    day_first, month_first = numbers[:, 0] > 12, numbers[:, 1] > 12
    if day_first.any() and month_first.any():
        place = int(max(np.argmax(day_first), np.argmax(month_first)))
        raise BadDate(place, f"{dates.iloc[place]!r} puts day and month in another order than the rows before it")
    if not day_first.any() and not month_first.any():
        raise BadDate(
            0,
            f"{dates.iloc[0]!r} can be read with the day or the month first, and so can every date here; "
            f"say which with --date-format {forms[0]} or --date-format {forms[1]}",
        )
    return forms[0] if day_first.any() else forms[1]


def _times(column: pd.Series, parts: pd.DataFrame) -> pd.Series:
    """The time of day as a Timedelta; midnight where a text has none. Raises BadDate for a time that is none."""
    times = parts["time"].fillna("000000").str.replace(",", ".")
    digits = ~times.str.contains(":")
    packed = times.str.pad(6, side="right", fillchar="0")
    times = times.where(~digits, packed.str[:2] + ":" + packed.str[2:4] + ":" + packed.str[4:6])
    times = times.where(times.str.count(":") == 2, times + ":00")
    spans = pd.to_timedelta(times.where(times.str.fullmatch(_CLOCK)), errors="coerce")
    _refuse(column, (spans.isna() | (spans >= pd.Timedelta(days=1))).to_numpy(), "has no such time of day")
    half = parts["half"].str.strip().str[0].str.lower()
    if half.notna().any():
        _refuse(column, (half.notna() & (spans >= pd.Timedelta(hours=13))).to_numpy(), "has no such time of day")
        noon = spans >= HALF
        spans = spans + HALF * ((half == "p") & ~noon).astype(int) - HALF * ((half == "a") & noon).astype(int)
    return spans


def _offset(zone: str) -> pd.Timedelta:
    """The distance from UTC that a text such as Z, +02:00 or -0530 means."""
    digits = re.sub(r"[^0-9]", "", zone).ljust(4, "0")
    span = pd.Timedelta(hours=int(digits[:2]), minutes=int(digits[2:4]))
    return -span if "-" in zone else span


def _epoch(column: pd.Series) -> Stamps | None:
    """Dates counted in units since 1970, the unit of each by its number of digits; None where the first is none.

    Raises BadDate for a later text that is none, and for dates that are years apart, as milliseconds of few digits are.
    """
    if not _STAMP.fullmatch(column.iloc[0]):
        return None
    wrong = ~column.str.fullmatch(_STAMP.pattern).to_numpy(bool)
    _refuse(column, wrong, f"is not a stamp like {column.iloc[0]!r} in the first row")
    counts = column.str.replace(r"\.0*$", "", regex=True)
    unit = counts.str.lstrip("-").str.len().map(lambda n: next(unit for most, unit in UNITS if n <= most))
    wall = np.empty(len(column), "datetime64[ns]")
    for name in unit.unique():
        rows = (unit == name).to_numpy()
        wall[rows] = counts[rows].astype("int64").to_numpy().astype(f"datetime64[{name}]")
    if len(wall) > 2 and pd.Series(wall).diff().abs().median() > pd.Timedelta(days=366):
        raise BadDate(0, f"{column.iloc[0]!r} and its like, as {NAMES[unit.iloc[0]]} since 1970, are years apart")
    units = " and ".join(NAMES[name] for name in unit.unique())
    return Stamps(pd.DatetimeIndex(wall), _zero(len(wall)), [f"dates are {units} since 1970"])


def _exactly(column: pd.Series, form: str) -> Stamps:
    """The dates by a strptime form that the caller gave. Raises BadDate, or ValueError for a form that is none."""
    zoned = "%z" in form
    try:
        dates = pd.to_datetime(column, format=form, errors="coerce", utc=zoned)
    except ValueError as error:
        raise ValueError(f"--date-format {form}: {error}") from None
    if dates.isna().all():  # perhaps the form is that of the date alone
        parts = column.str.extract(re.compile(rf"(?P<date>.+?)[T ,;]+{_TIME}{_ZONE}$"))
        if not parts["date"].isna().any():
            return _read(column, parts, (form,))
    _refuse(column, dates.isna().to_numpy(), f"is not a date of the form {form}")
    wall = pd.DatetimeIndex(dates.dt.tz_localize(None))
    wall = pd.DatetimeIndex(_in_the_past(pd.Series(wall))) if "%y" in form else wall
    return Stamps(wall, _zero(len(wall)) if zoned else None, [f"dates read as {form}"])


def _zero(n: int) -> pd.TimedeltaIndex:
    """n distances of zero from UTC."""
    return pd.TimedeltaIndex(np.zeros(n, "timedelta64[s]"))


def _refuse(column: pd.Series, wrong: np.ndarray, what: str) -> None:
    """Raises BadDate for the first text that is wrong, if any is; what: the end of the message."""
    if wrong.any():
        place = int(np.argmax(wrong))
        text = column.iloc[place]
        raise BadDate(place, f"{text!r} {what}" if text else "the date is missing")
