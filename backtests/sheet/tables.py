"""quantstats' tables: parsed from the HTML of its report, renamed to what they count, and set in groups."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from html.parser import HTMLParser

import pandas as pd

from .values import Cells

FEWEST_BARS = 60  # below, one bar's luck moves an annualised figure by more than its size

_ANNUALISED = re.compile(
    r"(CAGR|(Prob\. |Smart )?Sharpe|(Smart )?Sortino|Volatility|Calmar|Risk-Adjusted|\d+Y |All-time|Alpha)"
)
_RENAMED = {
    "CAGR\ufe6a": "CAGR",  # few fonts have that small percent sign
    "Time in Market": "Bars with a Return",  # all it counts, rounded up; the account may hold through a still bar
    "Best Day": "Best Bar",
    "Worst Day": "Worst Bar",
    "Win Days": "Win Bars",
    "Expected Daily": "Expected per Bar",
    "Daily Value-at-Risk": "Value-at-Risk per Bar",
    "Recovered": "Last bar",  # of a stretch under water that may not have ended
}
# The first row of a group, which quantstats separates from the next by rules → the title we give it.
_TITLES = {
    "Risk-Free Rate": "Assumptions",
    "Cumulative Return": "Growth",
    "Sharpe": "Return for risk",
    "Max Drawdown": "Risk",
    "Avg. Return": "Average bar",
    "Expected per Bar": "Expectation and tail",
    "Max Consecutive Wins": "Streaks and pain",
    "Payoff Ratio": "Payoff",
    "MTD": "Latest periods",
    "Best Bar": "Best and worst",
    "Avg. Drawdown": "Drawdowns",
    "Avg. Up Month": "Months and wins",
    "Beta": "Against the benchmark",
}


@dataclass(frozen=True)
class Row:
    """A row of a table: its name and its cells, as text."""

    name: str
    cells: Cells


@dataclass(frozen=True)
class Group:
    """Rows that belong together, and what they are about."""

    title: str
    rows: tuple[Row, ...]


class _Parser(HTMLParser):
    """Collects the texts of the cells of a table, row by row.

    quantstats leaves its rules unclosed and inside cells, so a rule's end must not end the cell.
    """

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        self._in_cell = tag in ("td", "th") or (self._in_cell and tag == "hr")
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data


def parse_rows(table: str) -> list[Row]:
    """The rows of an HTML table, its head first; a rule between rows is a Row without name and cells."""
    parser = _Parser()
    parser.feed(table)
    return [Row(cells[0].strip(), tuple(c.strip() for c in cells[1:])) for cells in parser.rows if cells]


def correct(rows: list[Row], returns: pd.Series) -> list[Row]:
    """quantstats' rows under names that say what they count, and a dash where the bars are too few for a figure."""
    # The risk of ruin is left out: quantstats computes it from the share of wins alone, whatever a loss costs.
    return [_row(row, returns) for row in rows if row.name != "Risk of Ruin"]


def group(rows: list[Row]) -> list[Group]:
    """The rows between two rules as one group."""
    runs = [tuple(run) for named, run in itertools.groupby(rows, lambda row: bool(row.name)) if named]
    return [Group(_TITLES.get(run[0].name, run[0].name), run) for run in runs]


def _row(row: Row, returns: pd.Series) -> Row:
    """A row by its new name, with dashes where the window is too short for its figure or quantstats has none."""
    name = _RENAMED.get(row.name, row.name)
    years = re.match(r"(\d+)Y ", name)
    first, last = returns.index[0], returns.index[-1]
    too_long = years is not None and first > last - pd.DateOffset(years=int(years[1]), days=-7)
    if too_long or (len(returns) < FEWEST_BARS and _ANNUALISED.match(name)):
        return Row(name, ("–",) * len(row.cells))
    return Row(name, tuple("–" if re.fullmatch(r"(-?(nan|inf)|-)?%?", cell) else cell for cell in row.cells))


def label(name: str, default: str, width: int = 28) -> str:
    """`name` as charts and table heads can show it: printable, short, and nothing quantstats would interpret."""
    plain = printable(name).replace("{{", "{ {").strip() or default
    short = plain if len(plain) <= width else plain[: width - 1].rstrip() + "…"
    return f"\u2009{short}" if short.startswith("_") else short  # matplotlib hides labels that begin with _


def printable(text: str) -> str:
    """`text` with a space for every control character, direction mark and lone surrogate."""
    return "".join(character if character.isprintable() else " " for character in text)
