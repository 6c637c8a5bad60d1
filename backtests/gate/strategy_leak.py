"""What shows that a strategy looks ahead: the first order that is another without the bars after its time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

CUT, CHANGED = "cut off", "changed"
NAMES = ("Account", "EMA", "STRATEGIES")  # that a script may need of rollcast
# The two runs that are compared: what is hidden in each. In the last two the second is on bars that are others.
SHOWN = {
    "later": ("None", "LATER"),
    "opening": ("()", "LATER"),
    "again": ("None", "None"),
    CUT: ("LATER", "LATER"),
    CHANGED: ("LATER", "LATER"),
}


@dataclass(frozen=True)
class StrategyLeak:
    """An order that is another without the bars after its time.

    name:   of the strategy.
    date:   of the bar at which the first order that differs was filled or refused.
    order:  what it is where later bars are there.   honest: what it is where they are not.
    source: what it reads.
    ahead:  bars after that one which it needs; None where a run up to a later bar does not bring it back.
    lines:  the lines of later bars that change it, each alone.
    row:    of the table of orders; None where the orders are the same and the account is not.
    shown:  by which pair of runs, a key of `SHOWN`.   cut: the number of bars left as they are there.
    """

    name: str
    date: pd.Timestamp
    order: str
    honest: str
    source: str
    ahead: int | None = None
    lines: tuple[str, ...] = ()
    row: int | None = None
    shown: str = "later"
    cut: int = 0

    def __str__(self) -> str:
        bars = "" if self.ahead is None else "the next bar" if self.ahead == 0 else f"the next {self.ahead + 1} bars"
        again = bars and f"; {bars} after its decision suffice{'s' * (self.ahead == 0)}"
        read = f", reading {', '.join(self.lines)}" if self.lines else ""
        date = self.date.isoformat(sep=" ").removesuffix(" 00:00:00")
        return (
            f"{self.name} trades on {self.source}{read}: on {date} it has {self.order} where later bars are "
            f"there to be read, and {self.honest} where they are not{again}"
        )

    def script(self, strategy: str, bars: str, forecast: str, given: str) -> str:
        """The lines of Python that reproduce it for one name, of these expressions.

        given: the further arguments of `simulate`, after a comma.
        """
        named = [*{CHANGED: ["changed"], CUT: ["truncated"]}.get(self.shown, []), bars.partition("(")[0]]
        other = {
            CHANGED: f"(changed(bars, {self.cut}, list(bars)), forecast.where(forecast.index < bars.index[{self.cut}], "
            "-forecast), LATER)",
            CUT: f"(truncated(bars, {self.cut}), forecast.iloc[:{self.cut}], LATER)",
        }.get(self.shown, f"(bars, forecast, {SHOWN[self.shown][1]})")
        what = f'history.loc["{self.date}"]' if self.row is None else f"orders.iloc[{self.row} : {self.row + 1}]"
        return "\n".join(
            (
                f"from rollcast import {', '.join(name for name in NAMES if name in forecast + strategy + given)}",
                "from rollcast.backtests.account.engine import simulate",
                f"from rollcast.predictors.checks.perturbations import {', '.join(named)}",
                "from rollcast.strategies.stream import LATER",
                f"strategy, bars = {strategy}, {bars}",
                f"forecast = {forecast}",
                f"for b, f, hidden in ((bars, forecast, {SHOWN[self.shown][0]}), {other}):",
                f"    print(simulate(b, f, strategy{given}, hidden=hidden).{what})",
            )
        )


def first_row(orders: pd.DataFrame, others: pd.DataFrame) -> int | None:
    """The first row that is not the same in both; None where all are."""
    n = min(len(orders), len(others))
    same = ((orders.iloc[:n] == others.iloc[:n]) | (orders.iloc[:n].isna() & others.iloc[:n].isna())).all(axis=1)
    if not same.all():
        return int(np.argmin(same.to_numpy()))
    return n if len(orders) != len(others) else None


def order_words(orders: pd.DataFrame, row: int) -> str:
    """An order in words."""
    if row >= len(orders):
        return "no order"
    order = orders.iloc[row]
    name = f" of {order['symbol']}" if "symbol" in order else ""
    return f"an order ({order['side']} {abs(order['units']):,.6g}{name}, {order['status']})"
