"""What the account did in the falls of the market that everybody remembers, and in the deepest of its own market."""

from __future__ import annotations

import pandas as pd

from ..pipeline.result import Result
from .overview import exposure
from .values import Context

# From a high of the closes of the S&P 500 to the low that followed.
CRISES = {
    "Black Monday": ("1987-08-25", "1987-12-04"),
    "Russian default": ("1998-07-17", "1998-08-31"),
    "Dot-com bust": ("2000-03-24", "2002-10-09"),
    "Financial crisis": ("2007-10-09", "2009-03-09"),
    "Euro crisis": ("2011-04-29", "2011-10-03"),
    "Late 2018": ("2018-09-20", "2018-12-24"),
    "COVID-19": ("2020-02-19", "2020-03-23"),
    "Inflation of 2022": ("2022-01-03", "2022-10-12"),
}


def crises(result: Result) -> list[Context]:
    """A row for each crisis within the evaluation window, and one for holding's deepest drawdown, the first of all.

    Returns are from the last close at or before the first date to the last close at or before the last one; exposure is
    the mean of the closes in between, longs less shorts.
    """
    curves = pd.DataFrame({"strategy": result.equity, "holding": result.history["benchmark"]})
    spans = {"Holding's deepest fall": _deepest(curves["holding"])} if len(curves) > 1 else {}
    for name, (first, last) in CRISES.items():
        dates = pd.Timestamp(first), pd.Timestamp(last)
        if curves.index[0] <= dates[0] and dates[1] <= curves.index[-1]:
            spans[name] = dates
    weights = exposure(result).sum(axis=1)
    return [_row(name, curves.loc[: span[1]], weights, span) for name, span in spans.items()]


def _deepest(equity: pd.Series) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The peak and the trough of the deepest drawdown."""
    trough = (equity / equity.cummax() - 1).idxmin()
    return equity.loc[:trough].idxmax(), trough


def _row(name: str, curves: pd.DataFrame, weights: pd.Series, span: tuple[pd.Timestamp, pd.Timestamp]) -> Context:
    first = curves.index[curves.index.searchsorted(span[0], side="right") - 1]
    change = curves.iloc[-1] / curves.loc[first] - 1
    return {
        "name": name,
        "first": first,
        "last": curves.index[-1],
        "strategy": float(change["strategy"]),
        "holding": float(change["holding"]),
        "exposure": float(weights.loc[first : curves.index[-1]].mean()),
    }
