"""Downloads into the store: what it lacks, under the symbol's lock; a failure leaves what was held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.data import store
from rollcast.backtests.data.calendars import YAHOO, guess_exchange
from rollcast.backtests.data.gaps import against_calendar
from rollcast.backtests.data.yahoo_rows import INTERVALS, YahooError

OVERLAP = pd.Timedelta(days=10)
# days back that Yahoo serves bars of a size, a day less than it says
REACH = {"1m": 6, "2m": 58, "5m": 58, "15m": 58, "30m": 58, "1h": 728}


@dataclass(frozen=True)
class Fetched:
    """One symbol brought up to date: what the store now holds, the bars that are new, and what is to be said of it."""

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
    connect: Callable[[], Any] | None = None,
    deadline: float = 60.0,
    timeout: float = 10.0,
    pause: float = 1.0,
) -> Fetched:
    """Downloads from Yahoo what the store lacks of a symbol; whole: everything, in place of what it held.

    connect, deadline, timeout, pause: as `yahoo.download` takes them. A damaged file is replaced whole, and that said.

    Raises YahooError where the download fails; the store then holds what it held.
    """
    from rollcast.backtests.data.yahoo import download

    ticker, interval = split_symbol(symbol)
    symbol = canonical(symbol)
    with store.locked(symbol, deadline):
        held, said = _held(symbol, whole)
        since, lost = _since(held, interval)
        try:
            got = download(ticker, interval, since, connect=connect, deadline=deadline, timeout=timeout, pause=pause)
        except YahooError as error:
            kept = "" if held is None else f"; the store still holds {symbol} to {held.rows.index[-1]:%Y-%m-%d}"
            raise YahooError(f"{error}{kept}") from error
        said += lost + got.statements + ([] if held is None else _revised(held.rows, got.rows))
        about = {"source": "Yahoo", "symbol": symbol, "exchange": _exchange(got.about), **got.about}
        now = pd.Timestamp.now("UTC").strftime("%Y-%m-%d %H:%M:%S UTC")
        before = 0 if held is None else len(held.rows)
        stored = store.append(symbol, got.rows, about | {"statements": _kept(held, said)}, now, whole=held is None)
        return Fetched(symbol, stored, len(stored.rows) - before, tuple(said))


def findings(stored: store.Stored) -> list[str]:
    """What the calendar of its exchange holds against a stored symbol."""
    index = pd.DatetimeIndex(stored.rows.index)
    exchange = stored.about.get("exchange")
    return against_calendar(index, exchange or guess_exchange(index), guessed=exchange is None)


def needs_download(symbol: str, end: pd.Timestamp | None) -> bool:
    """Whether the store lacks bars up to `end`, or up to now: it holds none, or its last download was too early."""
    try:
        held = store.read(canonical(symbol))
    except (LookupError, store.CorruptStore):
        return True
    downloaded = pd.Timestamp(held.snapshots[-1].time.removesuffix(" UTC"))
    wanted = pd.Timestamp.now("UTC").tz_localize(None)
    if end is not None:
        wanted = min(wanted, end)
    return bool(wanted - downloaded > pd.Timedelta(minutes=INTERVALS[split_symbol(symbol)[1]]))


def _held(symbol: str, whole: bool) -> tuple[store.Stored | None, list[str]]:
    if whole:
        return None, []
    try:
        return store.read(symbol), []
    except LookupError:
        return None, []
    except store.CorruptStore:
        return None, [f"the store's {symbol} was damaged, and was downloaded again whole"]


def _since(held: store.Stored | None, interval: str) -> tuple[pd.Timestamp | None, list[str]]:
    """From where to download: some days before the last bar held, as far as Yahoo still serves them."""
    if held is None:
        return None, []
    last = held.rows.index[-1]
    since = last - OVERLAP
    if interval == "1d":
        return since, []
    reach = pd.Timestamp.now("UTC").tz_localize(None).normalize() - pd.Timedelta(days=REACH[interval])
    lost = [f"bars from {last:%Y-%m-%d} to {reach:%Y-%m-%d} are missing: Yahoo no longer serves them"]
    return max(since, reach), lost if reach > last else []


def _revised(held: pd.DataFrame, got: pd.DataFrame) -> list[str]:
    common = held.index.intersection(got.index)
    columns = ["open", "high", "low", "close", "dividend", "split"]
    mine, theirs = held.loc[common, columns].to_numpy(float), got.loc[common, columns].to_numpy(float)
    apart = ~np.isclose(mine, theirs, rtol=1e-4, atol=1e-9).all(axis=1)
    if not apart.any():
        return []
    first = common[apart][0]
    return [
        f"Yahoo has since revised {int(apart.sum())} bars, first {first:%Y-%m-%d}; the store keeps what it held, "
        "so that past runs can be repeated; --whole takes Yahoo's"
    ]


def _exchange(about: dict[str, Any]) -> str | None:
    kind = {"CRYPTOCURRENCY": "24/7", "CURRENCY": "24/5"}.get(str(about.get("kind")))
    return kind or YAHOO.get(str(about.get("exchange_name")))


def _kept(held: store.Stored | None, said: list[str]) -> list[str]:
    """The statements of every download, each once."""
    before = [] if held is None else held.about.get("statements", [])
    return list(dict.fromkeys([*before, *said]))[-20:]
