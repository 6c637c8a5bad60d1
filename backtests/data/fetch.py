"""Downloads into the store, under the lock of the symbol; a failure leaves the store as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from . import store
from .calendars import YAHOO
from .yahoo_rows import INTERVALS, YahooError

if TYPE_CHECKING:
    from .yahoo import Session

OVERLAP = pd.Timedelta(days=10)
# days back that Yahoo serves bars of a size, a day less than it says
REACH = {"1m": 6, "2m": 58, "5m": 58, "15m": 58, "30m": 58, "1h": 728}


@dataclass(frozen=True)
class Fetched:
    """A symbol brought up to date.

    stored: its file after the download; added: the number of new bars; statements: what was left out or differs.
    """

    symbol: str
    stored: store.Stored
    added: int
    statements: tuple[str, ...]


def split_symbol(symbol: str) -> tuple[str, str]:
    """Yahoo's ticker and interval of a symbol: `AAPL` is daily, `AAPL.1h` hourly."""
    ticker, dot, interval = symbol.rpartition(".")
    if dot and ticker and interval.lower() in REACH:
        return ticker.upper(), interval.lower()
    return symbol.upper(), "1d"


def canonical(symbol: str) -> str:
    """The name a symbol of Yahoo's has in the store: the ticker in capitals, the bar size in small letters."""
    ticker, interval = split_symbol(symbol)
    return ticker if interval == "1d" else f"{ticker}.{interval}"


def fetch(
    symbol: str,
    *,
    whole: bool = False,
    connect: Callable[[], Session] | None = None,
    deadline: float = 60.0,
    timeout: float = 10.0,
    pause: float = 1.0,
) -> Fetched:
    """Downloads from Yahoo the bars that the store lacks; whole: all bars, in place of those stored.

    connect, deadline, timeout, pause: as `yahoo.download` takes them. A damaged file is replaced, with a statement.

    Raises YahooError where the download fails, ValueError where another process holds the lock of the symbol, OSError
    where the store cannot be written to; the store is then as it was.
    """
    from .yahoo import download

    ticker, interval = split_symbol(symbol)
    symbol = canonical(symbol)
    with store.locked(symbol, deadline):
        old, statements = _stored(symbol, whole)
        since, lost = _since(old, interval)
        try:
            answer = download(ticker, interval, since, connect=connect, deadline=deadline, timeout=timeout, pause=pause)
        except YahooError as error:
            until = "" if old is None else f"; the store still holds {symbol} to {old.rows.index[-1]:%Y-%m-%d}"
            raise YahooError(f"{error}{until}") from error
        statements += lost + answer.statements + ([] if old is None else _revised(old.rows, answer.rows))
        about: store.About = {
            **answer.about,
            "source": "Yahoo",
            "symbol": symbol,
            "exchange": _exchange(answer.about),
            "statements": _all_statements(old, statements),
        }
        now = pd.Timestamp.now("UTC").strftime("%Y-%m-%d %H:%M:%S UTC")
        count = 0 if old is None else len(old.rows)
        new = store.append(symbol, answer.rows, about, now, whole=old is None)
        return Fetched(symbol, new, len(new.rows) - count, tuple(statements))


def needs_download(symbol: str, end: pd.Timestamp | None) -> bool:
    """Whether the store may lack bars up to `end`, or up to now: it has none, or its last download was earlier."""
    try:
        stored = store.read(canonical(symbol))
    except (LookupError, store.CorruptStore):
        return True
    downloaded = pd.Timestamp(stored.snapshots[-1].time.removesuffix(" UTC"))
    wanted = pd.Timestamp.now("UTC").tz_localize(None)
    if end is not None:
        wanted = min(wanted, end)
    return bool(wanted - downloaded > pd.Timedelta(minutes=INTERVALS[split_symbol(symbol)[1]]))


def _stored(symbol: str, whole: bool) -> tuple[store.Stored | None, list[str]]:
    """The file to append to, and the statement that it was damaged; None for no file, or to replace it."""
    if whole:
        return None, []
    try:
        return store.read(symbol), []
    except LookupError:
        return None, []
    except store.CorruptStore:
        return None, [f"the store's {symbol} was damaged, and was downloaded again whole"]


def _since(old: store.Stored | None, interval: str) -> tuple[pd.Timestamp | None, list[str]]:
    """The date from which to download: some days before the last bar stored, as far back as Yahoo serves them."""
    if old is None:
        return None, []
    last = old.rows.index[-1]
    since = last - OVERLAP
    if interval == "1d":
        return since, []
    reach = pd.Timestamp.now("UTC").tz_localize(None).normalize() - pd.Timedelta(days=REACH[interval])
    lost = [f"bars from {last:%Y-%m-%d} to {reach:%Y-%m-%d} are missing: Yahoo no longer serves them"]
    return max(since, reach), lost if reach > last else []


def _revised(old: pd.DataFrame, new: pd.DataFrame) -> list[str]:
    """A statement where Yahoo's new values of stored bars differ from those stored."""
    common = old.index.intersection(new.index)
    columns = ["open", "high", "low", "close", "dividend", "split"]
    old_values, new_values = old.loc[common, columns].to_numpy(float), new.loc[common, columns].to_numpy(float)
    apart = ~np.isclose(old_values, new_values, rtol=1e-4, atol=1e-9).all(axis=1)
    if not apart.any():
        return []
    first = common[apart][0]
    return [
        f"Yahoo has since revised {int(apart.sum())} bars, first {first:%Y-%m-%d}; the store keeps what it held, "
        "so that past runs can be repeated; --whole takes Yahoo's"
    ]


def _exchange(about: store.About) -> str | None:
    """The code of the calendar of Yahoo's exchange; None for one that is not in `YAHOO`."""
    kind = {"CRYPTOCURRENCY": "24/7", "CURRENCY": "24/5"}.get(str(about.get("kind")))
    return kind or YAHOO.get(str(about.get("exchange_name")))


def _all_statements(old: store.Stored | None, statements: list[str]) -> list[str]:
    """The statements of every download, each once."""
    before = [] if old is None else old.about.get("statements", [])
    return list(dict.fromkeys([*before, *statements]))[-20:]
