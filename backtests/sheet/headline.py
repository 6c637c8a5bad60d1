"""The figures that stand first wherever a run is shown, each with one name and one form: on page and terminal."""

from __future__ import annotations

from typing import NamedTuple

from .tables import FEWEST_BARS
from .values import Format, Metrics
from .words import cost, number, percent


class Figure(NamedTuple):
    """A score of an account: its name, its key in the metrics, how it is written, whether it is a rate of many bars."""

    name: str
    key: str
    write: Format
    annualised: bool = False


FIGURES = (
    Figure("Total return", "total_return", percent),
    Figure("CAGR", "cagr", percent, annualised=True),
    Figure("Sharpe ratio", "sharpe", number, annualised=True),
    Figure("Volatility", "volatility", percent, annualised=True),
    Figure("Maximum drawdown", "max_drawdown", percent),
    Figure("Exposure", "time_in_market", percent),
    Figure("Round trips", "trades", lambda count: number(count, 0)),
    Figure("Turnover a year", "turnover", lambda times: f"{number(times, 1)} ×"),
    Figure("Cost a year", "cost_bps", cost),
)


def headline(metrics: Metrics, bars: int) -> list[tuple[Figure, str, str]]:
    """Every figure, as text of the strategy and of holding; annualised ones only of enough bars."""
    ours, held = metrics["strategy"], metrics["benchmark"]
    return [
        (figure, figure.write(ours[figure.key]), figure.write(held[figure.key]))
        for figure in FIGURES
        if bars >= FEWEST_BARS or not figure.annualised
    ]
