"""What a request for many names means: which symbols, which rule, which bars."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from rollcast.backtests.account.hosts import StrategyClass
from rollcast.backtests.data.panel import BUNDLED, Panel, load_panel
from rollcast.backtests.data.table import Loaded
from rollcast.backtests.pipeline.backtest import STRATEGIES
from rollcast.backtests.pipeline.panel_backtest import PORTFOLIO_STRATEGIES
from rollcast.predictors.registry import Registry, suggest
from rollcast.strategies.rule import Rule

LONGEST = 60  # letters of a folder's name that come from its symbols


@dataclass(frozen=True)
class LoadedPanel:
    """The bars of one run of a portfolio; `each` says how those of every symbol came to be."""

    bars: Panel
    each: Mapping[str, Loaded]

    @cached_property
    def seen(self) -> Panel:
        """What a predictor reads of them."""
        return Panel(self.bars.name, {symbol: one.seen for symbol, one in self.each.items()})

    def told(self) -> dict[str, Any]:
        """What a recipe keeps of it."""
        return {"symbols": {symbol: one.told() for symbol, one in self.each.items()}}


def names_many(symbol: str) -> bool:
    """Whether a symbol means a panel: a bundled one, @FILE, or symbols with commas, unless a file is called so."""
    return symbol in BUNDLED or symbol.startswith("@") or ("," in symbol and not Path(symbol).is_file())


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


def load_asked(symbol: str, load: Callable[[str], Loaded]) -> LoadedPanel:
    """The panel a symbol means, each name's bars by `load`; raises as `load_panel`."""
    each: dict[str, Loaded] = {}

    def bars(name: str, *_: Any, **__: Any) -> pd.DataFrame:
        each[name] = load(name)
        return each[name].bars

    return LoadedPanel(load_panel(symbol, load=bars), each)


def find_rule(name: str, *, many: bool) -> tuple[StrategyClass, Registry]:
    """The strategy of this name or file for many names or for one, and the registry that has it.

    Raises ValueError for a rule for many names that is asked to trade one, and what the registry raises.
    """
    portfolio, single = PORTFOLIO_STRATEGIES.names(), STRATEGIES.names()
    if many and not name.partition(":")[0].endswith(".py") and name not in {**portfolio, **single}:
        raise LookupError(f"unknown strategy {name!r}. {suggest(name, {**portfolio, **single})}")
    registry = PORTFOLIO_STRATEGIES if name in portfolio and (many or name not in single) else STRATEGIES
    cls = registry.find(name)
    if issubclass(cls, Rule) and not many:
        raise ValueError(f"{name} trades many names; give it several, as --symbol AAPL,MSFT or --symbol {BUNDLED[0]}")
    return cls, registry


def called(symbol: str, name_of: Callable[[str], str]) -> str:
    """What a panel's folder is called: its file's name, or its symbols, of which the first and a number if many."""
    if "," not in symbol:
        return Path(symbol.removeprefix("@")).stem if symbol.startswith("@") else symbol
    names = [name_of(one.strip()) for one in symbol.split(",") if one.strip()]
    text = ",".join(names)
    return text if len(text) <= LONGEST else f"{names[0][:LONGEST]}-and-{len(names) - 1}"
