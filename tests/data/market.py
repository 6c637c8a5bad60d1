"""Real prices as they were traded, with what was paid and split, for a server to serve; and how a test fetches them."""

from __future__ import annotations

from rollcast.backtests.data.bundled import bundled
from rollcast.backtests.data.fetch import Fetched, fetch
from tests.data.loopback import Yahoo, connector

SPLITS = {"2000-06-21": 2.0, "2005-02-28": 2.0}
AAPL = bundled()["AAPL"].drop(columns="adj_close").assign(dividend=0.0, split=0.0).astype(float)
for day, ratio in SPLITS.items():
    AAPL.loc[day, "split"] = ratio
AAPL.loc["2004-06-01", "dividend"] = 0.13  # before a split, so that Yahoo's is half of it
SPY = bundled()["SPY"].drop(columns="adj_close").assign(split=0.0).astype(float)
PRICES = ["open", "high", "low", "close"]


def get(yahoo: Yahoo, symbol: str, **options: object) -> Fetched:
    """What `fetch` makes of the server's answer, its pauses short."""
    quick = {"deadline": 600.0, "timeout": 300.0, "pause": 0.01}
    return fetch(symbol, connect=connector(yahoo.base), **quick | options)
