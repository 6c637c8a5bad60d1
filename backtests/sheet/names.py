"""Across names: whether a portfolio's forecasts ranked its names, and what each name was worth to the account.

Drawn from `metrics["panel"]`, the forecasts and the positions. The rank IC of a date is the correlation of the ranks of
its forecasts with those of the next returns; a fifth is a fifth of the names with a forecast.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..account.panel_scores import aligned, quantile_spread, rank_ic
from ..pipeline.result import Result
from .luck import strip
from .overview import weights
from .scales import padded_range
from .svg import WIDTH, Chart, Plot, dated_plot, wide_chart
from .tables import printable
from .values import Context, Format, Tile
from .words import number, percent

FEWEST = 20  # dates of a rolling mean
STACK = ("accent", "hold", "third", "fourth", "fifth", "muted")  # colours of the weights, others last
UNITS = 4  # of that chart's width to a date


def names(result: Result) -> Context | None:
    """Tiles, charts and a row for each name; None for a result of one name."""
    if not result.market.portfolio:
        return None
    forecasts, outcomes = aligned(result.market.model_panel, result.forecasts)
    ic, spread = rank_ic(forecasts, outcomes), quantile_spread(forecasts, outcomes)
    window = int(np.clip(len(ic) // 4, FEWEST, max(result.metrics["bars_per_year"], FEWEST)))
    charts = [wide_chart(_rank_ic, ic, window), wide_chart(_spread, spread)] if len(ic) > window else []
    return {
        "tiles": _tiles(result),
        "charts": [
            wide_chart(_weights, largest_weights(result)),
            *charts,
            wide_chart(_name_count, _names_with_positions(result)),
        ],
        "rows": _rows(result),
        "carry": percent(result.metrics["panel"]["contribution"]["carry"], 2, signed=True),
    }


def _names_with_positions(result: Result) -> pd.Series:
    """How many names have a position at each close."""
    return (result.positions != 0).sum(axis=1).astype(float)


def _tiles(result: Result) -> list[Tile]:
    panel, count = result.metrics["panel"], _names_with_positions(result)
    ic, spread = panel["rank_ic"], panel["quantile_spread"]
    statistics = f"ICIR {number(ic['icir'], 3, signed=True)} a date, HAC t {number(ic['t'], signed=True)}"
    span = f"median of closes; from {number(count.min(), 0)} to {number(count.max(), 0)}"
    turnover = f"{number(result.metrics['strategy']['turnover'], 1)} ×"
    return [
        Tile("Rank IC, mean", number(ic["mean"], 4, signed=True), f"{statistics}, {number(panel['dates'], 0)} dates"),
        Tile(
            "Top less bottom fifth",
            percent(spread["mean"], signed=True),
            f"a year, before costs; HAC t {number(spread['t'], signed=True)}",
        ),
        Tile("Names", number(panel["names"], 0), f"{number(panel['forecast_names'], 0)} with a forecast"),
        Tile("Names held", number(count.median(), 0), span),
        Tile("Turnover a year", turnover, "of the account, all names together"),
    ]


def _rank_ic(ic: pd.Series, window: int, width: float) -> Chart:
    rolling = ic.rolling(window).mean()
    return _zero_plot(rolling, lambda v: number(v, 2), width).chart(
        "rank-ic",
        f"Rank IC, mean of the last {window} dates",
        "How far the order of the forecasts was that of the next returns: 1 in full, 0 not at all. Skill stays above "
        "zero; luck comes and goes.",
        f"From {number(rolling.min(), 3)} to {number(rolling.max(), 3)}, at the end {number(rolling.iloc[-1], 3)}",
    )


def _spread(spread: pd.Series, width: float) -> Chart:
    total = spread.cumsum()
    return _zero_plot(total, lambda v: percent(v, 0), width).chart(
        "spread",
        "Top less bottom fifth, running sum",
        "Mean next return of the fifth of names with the highest forecasts less that of the lowest, before costs.",
        f"At the end {percent(total.iloc[-1])}, lowest {percent(total.min())}, highest {percent(total.max())}",
    )


def _zero_plot(values: pd.Series, write: Format, width: float) -> Plot:
    """A value at every date about a line at zero."""
    y, most = padded_range(values, zero=True), 6 if width > WIDTH else 4
    return dated_plot(values.index, y, write, width, 220, most=most).rule(y=0).curve(values)


def largest_weights(result: Result) -> pd.DataFrame:
    """Weights over the equity at every close: of the names with the largest mean |weight|, then of all `others`."""
    table = weights(result)
    order = table.abs().mean().sort_values(ascending=False, kind="stable").index
    first, rest = order[: len(STACK) - 1], order[len(STACK) - 1 :]
    largest = table[list(first)]
    return largest if rest.empty else largest.assign(**{f"{len(rest)} others": table[list(rest)].sum(axis=1)})


def _weights(table: pd.DataFrame, width: float) -> Chart:
    """Weights one on another, long ones up from zero and short ones down."""
    sample = table.iloc[np.unique(np.linspace(0, len(table) - 1, min(len(table), int(width) // UNITS)).astype(int))]
    sides = [sample.clip(lower=0).cumsum(axis=1), sample.clip(upper=0).cumsum(axis=1)]
    y = padded_range(*(side.iloc[:, -1] for side in sides), zero=True)
    most = 6 if width > WIDTH else 4
    plot = dated_plot(table.index, y, lambda v: percent(v, 0), width, 260, most=most)
    x = table.index.get_indexer(sample.index).astype(float)
    for colour, name in zip(STACK, table, strict=False):
        for side in sides:
            top, place = side[name], side.columns.get_loc(name)
            below = side.iloc[:, place - 1] if place else 0 * top
            if not (top == below).all():
                plot.band(x, below, top, colour, "stack")
    return plot.rule(y=0).chart(
        "weights",
        "Weights",
        "Value of each name's position over the equity, one on another, shorts below zero: the names with the largest "
        "mean weight, and all others together.",
        "; ".join(f"{name} {percent(values.mean())} on average" for name, values in table.items()),
        legend=tuple(zip(map(printable, map(str, table)), STACK, strict=False)),
    )


def _name_count(count: pd.Series, width: float) -> Chart:
    y, most = (0.0, max(float(count.max()) * 1.08, 1.0)), 6 if width > WIDTH else 4
    plot = dated_plot(count.index, y, lambda v: number(v, 0), width, 160, most=most)
    return plot.curve(count).chart(
        "held",
        "Names held",
        "Names with a position at each close, long or short.",
        f"From {number(count.min(), 0)} to {number(count.max(), 0)}, median {number(count.median(), 0)}",
    )


def _rows(result: Result) -> list[Context]:
    """A row for each name, in the order of the panel; the strips share one scale."""
    contributions = {s: v for s, v in result.metrics["panel"]["contribution"].items() if s != "carry"}
    trades = result.trades.groupby("symbol").size()
    scale = padded_range(list(contributions.values()), zero=True)
    last = result.market.panel.calendar[-1]
    return [
        {
            "symbol": symbol,
            "first": bars.index[0],
            "last": bars.index[-1],
            "ended": bars.index[-1] < last,
            "bars": len(bars),
            "forecasts": int(result.forecasts[symbol].notna().sum()),
            "exposure": float((result.positions[symbol] != 0).mean()),
            "trades": int(trades.get(symbol, 0)),
            "contribution": (part := contributions[symbol]),
            "strip": strip(part, (min(part, 0.0), max(part, 0.0)), scale),
        }
        for symbol, bars in result.market.panel.bars.items()
    ]
