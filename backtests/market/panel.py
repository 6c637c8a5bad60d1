"""The bars of many symbols, each on its own calendar."""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from ...predictors.bars import check_bars
from ...strategies.actions import actions_of
from ..data.bars import list_bars, load_bars

# The bundled panels; sp20 is every symbol that ends so.
US5 = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
BUNDLED = ("sp20", "us5")


@dataclass(frozen=True, eq=False)
class Panel:
    """Named bars by symbol, in the order given; each symbol has its own dates.

    Where bars carry `dividend` and `split`, these are booked on their dates.

    Raises ValueError unless there are symbols, and every symbol's bars are bars.
    """

    name: str
    bars: Mapping[str, pd.DataFrame]

    def __post_init__(self) -> None:
        if not self.bars:
            raise ValueError("a panel needs at least one symbol")
        for symbol, bars in self.bars.items():
            check_bars(bars, symbol)
            actions_of(bars)

    @property
    def symbols(self) -> list[str]:
        """In the order given."""
        return list(self.bars)

    @cached_property
    def calendar(self) -> pd.DatetimeIndex:
        """Every date on which any symbol has a bar."""
        dates = sorted(set().union(*(bars.index for bars in self.bars.values())))
        return pd.DatetimeIndex(dates, name="date")

    def table(self, column: str) -> pd.DataFrame:
        """One column of all symbols, dates × symbols; NaN where a symbol has no bar."""
        return pd.DataFrame({symbol: bars[column] for symbol, bars in self.bars.items()}, index=self.calendar)

    @cached_property
    def index(self) -> pd.DataFrame:
        """The equal-weight index as bars: 100 before the first date, then I[t] = I[t-1] · mean of x[t]/close[t-1].

        The mean is over the symbols with a bar at t and one before, x being each of the four prices. No volume.
        """
        last = self.table("close").ffill().shift(1)
        factors = {c: (self.table(c) / last).mean(axis=1).fillna(1.0) for c in ("open", "high", "low", "close")}
        level = 100 * np.cumprod(factors["close"].to_numpy(float))
        before = np.r_[100.0, level[:-1]]
        columns = {c: before * factor.to_numpy(float) for c, factor in factors.items()} | {"close": level}
        return pd.DataFrame(columns | {"volume": 0.0}, index=self.calendar)


def load_panel(
    universe: str | Path | Sequence[str],
    start: str | None = None,
    end: str | None = None,
    *,
    adjusted: bool = True,
) -> Panel:
    """The panel of the symbols of a universe, as `symbols_of` takes it, with the bars of `load_bars`.

    Raises what these two raise.
    """
    name, symbols = symbols_of(universe)
    return Panel(name, {symbol: load_bars(symbol, start, end, adjusted=adjusted) for symbol in symbols})


def symbols_of(universe: str | Path | Sequence[str]) -> tuple[str, list[str]]:
    """The name and the symbols of a bundled universe, `AAPL,MSFT`, a file with a symbol a line (@FILE), or symbols.

    In a file, what follows a # is a comment. Raises ValueError where no symbol is named or one twice, FileNotFoundError
    for a missing file.
    """
    name, symbols = _named(universe)
    if not symbols:
        raise ValueError(f"no symbol is named in {name!r}; write AAPL,MSFT, or a file with a symbol a line")
    twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
    if twice:
        raise ValueError(f"{twice[0]} is named twice in {name}")
    return name, symbols


def _named(universe: str | Path | Sequence[str]) -> tuple[str, list[str]]:
    """What the universe is called, and its symbols."""
    if not isinstance(universe, str | Path):
        return ",".join(universe), list(universe)
    if universe == "sp20":
        return "sp20", [symbol for symbol in list_bars().index if symbol.endswith(".sp20")]
    if universe == "us5":
        return "us5", list(US5)
    path = Path(str(universe).removeprefix("@"))
    is_file = os.path.isfile(path)  # not `Path.is_file`, which a very long list of symbols makes fail
    if str(universe).startswith("@") and not is_file:
        raise FileNotFoundError(f"no such file of symbols: {path}")
    if is_file:
        lines = path.read_text(encoding="utf-8").splitlines()
        symbols = [line.partition("#")[0].strip() for line in lines]
        return path.stem, [symbol for symbol in symbols if symbol]
    symbols = [symbol.strip() for symbol in str(universe).split(",") if symbol.strip()]
    return ",".join(symbols), symbols
