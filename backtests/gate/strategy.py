"""The look-ahead gate of strategies: the same account, kept on bars that are not there before their time.

A rule (`strategies.rule`) is handed what is known and nothing else. A strategy of backtrader's reads lines that are
loaded whole, and is therefore run again by an engine that holds no later bar. Both are run once more on bars that are
changed after a cut: what a strategy knows by another way than its lines, from an earlier run above all, shows there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...predictors.bars import COLUMNS
from ...predictors.checks.perturbations import changed
from ...strategies.actions import actions_of
from ...strategies.sizing import Ruined
from ...strategies.stream import LATER
from ..account.engine import Account, Simulation, simulate
from ..account.hosts import Strategy, class_of, is_rule
from ..json_values import Parameters, Values
from .verdict import LookAheadError

CUT = 2 / 3  # of the bars are left as they are in the run on changed bars
STEPS = (0, 1, 2, 3, 5, 10, 21, 63, 126, 252)  # bars after its fill with which an order is looked for again
HISTORY = ["equity", "cash", "units"]


@dataclass(frozen=True)
class StrategyLeak:
    """An order that is another without the bars after its time.

    name:   of the strategy.
    date:   of the bar at which the first order that differs was filled or refused.
    order:  what it is where later bars are there.   honest: what it is where they are not.
    ahead:  bars after that one which it needs; None where a run up to a later bar does not bring it back.
    source: what it reads.
    """

    name: str
    date: pd.Timestamp
    order: str
    honest: str
    ahead: int | None
    source: str

    def __str__(self) -> str:
        bars = "" if self.ahead is None else "the next bar" if self.ahead == 0 else f"the next {self.ahead + 1} bars"
        again = bars and f"; {bars} after its decision suffice{'s' * (self.ahead == 0)}"
        return (
            f"{self.name} trades on {self.source}: on {self.date:%Y-%m-%d} it has {self.order} where later bars are "
            f"there to be read, and {self.honest} where they are not{again}"
        )


@dataclass(frozen=True)
class StrategyVerdict:
    """What the gate concludes of a strategy. leak: the look-ahead found, or None.   finding: in a sentence."""

    leak: StrategyLeak | None
    finding: str

    def as_dict(self) -> Values:
        """What a recipe keeps."""
        return {"passed": self.leak is None, "finding": self.finding}


class StrategyLooksAhead(LookAheadError):
    """The strategy looked ahead; `leak` says where."""

    def __init__(self, leak: StrategyLeak) -> None:
        ValueError.__init__(
            self,
            f"the strategy looks ahead: {leak}. No clean tear sheet can come of it; "
            "--allow-lookahead prints a marked one",
        )
        self.leak = leak  # type: ignore[assignment]  # of another kind than a predictor's


KEPT = "what it kept of an earlier run, or on chance"
RULE = "a rule, which is handed only what is known"


def examine_strategy(
    strategy: Strategy,
    parameters: Parameters,
    bars: pd.DataFrame,
    forecast: pd.Series,
    account: Account,
    traded: Simulation,
) -> StrategyVerdict:
    """Runs a strategy again on the bars that it traded; `traded` is what came of it there.

    Rules of rollcast's own are not run again.
    """
    if class_of(strategy).__module__.startswith("rollcast.strategies."):
        return StrategyVerdict(None, RULE)
    trial = _Trial(strategy, parameters, bars, forecast, account, traded)
    leak = None if is_rule(strategy) else trial.without_later_bars()
    leak, statement = (leak, "") if leak else trial.on_changed_bars()
    if leak:
        return StrategyVerdict(leak, str(leak))
    how = RULE if is_rule(strategy) else "every order is the same where no later bar is there to be read"
    return StrategyVerdict(None, f"{how}; {statement}")


@dataclass(frozen=True)
class _Trial:
    """A strategy and what came of it."""

    strategy: Strategy
    parameters: Parameters
    bars: pd.DataFrame
    forecast: pd.Series
    account: Account
    traded: Simulation

    @property
    def cut(self) -> int:
        """Bars that are left as they are in the run on changed bars."""
        return int(CUT * len(self.bars))

    def without_later_bars(self) -> StrategyLeak | None:
        """The leak that an engine shows which holds no later bar."""
        leak = self._difference(self._run(self.bars, LATER), len(self.bars), "bars after its own")
        if leak is None:
            return None
        remembered = self._difference(self._run(self.bars, None), len(self.bars), KEPT)
        if remembered is not None:
            return self._renamed(remembered, KEPT)
        opened = self._run(self.bars, ())  # no later bar, but all of today's at its open
        if self._difference(opened, len(self.bars), "") is not None:
            return leak
        for name in LATER:
            others = [line for line in LATER if line != name]
            if self._difference(self._run(self.bars, others), len(self.bars), "") is None:
                return self._renamed(leak, f"the {name} of a bar at its open")
        return self._renamed(leak, "prices of a bar at its open")

    def on_changed_bars(self) -> tuple[StrategyLeak | None, str]:
        """The leak that shows where bars and forecasts after the cut are others, and a statement where none does."""
        acted = actions_of(self.bars)
        other = changed(self.bars[list(COLUMNS)], self.cut, COLUMNS)
        other = other if acted is None else other.assign(**acted)
        forecast = self.forecast.where(np.arange(len(other)) < self.cut, -self.forecast)
        run = self._run(other, None if is_rule(self.strategy) else LATER, forecast)
        if isinstance(run, Exception) and not isinstance(run, Ruined):
            return None, f"on bars changed after {self.cut:,} it raised {type(run).__name__}, which shows nothing"
        leak = self._difference(run, self.cut, "what it kept of an earlier run, or knows by heart")
        return leak, f"up to bar {self.cut:,} of {len(self.bars):,} also where later ones are changed"

    def _run(
        self, bars: pd.DataFrame, hidden: Collection[str] | None, forecast: pd.Series | None = None
    ) -> Simulation | Exception:
        forecast = self.forecast.iloc[: len(bars)] if forecast is None else forecast
        try:
            return simulate(bars, forecast, self.strategy, self.parameters, self.account, hidden=hidden)
        except Exception as error:  # where a strategy reads what is not there it may raise anything
            return error

    def _difference(self, other: Simulation | Exception, bars: int, source: str) -> StrategyLeak | None:
        """The first difference within the first `bars`."""
        name = class_of(self.strategy).__name__
        if isinstance(other, Ruined) and other.date > self.bars.index[bars - 1]:
            return None  # it ended after the bars that are compared, and left no table
        if isinstance(other, Exception):
            first = self.traded.orders["date"].iloc[0] if len(self.traded.orders) else self.bars.index[0]
            error = f"{type(other).__name__} ({other})"
            return StrategyLeak(name, first, _order(self.traded.orders, 0), error, None, source)
        last = self.bars.index[bars - 1]
        tables = [run.orders[run.orders["date"] <= last].reset_index(drop=True) for run in (self.traded, other)]
        row = _first_row(*tables)
        if row is not None:
            date = min(table["date"].iloc[row] for table in tables if row < len(table))
            order, honest = (_order(table[table["date"] <= date], row) for table in tables)
            return StrategyLeak(name, date, order, honest, self._ahead(tables[0], row, date), source)
        histories = [run.history.iloc[:bars][HISTORY].to_numpy(float) for run in (self.traded, other)]
        apart = (histories[0] != histories[1]).any(axis=1)
        if not apart.any():
            return None
        at = int(np.argmax(apart))
        order, honest = (f"an equity of {history[at, 0]:,.2f}" for history in histories)
        return StrategyLeak(name, self.bars.index[at], order, honest, None, source)

    def _ahead(self, orders: pd.DataFrame, row: int, date: pd.Timestamp) -> int | None:
        """How many bars after its own bring an order back; None where none of `STEPS` does."""
        at = int(self.bars.index.get_loc(date))
        for ahead in STEPS:
            if at + ahead + 1 > len(self.bars):
                return None
            run = self._run(self.bars.iloc[: at + ahead + 1], None)
            if isinstance(run, Simulation) and _first_row(orders.iloc[: row + 1], run.orders.iloc[: row + 1]) is None:
                return ahead
        return None

    def _renamed(self, leak: StrategyLeak, source: str) -> StrategyLeak:
        return StrategyLeak(leak.name, leak.date, leak.order, leak.honest, None, source)


def _first_row(orders: pd.DataFrame, others: pd.DataFrame) -> int | None:
    """The first row that is not the same in both; None where all are."""
    n = min(len(orders), len(others))
    same = ((orders.iloc[:n] == others.iloc[:n]) | (orders.iloc[:n].isna() & others.iloc[:n].isna())).all(axis=1)
    if not same.all():
        return int(np.argmin(same.to_numpy()))
    return n if len(orders) != len(others) else None


def _order(orders: pd.DataFrame, row: int) -> str:
    """An order in words."""
    if row >= len(orders):
        return "no order"
    order = orders.iloc[row]
    return f"an order ({order['side']} {abs(order['units']):,.6g}, {order['status']})"
