"""Bars written in any dialect that the reader claims are read back as they are, or refused by one line."""

from __future__ import annotations

import csv
import gzip
import io
import re
import tempfile
import warnings
import zipfile
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import assume, event, given, settings
from hypothesis import strategies as st

from rollcast.backtests.data.columns import NAMES
from rollcast.backtests.data.files import read_file
from rollcast.backtests.data.options import DataOptions

ZONES = ("America/New_York", "Europe/London", "Asia/Tokyo", "UTC")
PRICES = ("open", "high", "low", "close")
# strptime forms of days, and of times of day after them
DAYS = (
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d.%m.%y"),
    *("%d-%b-%Y", "%d %B %Y", "%b %d, %Y", "%d-%b-%y", "%B %d %Y", "%d-%m-%y"),
)
TIMES = (" %H:%M:%S", "T%H:%M:%S", " %H:%M", " %I:%M %p", " %H%M%S", "T%H:%M:%S.000", ", %I:%M:%S %p", ";%H%M")
EPOCHS = ("s", "ms", "us", "ns")
THREE = re.compile(r"\D*\d{1,3}\.\d{3}")
NOT_DATES = ("time", "gmttime", "localtime")  # of which `time` is a time of day beside a date


@dataclass(frozen=True)
class Series:
    """Bars: prices as whole numbers of 10**-digits, and their days or the times of their closes in a zone."""

    rows: pd.DataFrame
    digits: int
    zone: str
    daily: bool

    @property
    def values(self) -> pd.DataFrame:
        """The bars as they are to be read."""
        floats = self.rows.astype(float)
        prices = [name for name in self.rows if name != "volume"]
        return floats.assign(**{name: floats[name] / 10.0**self.digits for name in prices})


@st.composite
def series(draw: st.DrawFn) -> Series:
    """A few bars of any size of price, with some of the columns."""
    count = draw(st.integers(3, 8))
    daily, zone = draw(st.booleans()), draw(st.sampled_from(ZONES))
    first = draw(st.dates(date(1968 if daily else 1971, 1, 1), date(2025, 1, 1)))
    if daily:
        index = pd.bdate_range(first, periods=count)
    else:
        start = pd.bdate_range(first, periods=1)[0] + pd.Timedelta(hours=draw(st.integers(9, 12)))
        index = pd.date_range(start, periods=count, freq=draw(st.sampled_from(["5min", "15min", "1h"])))
    digits, size = draw(st.sampled_from([0, 2, 3, 4, 6])), 10 ** draw(st.integers(2, 8))
    columns = ["open", "high", "low", "close"] if draw(st.booleans()) else ["close"]
    prices = st.integers(max(size // 10, 1), size)
    rows = {name: draw(st.lists(prices, min_size=count, max_size=count)) for name in columns}
    if draw(st.booleans()):
        most = 10 ** draw(st.integers(1, 10))
        rows["volume"] = draw(st.lists(st.integers(0, most), min_size=count, max_size=count))
    return Series(pd.DataFrame(rows, index=index.as_unit("ns")), digits, zone, daily)


def grouped(whole: int, mark: str) -> str:
    return f"{whole:,}".replace(",", mark)


def numeral(value: int, digits: int, how: dict[str, Any]) -> str:
    """A whole number of 10**-digits as text."""
    whole, part = divmod(value, 10**digits)
    text = grouped(whole, how["thousands"]) + (f"{how['decimal']}{part:0{digits}d}" if digits else "")
    if digits and how["trimmed"]:
        text = text.rstrip("0").rstrip(how["decimal"])
    return how["sign"] + text


@st.composite
def numerals(draw: st.DrawFn) -> dict[str, Any]:
    """How numbers are written."""
    decimal = draw(st.sampled_from([".", ","]))
    apart = ["", "", "'", " ", "\u00a0", "," if decimal == "." else "."]
    return {
        "decimal": decimal,
        "thousands": draw(st.sampled_from(apart)),
        "trimmed": draw(st.booleans()),
        "sign": draw(st.sampled_from(["", "", "", "$", "€ "])),
    }


@st.composite
def dates(draw: st.DrawFn, bars: Series) -> tuple[list[str], str | None]:
    """The dates as text, and the zone to be said; in the zone of the exchange, or in UTC."""
    index = pd.DatetimeIndex(bars.rows.index)
    zoned = index.tz_localize(bars.zone)
    how = draw(st.sampled_from(["plain", "plain", "offset", "UTC", "epoch"]))
    if how == "epoch":
        unit = draw(st.sampled_from(EPOCHS))
        utc = index if bars.daily else zoned.tz_convert("UTC").tz_localize(None)
        return [str(count) for count in utc.as_unit(unit).asi8], bars.zone
    if how == "plain":
        form = draw(st.sampled_from(DAYS)) + ("" if bars.daily else draw(st.sampled_from(TIMES)))
        return list(index.strftime(form)), draw(st.sampled_from([None, bars.zone]))
    if how == "offset":
        return [stamp.isoformat(sep=draw(st.sampled_from(["T", " "]))) for stamp in zoned], bars.zone
    end = draw(st.sampled_from(["Z", "+00:00", " UTC", "+0000"]))
    utc = index if bars.daily else zoned.tz_convert("UTC").tz_localize(None)
    return [f"{stamp:%Y-%m-%dT%H:%M:%S}{end}" for stamp in utc], bars.zone


@st.composite
def names(draw: st.DrawFn, columns: list[str]) -> dict[str, str]:
    """A name for the date and every column, as some exporter has it."""
    case = draw(st.sampled_from([str.lower, str.upper, str.title, "<{}>".format, "{}*".format]))
    allowed = {role: [name for name in NAMES[role] if len(name) > 1 and name not in NOT_DATES] for role in NAMES}
    return {role: case(draw(st.sampled_from(allowed[role]))) for role in ["date", *columns]}


def packed(content: bytes, how: str) -> bytes:
    if how == "gzip":
        return gzip.compress(content, mtime=0)
    if how == "zip":
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("prices.csv", content)
        return buffer.getvalue()
    return content


@st.composite
def layouts(draw: st.DrawFn, bars: Series, table: pd.DataFrame) -> tuple[list[list[str]], pd.DataFrame, str | None]:
    """The header rows, the table with its columns as they are to stand, and the symbol to be said."""
    kinds = ["named", "named", "long", "wide", "two rows", *["no header"] * (len(bars.rows.columns) >= 4)]
    layout = draw(st.sampled_from(kinds))
    event(f"text, {layout}")
    order = [*bars.rows]
    if layout == "no header":
        return [], table, None
    if layout == "wide":
        head = [[draw(st.sampled_from(["Date", ""])), "BBB", "AAA"]]
        return head, table.assign(other="1")[["date", "other", "close"]], "AAA"
    if layout == "two rows":
        blank = [""] * len(order)
        return [["Price", *map(str.title, order)], ["Ticker", *["AAA"] * len(order)], ["Date", *blank]], table, None
    chosen = draw(names(order))
    if not bars.daily and table["date"].str.count(" ").eq(1).all() and draw(st.booleans()):
        table = table.assign(time=table["date"].str.split(" ").str[1], date=table["date"].str.split(" ").str[0])
        chosen["time"] = "Time"
    places = draw(st.permutations(list(chosen)))
    head = [[chosen[role] for role in places]]
    if layout == "named":
        above = [["Some prices, as exported"]] if draw(st.integers(0, 5)) == 0 else []
        return [*above, *head], table[places], None
    other = table.assign(close=[*table["close"]][::-1])
    both = pd.concat([table.assign(symbol="AAA"), other.assign(symbol="BBB")]).sort_index(kind="stable")
    return [[*head[0], draw(st.sampled_from(["Symbol", "ticker", "Contract"]))]], both[[*places, "symbol"]], "AAA"


@st.composite
def text_files(draw: st.DrawFn, bars: Series) -> tuple[str, bytes, dict[str, Any]]:
    """A text file of the bars: its name, content and the options that say what it leaves open."""
    how = draw(numerals())
    texts, zone = draw(dates(bars))
    table = pd.DataFrame({"date": texts})
    for name in bars.rows:
        digits = 0 if name == "volume" else bars.digits
        table[name] = [numeral(int(value), digits, how) for value in bars.rows[name]]
    mark = draw(st.sampled_from(",;\t|"))
    # All of 1.234 and nothing else are decimals, but between semicolons: so are FX prices in three decimals written.
    cells = [cell for name in bars.rows for cell in table[name]]
    assume(mark == ";" or how["thousands"] != "." or not any(THREE.fullmatch(cell) for cell in cells))
    head, table, only = draw(layouts(bars, table))
    rows = table.to_numpy().tolist()
    rows = rows[::-1] if draw(st.booleans()) else rows
    buffer = io.StringIO()
    quoting, end = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])), draw(st.sampled_from(["\n", "\r\n"]))
    csv.writer(buffer, delimiter=mark, quoting=quoting, lineterminator=end).writerows([*head, *rows])
    text = draw(st.sampled_from(["", "", f"sep={mark}\n"])) + buffer.getvalue() + draw(st.sampled_from(["", "\n\n"]))
    encoding = draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"]))
    options: dict[str, Any] = {"zone": zone, "stamps": "close", "only": only}
    if draw(st.booleans()) and bars.digits:
        options["decimal"] = how["decimal"]
    return "prices.csv", packed(text.encode(encoding), draw(st.sampled_from(["", "", "gzip", "zip"]))), options


def typed(draw: st.DrawFn, column: pd.Series) -> pd.Series:
    """Numbers in one of the types that a frame can have."""
    kind = draw(st.sampled_from(["float64", "float64", "Float64", "text", "Decimal"]))
    if kind == "text":
        return column.map(repr)
    if kind == "Decimal":
        return column.map(lambda value: Decimal(repr(value))).astype(pd.ArrowDtype(pa.decimal128(38, 9)))
    return column.astype(kind)


@st.composite
def json_texts(draw: st.DrawFn, frame: pd.DataFrame) -> bytes:
    """The frame as pandas writes it."""
    orient = draw(st.sampled_from(["records", "split", "columns", "index", "lines"]))
    how: dict[str, Any] = {"orient": "records", "lines": True} if orient == "lines" else {"orient": orient}
    form, unit = draw(st.sampled_from(["iso", "epoch"])), draw(st.sampled_from(["s", "ms", "us", "ns"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas will write no epochs any more; files of before have them
        return frame.to_json(date_format=form, date_unit=unit, **how).encode()


@st.composite
def frames(draw: st.DrawFn, bars: Series) -> tuple[str, bytes, dict[str, Any]]:
    """A Parquet, feather or JSON file of the bars."""
    ending = draw(st.sampled_from(["parquet", "feather", "json"]))
    values = bars.values
    index = pd.DatetimeIndex(values.index).as_unit(draw(st.sampled_from(["s", "ms", "us", "ns"])))
    kinds = {"text", "UTC", "plain"} if ending == "json" else {"text", "UTC", "plain", "zoned", "date and time"}
    # JSON has no type for dates: pandas writes epochs, of UTC.
    kinds -= {"date and time"} if bars.daily else {"plain"} if ending == "json" else set()
    kind, zone = draw(st.sampled_from(sorted(kinds))), bars.zone
    if kind in ("zoned", "UTC"):
        index = index.tz_localize(zone)
        index = index.tz_convert("UTC") if kind == "UTC" and not bars.daily else index
    stamps = pd.Series(index).map(str) if kind == "text" else pd.Series(index)
    order = draw(st.permutations([*values]))
    frame = values[order].set_axis(stamps, axis=0) if kind != "date and time" else values[order]
    if ending != "json":
        frame = frame.apply(lambda column: typed(draw, column))
    frame.index.name = draw(st.sampled_from(["Date", "timestamp", "datetime", None]))
    options: dict[str, Any] = {"zone": zone, "stamps": "close"}
    shape = draw(st.sampled_from(["index", "column", "long", "levels", "rows"]))
    event(f"{ending}, {shape}, {kind}")
    other = frame.assign(close=[*frame["close"]][::-1])
    if kind == "date and time":
        days, times = index.normalize(), [f"{stamp:%H:%M:%S}" for stamp in index]
        frame = frame.reset_index(drop=True).assign(date=days, time=times)
    elif shape == "column" or ending != "parquet":
        frame, other = (one.rename_axis(frame.index.name or "Date").reset_index() for one in (frame, other))
    elif shape == "levels":
        frame = pd.concat({"AAA": frame, "BBB": other}, axis=1)
        frame = frame.swaplevel(axis=1) if draw(st.booleans()) else frame
        frame.columns.names = draw(st.sampled_from([(None, None), ("Price", "Ticker")]))
        options["only"] = "AAA"
    elif shape == "rows":
        frame = pd.concat({"AAA": frame, "BBB": other}, names=["symbol", frame.index.name])
        options["only"] = "AAA"
    if shape == "long" and ending != "parquet" and kind != "date and time":
        frame = pd.concat([frame.assign(ticker="AAA"), other.assign(ticker="BBB")], ignore_index=True)
        options["only"] = "AAA"
    if ending == "json":
        return "prices.json", draw(json_texts(frame)), options
    buffer = io.BytesIO()
    (frame.to_parquet if ending == "parquet" else frame.to_feather)(buffer)
    return f"prices.{ending}", buffer.getvalue(), options


def hold(bars: Series, name: str, content: bytes, options: dict[str, Any]) -> None:
    """Asserts that the file is read as the bars, or refused by one line with its name."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            rows = read_file(path, DataOptions(**options)).rows
        except (ValueError, LookupError) as error:
            rows, refusal = None, str(error)
    event("refused" if rows is None else "read")
    if rows is None:
        assert name in refusal
        assert "\n" not in refusal
        return
    wanted = bars.values
    assert list(rows.index) == list(wanted.index)
    for column in rows:
        np.testing.assert_allclose(rows[column].to_numpy(float), wanted[column].to_numpy(float), rtol=1e-9)


@settings(max_examples=60)
@given(st.data())
def test_a_text_file_in_any_dialect_is_read_back_or_refused(data):
    bars = data.draw(series())
    hold(bars, *data.draw(text_files(bars)))


@settings(max_examples=50)
@given(st.data())
def test_a_typed_file_in_any_dialect_is_read_back_or_refused(data):
    bars = data.draw(series())
    hold(bars, *data.draw(frames(bars)))


WRONG = {
    "thousands.csv": "Date,Close\n2021-03-01,999\n2021-03-02,1.000\n",
    "1970.csv": "Date,Close\n345600000,10\n432000000,10\n518400000,10\n",
}


@pytest.mark.parametrize("name", WRONG)
def test_what_was_read_wrong_once_is_refused(name, tmp_path):
    path = tmp_path / name
    path.write_text(WRONG[name])
    with pytest.raises(ValueError, match=r"say which with --decimal|are years apart"):
        read_file(path)


def test_a_column_of_times_is_read_in_typed_files_too(tmp_path):
    index = pd.date_range("2021-03-01 10:00", periods=5, freq="h")
    days = pd.DataFrame({"date": index.normalize(), "time": index.strftime("%H:%M"), "close": range(1, 6)})
    days.to_parquet(tmp_path / "hours.parquet")
    assert list(read_file(tmp_path / "hours.parquet").rows.index) == list(index)
