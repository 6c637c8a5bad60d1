"""Which column of a file has which role: by its name, by the layout of a known exporter, or as the caller chose."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ...predictors.registry import suggest

# role → the names that exporters use for it, the most certain first, reduced to letters and digits
NAMES: dict[str, tuple[str, ...]] = {
    "date": (
        "date", "datetime", "timestamp", "day", "opentime", "tradedate", "tradingday", "gmttime", "localtime", "unix",
        "unixtimestamp", "dateutc", "dateet", "dt", "tsevent", "time", "datum", "fecha",
    ),
    "open": ("open", "o", "openprice", "openingprice", "opening", "pxopen"),
    "high": ("high", "h", "highprice", "max", "pxhigh"),
    "low": ("low", "l", "lowprice", "min", "pxlow"),
    "close": (
        "close", "closelast", "closeprice", "closingprice", "closing", "last", "lastprice", "price", "c", "settle",
        "settlementprice", "pxlast",
    ),
    "adj_close": ("adjclose", "adjustedclose", "closeadj", "adjcloseprice", "adjclosing", "adjusted"),
    "volume": ("volume", "vol", "pxvolume", "v", "totalvolume", "sharevolume", "volumefrom", "tickvol", "tickvolume"),
    "dividend": ("dividends", "dividend", "divcash", "dividendamount", "exdividend"),
    "split": ("stocksplits", "split", "splits", "splitfactor", "splitratio", "splitcoefficient"),
}  # fmt: skip
# bare letters, which are tickers too (C, V, L): taken for these columns only where all four prices are so named
LETTERS = ("o", "h", "l", "c", "v")
CCXT = ["timestamp", "open", "high", "low", "close", "volume"]
KLINES = ("date", "open", "high", "low", "close", "volume", "close time")
ROLES = tuple(NAMES)


@dataclass(frozen=True)
class Layout:
    """The positions of the columns.

    places: role → position, from 0; `time` beside `date` where the time of day has a column of its own.
    header: the number of rows before the first row of data.
    stamps: "start" where the name of the column says that it dates a bar by its start, else "close".
    statements: what was recognised, one sentence each.
    form: whose file it is, where the header says so.
    """

    places: dict[str, int]
    header: int
    stamps: str
    statements: list[str]
    form: str | None = None


def find_layout(rows: Sequence[Sequence[str]], columns: Mapping[str, str], only: str | None = None) -> Layout:
    """The layout of these rows.

    columns: role → name or position of a column that the caller chose, which override what is recognised.
    only: the symbol wanted of a file with several, whose closes may be a column of its name.

    Raises ValueError where the date or the close cannot be identified, and for a chosen role or column that is none.
    """
    unknown = set(columns) - {*ROLES, "time"}
    if unknown:
        role = sorted(unknown)[0]
        raise ValueError(f"--column {role}=…: there is no column {role!r}. {suggest(role, [*ROLES, 'time'])}")
    if len(rows) > 2 and rows[0][0].lower() == "price" and rows[1][0].lower() == "ticker":
        return _two_levels(rows, only)
    for skipped, row in enumerate(rows[:12]):
        if not _is_data(row) and all(_find(name, row) is not None for name in columns.values()):
            places, statements = _by_name(row, columns)
            if "date" in places and ({"close", "adj_close"} & set(places)):
                if skipped:
                    statements = [f"{skipped} lines before the header skipped", *statements]
                stamps = "start" if "open" in row[places["date"]].lower() else "close"
                return Layout(
                    places, skipped + 1, stamps, statements, form_of(row, [*rows[skipped + 1 : skipped + 2], ()][0])
                )
    if only is not None and "close" not in columns and any(_find(only, row) is not None for row in rows[:12]):
        return find_layout(rows, {**columns, "close": only})
    if _is_data(rows[0]):
        return _without_header(rows[0], columns)
    names = _likely_header(rows[:12])
    places, _ = _by_name(names, columns)
    lacking = "date" if "date" not in places else "close"
    raise ValueError(
        f"no column is the {lacking}; the columns are {', '.join(map(repr, names[:12]))}. "
        f"Say which with --column {lacking}=NAME"
    )


def form_of(header: Sequence[str], first: Sequence[str] = ()) -> str | None:
    """Whose files have such a header and first row; None where it could be anybody's."""
    names, reduced = set(header), {reduced_name(name) for name in header}
    if {"Dividends", "Stock Splits"} <= names or {"Datetime", "Open", "High", "Low", "Close", "Volume"} <= names:
        return "yfinance"
    if any(name.startswith("<") for name in header):
        return "MetaTrader"
    if "ts_event" in names:
        return "Databento"
    if {"opentime", "closetime"} <= reduced:
        return "Binance"
    return "ccxt" if list(header) == CCXT and re.fullmatch(r"\d{13}", "".join(first[:1])) else None


def _by_name(header: Sequence[str], columns: Mapping[str, str]) -> tuple[dict[str, int], list[str]]:
    """The position of each role that a header names, and statements where the name is not the plain one.

    columns: role → name or position that the caller chose, which override. Raises ValueError for two columns of one
    name, and for a chosen column that is not there.
    """
    reduced = [reduced_name(name) for name in header]
    places: dict[str, int] = {}
    statements = []
    letters = set(LETTERS[:4]) <= set(reduced)
    for role, names in NAMES.items():
        known = [name for name in names if letters or name not in LETTERS]
        matches = [place for name in known for place, text in enumerate(reduced) if text == name]
        matches += [
            place for place, text in enumerate(reduced) if role == "volume" and re.fullmatch("volume[a-z]+", text)
        ]
        if matches:
            places[role] = matches[0]
            if role != "date" and role not in columns and reduced.count(reduced[matches[0]]) > 1:
                raise ValueError(f"two columns are called {header[matches[0]]!r}; say which with --column {role}=PLACE")
    if "date" not in places and "time" not in reduced and not header[0].strip():
        places["date"] = 0
        statements.append("the dates are the first column, which has no name")
    if "time" in reduced and places.get("date") != reduced.index("time"):
        places["time"] = reduced.index("time")
    for role, name in columns.items():
        places[role] = _place(name, header, role)
        statements.append(f"{role} is the column {name!r}, as asked")
    for role, place in places.items():
        if role not in columns and reduced[place] not in ("", role, role.replace("_", ""), "datetime", "timestamp"):
            statements.append(f"{role} is the column {header[place]!r}")
    return places, statements


def reduced_name(name: str) -> str:
    """A column's name as `NAMES` has it: without a number before it, in lower case, letters and digits alone."""
    return re.sub(r"^\d+(?=[a-z])|[^a-z0-9]", "", re.sub(r"^\s*\d+\.\s*", "", name.lower()))


def known_names(header: Sequence[str]) -> int:
    """How many of the names are those of a known column."""
    return sum(any(reduced_name(name) in names for names in NAMES.values()) for name in header)


def with_tick_volume(layout: Layout, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Layout:
    """The layout with MetaTrader's number of ticks for the volume, where that is zero in every row."""
    ticks = [place for place, name in enumerate(header) if reduced_name(name) in ("tickvol", "tickvolume")]
    volume = layout.places.get("volume")
    if not ticks or volume is None or volume in ticks or any(row[volume].strip("0.") for row in rows):
        return layout
    statement = f"volume is the column {header[ticks[0]]!r}; {header[volume]!r} is zero in every row"
    others = [sentence for sentence in layout.statements if not sentence.startswith("volume is")]
    return replace(layout, places=layout.places | {"volume": ticks[0]}, statements=[*others, statement])


def _likely_header(rows: Sequence[Sequence[str]]) -> Sequence[str]:
    """The last row before the data, or the first where there is none."""
    first = next((place for place, row in enumerate(rows) if place and _is_data(row)), 1)
    return rows[first - 1]


def _place(name: str, header: Sequence[str], role: str) -> int:
    """The position of a column by its name or its number, counted from 0. Raises ValueError where it is not there."""
    place = _find(name, header)
    if place is None:
        raise ValueError(f"--column {role}={name}: there is no column {name!r}. {suggest(name, header)}")
    return place


def _find(name: str, header: Sequence[str]) -> int | None:
    """The position of a column by its name, in any case, or its number, counted from 0; None where it is not there."""
    if name in header:
        return list(header).index(name)
    lower = [text.lower() for text in header]
    if name.lower() in lower:
        return lower.index(name.lower())
    return int(name) if name.isdigit() and int(name) < len(header) else None


def _two_levels(rows: Sequence[Sequence[str]], only: str | None) -> Layout:
    """The layout of yfinance's CSV: a row of columns, a row of tickers, and a row that names the index.

    only: the ticker wanted of several.   Raises ValueError for several of which none was chosen, and without a close.
    """
    tickers = sorted({ticker for ticker in rows[1][1:] if ticker})
    if len(tickers) != 1 and only not in tickers:
        choice = f"; say which with --only {tickers[0]}" if tickers else ""
        raise ValueError(f"the file holds {len(tickers)} symbols ({', '.join(tickers[:5])}){choice}")
    ticker = only if only in tickers else tickers[0]
    names = [name if mine == ticker else "" for name, mine in zip(rows[0], rows[1], strict=False)]
    header = 3 if rows[2][0].lower() in ("date", "datetime") else 2
    places, _ = _by_name(["Date", *names[1:]], {})
    if "close" not in places and "adj_close" not in places:
        raise ValueError(f"no column is the close; the columns are {', '.join(map(repr, rows[0][1:]))}")
    return Layout(places, header, "close", [f"yfinance's two-row header, ticker {ticker}"], "yfinance")


def _without_header(row: Sequence[str], columns: Mapping[str, str]) -> Layout:
    """The layout of rows without a header: as the caller chose, else by the number of columns.

    Recognised are Binance's klines, MetaTrader's columns, and date, open, high, low, close with or without volume.

    Raises ValueError for another number of columns.
    """
    if columns:
        places = {role: _place(name, [f"column {n}" for n in range(len(row))], role) for role, name in columns.items()}
        if "date" not in places or "close" not in places:
            raise ValueError("the file has no header; say at least --column date=0 and --column close=PLACE")
        return Layout(places, 0, "close", ["no header; columns as asked"])
    if len(row) in (11, 12) and re.fullmatch(r"\d{13}|\d{16}", row[0]) and re.fullmatch(r"\d{13}|\d{16}", row[6]):
        return Layout(
            {role: place for place, role in enumerate(KLINES)}, 0, "start", ["no header; Binance's klines"], "Binance"
        )
    prices = ("open", "high", "low", "close", "volume")
    if len(row) == 7 and ":" in row[1]:
        places = {role: place for place, role in enumerate(("date", "time", *prices))}
        return Layout(
            places, 0, "start", ["no header; MetaTrader's columns date, time, open, high, low, close, volume"]
        )
    if len(row) in (5, 6):
        named = ("date", *prices)[: len(row)]
        return Layout(
            {role: place for place, role in enumerate(named)},
            0,
            "close",
            [f"no header; columns taken as {', '.join(named)}"],
        )
    raise ValueError(
        f"the file has no header and {len(row)} columns; say which are which, as in --column date=0 --column close=4"
    )


def _is_data(row: Sequence[str]) -> bool:
    """Whether a row is of data and no header: it has numbers, and letters in at most a third of its cells."""
    digits = sum(any(character.isdigit() for character in cell) for cell in row)
    letters = sum(bool(re.search(r"[A-Za-z]{2}", cell)) for cell in row[1:])
    return digits >= 2 and letters <= len(row) // 3
