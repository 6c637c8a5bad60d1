"""The prices that are distributed with the package."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pandas as pd

from .table import Table

FOLDER = Path(__file__).parent.parent / "prices"
FILES = ("spy", "us5", "btcusd", "aapl_1h", "sp20")


@cache
def bundled() -> dict[str, pd.DataFrame]:
    """Every bundled symbol and its rows as they are in the file, indexed by date."""
    table = {}
    for file in FILES:
        long = pd.read_parquet(FOLDER / f"{file}.parquet").set_index("date")
        for symbol, rows in long.groupby("symbol", observed=True):
            table[str(symbol)] = rows.drop(columns="symbol")
    return table


def bundled_table(symbol: str) -> Table:
    """The rows of a bundled symbol. Raises KeyError for another symbol."""
    rows = bundled()[symbol]
    exchange = "24/7" if symbol == "BTC-USD" else "XNYS"
    pin = {"source": "bundled", "symbol": symbol}
    return Table(rows, f"bundled {symbol}, whose origin is in prices/PROVENANCE.md", None, (), exchange, pin)
