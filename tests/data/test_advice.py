"""Every piece of advice in an error works: what it names is tried, and reads the file or gives another message."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from rollcast.backtests.data.load import load
from rollcast.backtests.data.options import DataOptions
from tests.data.broken import BAD
from tests.data.dialects import DAYS, HOURS, european, table

FIELDS = {"date-format": "date_format", "time-zone": "zone"}
ADVICE = re.compile(r"--(column|decimal|date-format|time-zone|only|fractions|prices|repair)(?: ([^\s;,]+|,))?")


def generated() -> dict[str, str | bytes]:
    """Small files that are refused, in several spellings of each kind."""
    files: dict[str, str | bytes] = {}
    for mark in "/.-":
        for year in ("%Y", "%y"):
            for first, second in (("%d", "%m"), ("%m", "%d")):
                form = f"{first}{mark}{second}{mark}{year}"
                files[f"dates{len(files)}.csv"] = table(DAYS[:9], date=form)
                files[f"times{len(files)}.csv"] = table(DAYS[:9], date=form + " 16:00:00")
    return files | of_symbols() | of_zones()


def of_symbols() -> dict[str, str | bytes]:
    """Files of several symbols, of numbers with two readings, and of two columns of one name."""
    files: dict[str, str | bytes] = {}
    for name in ("symbol", "Ticker", "contract", "Code", "instrument", "isin", "pair", "asset"):
        rows = [f"{day:%Y-%m-%d},{symbol},10.5" for symbol in ("AAA", "BBB") for day in DAYS.index[:5]]
        files[f"long_{name}.csv"] = f"Date,{name},Close\n" + "\n".join(rows) + "\n"
    for number in (lambda v: f"{v / 100:.3f}", lambda v: f"{v / 100:.3f}".replace(".", ",")):
        for mark in ";\t|":
            if mark == ";" or "," in number(1.0):
                files[f"decimals{len(files)}.csv"] = table(mark=mark, number=number, volume=lambda v: "7")
    for text in ("112'045", "99'16", "455'4", "112'042", "101'31+", "8'0"):
        files[f"quotes{len(files)}.csv"] = f"Date,Close\n2021-01-04,{text}\n2021-01-05,{text}\n"
    for wide in ("AAPL,MSFT", "C,V", "SPY,QQQ,IWM"):
        values = ",".join("1.5" for _ in wide.split(","))
        files[f"wide_{wide[:2]}.csv"] = f"Date,{wide}\n" + "".join(f"{day:%Y-%m-%d},{values}\n" for day in DAYS.index)
    for names in ("Close,Close", "close,Close", "PX_LAST,PX_LAST", "Last,Last", "Price,Price", "last,Last"):
        files[f"twice_{len(files)}.csv"] = f"Date,{names}\n" + "".join(
            f"{day:%Y-%m-%d},1.5,2.5\n" for day in DAYS.index
        )
    files["levels.csv"] = "Price,Close,Close\nTicker,SPY,QQQ\nDate,,\n2021-03-01,1,2\n2021-03-02,1,2\n"
    files["european_hours.csv"] = table(HOURS[:9], mark=";", number=european, date="%d.%m.%Y %H:%M")
    return files


def of_zones() -> dict[str, str | bytes]:
    """Files of days of other exchanges in UTC, and of hours that come twice."""
    files: dict[str, str | bytes] = {}
    for zone in ("Europe/London", "Europe/Paris", "Asia/Tokyo", "Asia/Hong_Kong", "Australia/Sydney"):
        days = (day.tz_localize(zone).tz_convert("UTC") for day in pd.bdate_range("2021-04-05", periods=25))
        files[f"{zone.replace('/', '_')}.csv"] = "Date,Close\n" + "".join(f"{day.isoformat()},1.5\n" for day in days)
    for zone, day in (("America/New_York", "2021-11-06"), ("Europe/Berlin", "2021-10-30")):
        hours = pd.date_range(day, periods=40, freq="h", tz="UTC").tz_convert(zone)
        files[f"clocks_{zone[:4]}.csv"] = "time,close\n" + "".join(f"{hour.isoformat()},1.5\n" for hour in hours)
    return files


FILES = generated() | {name: content for name, (content, _) in BAD.items()}


def message(path: Path, options: DataOptions) -> str:
    """What is said of a file that is refused; empty for one that is read."""
    try:
        load(str(path), options)
    except (ValueError, LookupError) as refused:
        return str(refused)
    return ""


def advised(said: str) -> list[DataOptions]:
    """The options that a message names, each by itself; a NAME is one of the columns that it lists."""
    options = []
    columns = re.findall(r"'([^']+)'", said)
    for flag, value in ADVICE.findall(said):
        value = value.rstrip(")")
        if flag == "column":
            role, _, name = value.partition("=")
            wanted = {"NAME": columns[-1] if columns else "0", "PLACE": "1"}.get(name, name)
            options.append(DataOptions(columns={role: wanted}))
        elif flag == "repair":
            options.append(DataOptions(repair=True))
        else:
            options.append(DataOptions(**{FIELDS.get(flag, flag): value}))
    return options


def test_there_are_sixty_files_of_more_than_ten_kinds():
    assert len(generated()) >= 60


@pytest.mark.parametrize("name", FILES)
def test_what_an_error_advises_reads_the_file_or_leads_to_another_message(name, tmp_path):
    path, content = tmp_path / name, FILES[name]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    said = message(path, DataOptions())
    assert "\n" not in said
    for options in advised(said):
        assert message(path, options) != said, options


def test_most_of_the_generated_files_are_refused_with_advice_that_reads_them(tmp_path):
    read = 0
    for name, content in generated().items():
        path = tmp_path / name
        path.write_text(content)
        said = message(path, DataOptions())
        read += bool(said) and any(message(path, options) == "" for options in advised(said))
    assert read >= 45
