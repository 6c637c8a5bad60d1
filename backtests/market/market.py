"""The market of one run: the bars of one name, or of all names of a portfolio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from ...strategies.actions import actions_of
from ..data.table import Loaded
from ..json_values import Values
from .panel import Panel


@dataclass(frozen=True, eq=False)
class Market:
    """What the account trades and what the predictor reads, name by name.

    name:      the symbol, or what the portfolio is called.
    loaded:    symbol → its bars and how they came to be, in the order of the portfolio.
    portfolio: whether the names share the account; False for one name that is traded by itself.

    Raises ValueError for several names that are no portfolio, and what `Panel` raises for bars that are none.
    """

    name: str
    loaded: Mapping[str, Loaded]
    portfolio: bool = False

    def __post_init__(self) -> None:
        if len(self.loaded) != 1 and not self.portfolio:
            raise ValueError(f"{self.name} has {len(self.loaded)} names; only a portfolio has several")

    @classmethod
    def of(
        cls,
        bars: Market | Panel | Loaded | pd.DataFrame,
        name: str = "bars",
        model_bars: Panel | pd.DataFrame | None = None,
    ) -> Market:
        """The market of these bars; a `Panel` is a portfolio, whose own name is kept.

        model_bars: what the predictor reads, of the same names, where that is not what is traded.
        """
        if isinstance(bars, Market):
            return bars
        if isinstance(bars, Loaded):
            return cls(name, {name: bars})
        if isinstance(bars, Panel):
            reads = model_bars.bars if isinstance(model_bars, Panel) else bars.bars
            return cls(bars.name, {s: Loaded(b, reads[s]) for s, b in bars.bars.items()}, portfolio=True)
        return cls(name, {name: Loaded(bars, bars if model_bars is None else model_bars)})

    @property
    def symbols(self) -> list[str]:
        """The names, in order."""
        return list(self.loaded)

    @property
    def columns(self) -> pd.Index:
        """The names as the columns of a table, also where one is text that pandas' own type for text cannot hold."""
        try:
            return pd.Index(self.symbols)
        except UnicodeEncodeError:
            return pd.Index(self.symbols, dtype=object)

    @cached_property
    def panel(self) -> Panel:
        """The bars as the account trades them."""
        return Panel(self.name, {symbol: one.bars for symbol, one in self.loaded.items()})

    @cached_property
    def model_panel(self) -> Panel:
        """The bars as the predictor reads them: the very same object where it reads those that are traded."""
        if all(one.model_bars is one.bars for one in self.loaded.values()):
            return self.panel
        return Panel(self.name, {symbol: one.model_bars for symbol, one in self.loaded.items()})

    @property
    def bars(self) -> pd.DataFrame:
        """The bars of the one name as traded; of a portfolio its equal-weight index, which nobody trades."""
        return self.model_panel.index if self.portfolio else self._only.bars

    @property
    def model_bars(self) -> pd.DataFrame:
        """The bars of the one name as the predictor reads them; of a portfolio its equal-weight index."""
        return self.model_panel.index if self.portfolio else self._only.model_bars

    @property
    def pays(self) -> bool:
        """Whether any bars carry dividends and splits for the account to book."""
        return any(actions_of(one.bars) is not None for one in self.loaded.values())

    def as_dict(self) -> Values:
        """What a recipe keeps of how the bars came to be."""
        if not self.portfolio:
            return self._only.as_dict()
        return {"symbols": {symbol: one.as_dict() for symbol, one in self.loaded.items()}}

    @property
    def _only(self) -> Loaded:
        return next(iter(self.loaded.values()))
