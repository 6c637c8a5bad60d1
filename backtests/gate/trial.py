"""A strategy traded again on bars that are not there, or are others, and the first order that differs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ...predictors.bars import COLUMNS
from ...predictors.checks.perturbations import changed, truncated
from ...strategies.actions import actions_of
from ...strategies.sizing import Ruined
from ..account.engine import Account, Simulation, simulate
from ..account.hosts import Strategy, class_of
from ..account.panel_engine import PanelSimulation, simulate_panel
from ..json_values import Parameters
from ..market.market import Market
from ..market.panel import Panel
from .strategy_leak import CHANGED, CUT, StrategyLeak, first_row, order_words

STEPS = (0, 1, 2, 3, 5, 10, 21, 63, 126, 252)  # bars after its fill with which an order is looked for again
LINES = ("high", "low", "close", "volume", "forecast", "open")  # which of them an order reads ahead, each tried alone
HISTORY = ["equity", "cash", "units"]

Traded = Simulation | PanelSimulation


@dataclass(frozen=True)
class Trial:
    """A strategy and what it traded: the market, the forecasts (dates × names) and the account.

    traded: what came of it there; an exception where it raised one.
    """

    strategy: Strategy
    parameters: Parameters
    market: Market
    table: pd.DataFrame
    account: Account
    traded: Traded | Exception

    @property
    def dates(self) -> pd.DatetimeIndex:
        """Of the forecasts, one for every bar of the market."""
        return pd.DatetimeIndex(self.table.index)

    def run(self, hidden: Collection[str] | None = None, **modes: Any) -> Traded | Exception:
        """The same once more; by an engine that holds no later bar where there are `hidden` lines.

        Where a strategy reads what is not there it may raise anything: that is returned.
        """
        one = (self.strategy, self.parameters, self.account)
        try:
            if self.market.portfolio:
                return simulate_panel(self.market.panel, self.table, *one, **modes)
            return simulate(self.market.bars, self.table.iloc[:, 0], *one, hidden=hidden, **modes)
        except Exception as error:
            return error

    def perturbed(self, cut: int, how: str, columns: Collection[str] = (*COLUMNS, "forecast")) -> Trial:
        """On bars and forecasts of which those after the first `cut` dates are cut off, or changed in these columns."""
        whole, date = self.market, self.dates[cut]
        bars = {name: _perturbed(one.bars, date, how, columns) for name, one in whole.loaded.items()}
        bars = {name: one for name, one in bars.items() if len(one)}
        market = Market.of(Panel(whole.name, bars) if whole.portfolio else bars[whole.symbols[0]], whole.symbols[0])
        table = self.table.loc[:, market.columns]
        if how == CUT:
            table = table.iloc[:cut]
        elif "forecast" in columns:
            table = table.mul(np.where(np.arange(len(table)) < cut, 1.0, -1.0), axis=0)
        return replace(self, market=market, table=table)

    def by(self, strategy: Strategy) -> Trial:
        """By another strategy."""
        return replace(self, strategy=strategy)

    def difference(self, other: Traded | Exception, source: str, cut: int | None = None) -> StrategyLeak | None:
        """The first difference up to the close of bar `cut`, which no later bar decides; of all bars without a cut."""
        name, last = class_of(self.strategy).__name__, self.dates[-1] if cut is None else self._compared(cut)
        assert not isinstance(self.traded, Exception)
        if isinstance(other, Ruined) and other.date > last:
            return None  # it ended after the bars that are compared, and left no table
        if isinstance(other, Exception):
            first = self.traded.orders["date"].iloc[0] if len(self.traded.orders) else self.dates[0]
            error = f"{type(other).__name__} ({other})"
            return StrategyLeak(name, first, order_words(self.traded.orders, 0), error, source, row=0)
        tables = [run.orders[run.orders["date"] <= last].reset_index(drop=True) for run in (self.traded, other)]
        row = first_row(*tables)
        if row is not None:
            date = min(table["date"].iloc[row] for table in tables if row < len(table))
            order, honest = (order_words(table[table["date"] <= date], row) for table in tables)
            return StrategyLeak(name, date, order, honest, source, row=row)
        histories = [run.history.loc[:last, HISTORY].to_numpy(float) for run in (self.traded, other)]
        apart = (histories[0] != histories[1]).any(axis=1)
        if not apart.any():
            return None
        at = int(np.argmax(apart))
        order, honest = (f"an equity of {history[at, 0]:,.2f}" for history in histories)
        return StrategyLeak(name, self.dates[at], order, honest, source)

    def _compared(self, cut: int) -> pd.Timestamp:
        """The last date that is compared: after it, a name without a bar up to the cut is sold as one that ends."""
        date = self.dates[cut]
        going_on = [one.bars.index for one in self.market.loaded.values() if one.bars.index[0] < date]
        before = [index[index.searchsorted(date) - 1] for index in going_on if index[-1] >= date]
        return min([self.dates[cut - 1], *before])

    def explained(self, leak: StrategyLeak) -> StrategyLeak:
        """The leak with how far ahead its order looks, and which lines it reads there."""
        if leak.row is None:
            return leak
        at = int(self.dates.get_loc(leak.date))
        read = [line for line in LINES if self._reads(line, leak, at)]
        # A close may have to leave the range of its bar; high and low, which go with it then, are not read.
        read = read or [line for line in ("close", "open") if self._reads(line, leak, at, far=True)]
        return replace(leak, ahead=self._ahead(leak, at), lines=tuple(read))

    def _reads(self, line: str, leak: StrategyLeak, at: int, *, far: bool = False) -> bool:
        """Whether the order is another where this line alone is, from the bar of its fill on; opens from the next."""
        cut = at + (line == "open")
        if cut >= len(self.dates):
            return False
        others = [self.perturbed(cut, CHANGED, [line]), *(self._moved(line, cut, up, far) for up in (True, False))]
        return any(isinstance(run := other.run(), Traded) and not self._same(leak, run) for other in others)

    def _moved(self, line: str, cut: int, up: bool, far: bool) -> Trial:
        """With this line higher or lower on all bars from this one on; an open or close within its bar unless `far`."""
        factor, date = 1.5 if up else 1 / 1.5, self.dates[cut]
        if line == "forecast":
            later = np.arange(len(self.table)) >= cut
            return replace(self, table=self.table.mul(np.where(later, -factor, 1.0), axis=0))
        whole, bars = self.market, {}
        for name, one in whole.loaded.items():
            side = "high" if up else "low"
            within, lines = line in ("open", "close"), [line, side] if far else [line]
            moved = one.bars[side if within else line] * (1.0 if within and not far else factor)
            kept = one.bars.index < date
            bars[name] = one.bars.assign(**{each: one.bars[each].where(kept, moved) for each in lines})
        only = next(iter(bars.values()))
        return replace(self, market=Market.of(Panel(whole.name, bars) if whole.portfolio else only, whole.symbols[0]))

    def _ahead(self, leak: StrategyLeak, at: int) -> int | None:
        """How many bars after its own bring an order back; None where none of `STEPS` does."""
        for ahead in STEPS:
            if at + ahead + 1 > len(self.dates):
                return None
            whole = at + ahead + 1 == len(self.dates)
            run = self.run() if whole else self.perturbed(at + ahead + 1, CUT).run()
            if isinstance(run, Traded) and self._same(leak, run):
                return ahead
        return None

    def _same(self, leak: StrategyLeak, run: Traded) -> bool:
        """Whether the orders up to that of the leak are those that were traded."""
        assert leak.row is not None
        assert not isinstance(self.traded, Exception)
        return first_row(self.traded.orders.iloc[: leak.row + 1], run.orders.iloc[: leak.row + 1]) is None


def _perturbed(bars: pd.DataFrame, date: pd.Timestamp, how: str, columns: Collection[str]) -> pd.DataFrame:
    """The bars of one name, those from this date on cut off or changed; dividends and splits stay."""
    cut = int(bars.index.searchsorted(date))
    if how == CUT:
        return truncated(bars, cut)
    named = [column for column in COLUMNS if column in columns]
    if cut == len(bars) or not named:
        return bars
    acted = actions_of(bars)
    other = changed(bars[list(COLUMNS)], cut, named)
    return other if acted is None else other.assign(**acted)
