"""The same thirty bars of SPY as fifty exporters would write them."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable

import pandas as pd

from rollcast.backtests.data.bars import load_bars

DAYS = load_bars("SPY", "2021-03-01", "2021-04-13", adjusted=False)
ADJUSTED = load_bars("SPY", "2021-03-01", "2021-04-13")
HOURS = load_bars("AAPL.1h", "2025-03-03", "2025-03-14")
COINS = load_bars("BTC-USD", "2021-03-01", "2021-03-31")
HEADER = ["Date", "Open", "High", "Low", "Close", "Volume"]


def table(
    bars: pd.DataFrame = DAYS,
    header: list[str] | None = None,
    date: str | Callable[[pd.Timestamp], str] = "%Y-%m-%d",
    number: Callable[[float], str] = str,
    volume: Callable[[float], str] = lambda v: str(int(v)),
    mark: str = ",",
    newest_first: bool = False,
    order: tuple[str, ...] = ("open", "high", "low", "close", "volume"),
) -> str:
    """Bars as text."""
    rows = [header or HEADER] if header != [] else []
    for stamp, bar in bars.iterrows():
        day = date(stamp) if callable(date) else stamp.strftime(date)
        rows.append([day, *(volume(bar[c]) if c == "volume" else number(bar[c]) for c in order)])
    if newest_first:
        rows[1:] = rows[1:][::-1]
    quoted = ([f'"{cell}"' if mark in cell else cell for cell in row] for row in rows)
    return "\n".join(mark.join(row) for row in quoted) + "\n"


def european(value: float) -> str:
    """1234.5 as 1.234,50."""
    return f"{value:,.4f}".translate(str.maketrans(",.", ".,"))


def zipped(text: str) -> bytes:
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr("prices.csv", text)
    return memory.getvalue()


def stooq() -> str:
    head = "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
    return head + "".join(
        f"SPY.US,D,{d:%Y%m%d},000000,{b.open},{b.high},{b.low},{b.close},{int(b.volume)},0\n"
        for d, b in DAYS.iterrows()
    )


def metatrader(step: str = "1h") -> str:
    """MetaTrader 5 dates a bar by its start."""
    head = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
    starts = HOURS.index - pd.Timedelta(step)
    return head + "".join(
        f"{d:%Y.%m.%d}\t{d:%H:%M:%S}\t{b.open}\t{b.high}\t{b.low}\t{b.close}\t{int(b.volume)}\t{int(b.volume)}\t1\n"
        for d, b in zip(starts, HOURS.itertuples(), strict=True)
    )


def klines(header: str = "") -> str:
    """Binance's daily klines; milliseconds, close time one before the next open."""
    lines = []
    for day, b in COINS.iterrows():
        start = int(day.timestamp() * 1000)
        lines.append(f"{start},{b.open},{b.high},{b.low},{b.close},{b.volume},{start + 86_399_999},1.0,10,0.5,0.5,0")
    return header + "\n".join(lines) + "\n"


def yfinance_csv() -> str:
    body = table(header=[], order=("close", "high", "low", "open", "volume"))
    return "Price,Close,High,Low,Open,Volume\nTicker,SPY,SPY,SPY,SPY,SPY\nDate,,,,,\n" + body


def investing(number: Callable[[float], str], date: str, mark: str = ",") -> str:
    head = mark.join(f'"{name}"' for name in ("Date", "Price", "Open", "High", "Low", "Vol.", "Change %"))
    lines = [head]
    for day, b in DAYS[::-1].iterrows():
        volume = number(round(b.volume / 1e6, 4)) + "M"
        cells = (day.strftime(date), *(number(b[c]) for c in ("close", "open", "high", "low")), volume, "0.5%")
        lines.append(mark.join(f'"{cell}"' for cell in cells))
    return "\ufeff" + "\n".join(lines) + "\n"


def adjusted_csv() -> str:
    rows = ["Date,Open,High,Low,Close*,Adj Close**,Volume"]
    for day, b in DAYS.iterrows():
        adjusted = float(ADJUSTED.close[day])
        rows.append(f'"{day:%b %d, %Y}",{b.open},{b.high},{b.low},{b.close},{adjusted!r},"{int(b.volume):,}"')
    return "\n".join(rows) + "\n"


# name → (content, the bars it holds, what must be said of it)
GOOD: dict[str, tuple[str | bytes, pd.DataFrame, str]] = {
    "plain.csv": (table(), DAYS, ""),
    "capitals.csv": (table(header=["DATE", "OPEN", "HIGH", "LOW", "CLOSE", "VOLUME"]), DAYS, ""),
    "timestamp.csv": (table(header=["Timestamp", "open", "high", "low", "close", "volume"]), DAYS, ""),
    "crlf.csv": (table().replace("\n", "\r\n"), DAYS, ""),
    "no_newline_at_end.csv": (table().rstrip(), DAYS, ""),
    "blank_lines.csv": ("\n\n" + table().replace("\n2021-03-05", "\n\n2021-03-05") + "\n\n", DAYS, ""),
    "trailing_commas.csv": (table().replace("\n", ",\n"), DAYS, ""),
    "spaces.csv": (table().replace(",", " , "), DAYS, ""),
    "bom.csv": ("\ufeff" + table(), DAYS, "byte-order mark"),
    "utf16.csv": (table().encode("utf-16"), DAYS, "utf-16"),
    "utf16le_unmarked.csv": (table().encode("utf-16-le"), DAYS, "utf-16-le"),
    "latin.csv": (
        table(header=["Date", "Open", "High", "Low", "Close", "Volume", "Währung"])
        .replace("00\n", "00,€\n")
        .encode("cp1252"),
        DAYS,
        "cp1252",
    ),
    "packed.csv.gz": (gzip.compress(table().encode()), DAYS, ""),
    "packed.zip": (zipped(table()), DAYS, ""),
    "tabs.tsv": (table(mark="\t"), DAYS, ""),
    "pipes.txt": (table(mark="|"), DAYS, ""),
    "excel_sep.csv": ("sep=;\n" + table(mark=";"), DAYS, ""),
    "european.csv": (table(mark=";", number=european, date="%d.%m.%Y"), DAYS, "decimal comma"),
    "european_months.csv": (table(mark=";", number=european, date="%d/%m/%Y"), DAYS, "%d/%m/%Y"),
    "thousands.csv": (table(volume=lambda v: f"{int(v):,}"), DAYS, ""),
    "swiss.csv": (table(volume=lambda v: f"{int(v):,}".replace(",", "'")), DAYS, ""),
    "dollars.csv": (table(number=lambda v: f"${v}", date="%m/%d/%Y"), DAYS, "%m/%d/%Y"),
    "nasdaq.csv": (
        table(
            header=["Date", "Open", "High", "Low", "Close/Last", "Volume"],
            number=lambda v: f"${v}",
            date="%m/%d/%Y",
            newest_first=True,
        ),
        DAYS,
        "newest first",
    ),
    "stooq.txt": (stooq(), DAYS, ""),
    "stooq.csv": (table(), DAYS, ""),
    "investing_us.csv": (investing(lambda v: f"{v:,.4f}", "%m/%d/%Y"), DAYS, "newest first"),
    "investing_de.csv": (investing(european, "%d.%m.%Y"), DAYS, "decimal comma"),
    "metatrader5.csv": (metatrader(), HOURS, "moved to their close"),
    "binance.csv": (klines(), COINS, "klines"),
    "binance_headed.csv": (
        klines("open_time,open,high,low,close,volume,close_time,quote,count,base,taker,ignore\n"),
        COINS,
        "",
    ),
    "yfinance.csv": (yfinance_csv(), DAYS, "ticker SPY"),
    "alpha_vantage.csv": (
        table(header=["timestamp", "1. open", "2. high", "3. low", "4. close", "5. volume"], newest_first=True),
        DAYS,
        "",
    ),
    "tiingo.csv": (table(date="%Y-%m-%dT00:00:00.000Z"), DAYS, "they are days"),
    "offset.csv": (table(date="%Y-%m-%d 00:00:00-05:00"), DAYS, "they are days"),
    "compact.csv": (table(date="%Y%m%d"), DAYS, ""),
    "slashes.csv": (table(date="%Y/%m/%d"), DAYS, ""),
    "named_months.csv": (table(date="%d-%b-%Y"), DAYS, "%d %b %Y"),
    "two_digit_years.csv": (table(date="%d-%b-%y"), DAYS, "%d %b %y"),
    "long_months.csv": (table(date="%B %d, %Y"), DAYS, "%b %d %Y"),
    "google.csv": (table(date="%m/%d/%Y 16:00:00"), DAYS, "time of day"),
    "seconds.csv": (table(date=lambda d: str(int(d.timestamp()))), DAYS, "seconds since 1970"),
    "milliseconds.csv": (table(date=lambda d: str(int(d.timestamp() * 1000))), DAYS, "milliseconds since 1970"),
    "yahoo_seconds.csv": (
        table(date=lambda d: str(int((d + pd.Timedelta("9h30min")).tz_localize("America/New_York").timestamp()))),
        DAYS,
        "America/New_York",
    ),
    "hours.csv": (table(HOURS, date="%Y-%m-%d %H:%M:%S"), HOURS, "bars' closes"),
    "hours_am_pm.csv": (table(HOURS, date="%m/%d/%Y %I:%M %p"), HOURS, "bars' closes"),
    "hours_utc.csv": (
        table(HOURS, date=lambda d: d.tz_localize("America/New_York").tz_convert("UTC").isoformat()),
        HOURS,
        "from UTC to America/New_York",
    ),
    "hours_offset.csv": (
        table(HOURS, date=lambda d: d.tz_localize("America/New_York").isoformat()),
        HOURS,
        "as written",
    ),
    "headless.csv": (table(header=[]), DAYS, "no header"),
    "preamble.csv": ("https://www.example.com/daily\nSPY US Equity\n" + table(), DAYS, "2 lines before the header"),
    "yahoo_page.csv": (adjusted_csv(), ADJUSTED, ""),
}
