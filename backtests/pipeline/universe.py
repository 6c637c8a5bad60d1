"""The symbols that a request names, and what a folder is called after them."""

from __future__ import annotations

import re
from collections.abc import Callable
from os.path import isfile
from pathlib import Path

from ..data.load import is_file
from ..data.table import Loaded
from ..market.market import Market
from ..market.panel import BUNDLED, symbols_of

LONGEST = 60  # letters of a folder's name that come from its symbols


def names_portfolio(symbol: str) -> bool:
    """Whether a symbol means several: a bundled panel, @FILE, or symbols with commas, unless a file is called so."""
    return symbol in BUNDLED or symbol.startswith("@") or ("," in symbol and not isfile(symbol))


def universe_of(symbol: str) -> str:
    """The symbol, or @FILE for a .txt file that has one word on each line, which cannot be prices.

    What follows a # is a comment.
    """
    path = Path(symbol)
    if path.suffix.lower() != ".txt" or not path.is_file():
        return symbol
    lines = [line.partition("#")[0].strip() for line in path.read_text("utf-8", errors="replace").splitlines()]
    words = [line for line in lines if line]
    return f"@{symbol}" if words and not any(re.search(r"[\s,;|]", word) for word in words) else symbol


def load_market(symbol: str, load: Callable[[str], Loaded]) -> Market:
    """The market a symbol means, each name's bars by `load`. Raises as `symbols_of` and `load` do."""
    if not names_portfolio(symbol):
        return Market(symbol, {symbol: load(symbol)})
    name, symbols = symbols_of(symbol)
    return Market(name, {one: load(one) for one in symbols}, portfolio=True)


def symbol_label(symbol: str) -> str:
    """What a folder is called after what was traded: a symbol, a file's name, or several symbols.

    Of many symbols, the first and the number of the others.
    """
    if not names_portfolio(symbol):
        return _stem(symbol)
    if "," not in symbol:
        return Path(symbol.removeprefix("@")).stem if symbol.startswith("@") else symbol
    names = [_stem(one.strip()) for one in symbol.split(",") if one.strip()]
    text = ",".join(names)
    return text if len(text) <= LONGEST else f"{names[0][:LONGEST]}-and-{len(names) - 1}"


def _stem(symbol: str) -> str:
    return Path(symbol).stem if is_file(symbol) else symbol
