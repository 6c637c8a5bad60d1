"""The prices that are distributed with the package."""

from __future__ import annotations

import hashlib
import io
from functools import cache
from pathlib import Path

import pandas as pd

from .table import Table

FOLDER = Path(__file__).parent.parent / "prices"
# name → the SHA-256 of what is distributed
FILES = {
    "spy": "7bfbc5c605e3449e8b3acb4abb07ad579bdde82de88b2ce5d334e94d75f6ccf7",
    "us5": "2085342472beaf33300cf0182ebaa150ac9cbf8889b2ec7671576482605d99d1",
    "btcusd": "aa1643d26bf3a254985e8517a48d70699ee9de96b37eeb8f18e7bc358e6caf8c",
    "aapl_1h": "f9c8c6530cc35e1cb69d54bd7f95749e58b3733145da5386e6b2cea38dfb0ae9",
    "sp20": "6bbd4e5819adf7279ac9772ee17e814183f63d676caf8b3793244d312afd9033",
}


@cache
def bundled() -> dict[str, pd.DataFrame]:
    """Every bundled symbol and its rows as they are in the file, indexed by date.

    Raises ValueError, with the file, for one that is not as it was distributed.
    """
    table = {}
    for file, digest in FILES.items():
        path = FOLDER / f"{file}.parquet"
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError(f"{path} is not what rollcast was distributed with; install rollcast again")
        long = pd.read_parquet(io.BytesIO(content)).set_index("date")
        for symbol, rows in long.groupby("symbol", observed=True):
            table[str(symbol)] = rows.drop(columns="symbol")
    return table


def bundled_table(symbol: str) -> Table:
    """The rows of a bundled symbol. Raises KeyError for another symbol."""
    rows = bundled()[symbol]
    exchange = "24/7" if symbol == "BTC-USD" else "XNYS"
    pin = {"source": "bundled", "symbol": symbol}
    return Table(rows, f"bundled {symbol}, whose origin is in prices/PROVENANCE.md", None, (), exchange, pin)
