"""Across names: whether a portfolio's forecasts ranked its names, and what each name was held and earned."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.account.panel_scores import aligned, quantile_spread, rank_ic
from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.sheet.luck import strip
from rollcast.backtests.sheet.svg import Chart, Plot, date_ticks, spanned, wide
from rollcast.backtests.sheet.words import number, percent

FEWEST = 20  # dates of a rolling mean


def across(result: Result) -> dict[str, Any] | None:
    """tiles, charts and a row for each name; None for a result of one name."""
    if not result.market.portfolio:
        return None
    forecasts, outcomes = aligned(result.market.model_panel, result.forecasts)
    ic, spread = rank_ic(forecasts, outcomes), quantile_spread(forecasts, outcomes)
    window = int(np.clip(len(ic) // 4, FEWEST, max(result.metrics["bars_per_year"], FEWEST)))
    charts = []
    if len(ic) > window:
        charts = [functools.partial(_ranks, ic, window), functools.partial(_spreads, spread)]
    return {
        "tiles": _tiles(result),
        "charts": [wide(draw) for draw in (*charts, functools.partial(_held, _names_held(result)))],
        "names": _names(result),
        "carry": percent(result.metrics["panel"]["contribution"]["carry"], 2, signed=True),
    }


def _names_held(result: Result) -> pd.Series:
    """How many names have a position at each close."""
    return (result.positions != 0).sum(axis=1).astype(float)


def _tiles(result: Result) -> list[dict[str, str]]:
    found, held = result.metrics["panel"], _names_held(result)
    ic, spread = found["rank_ic"], found["quantile_spread"]
    turnover = result.metrics["strategy"]["turnover"]
    return [
        {
            "name": "Rank IC, mean",
            "value": number(ic["mean"], 4, signed=True),
            "note": f"ICIR {number(ic['icir'], 3, signed=True)} a date, HAC t {number(ic['t'], signed=True)}, "
            f"{number(found['dates'], 0)} dates",
        },
        {
            "name": "Top less bottom fifth",
            "value": percent(spread["mean"], signed=True),
            "note": f"a year, before costs; HAC t {number(spread['t'], signed=True)}",
        },
        {
            "name": "Names",
            "value": number(found["names"], 0),
            "note": f"{number(found['forecast_names'], 0)} with a forecast",
        },
        {
            "name": "Names held",
            "value": number(held.median(), 0),
            "note": f"median of closes; from {number(held.min(), 0)} to {number(held.max(), 0)}",
        },
        {"name": "Turnover a year", "value": f"{number(turnover, 1)} ×", "note": "of the account, all names together"},
    ]


def _ranks(ic: pd.Series, window: int, width: float) -> Chart:
    rolling = ic.rolling(window).mean()
    last = rolling.iloc[-1]
    plot = _dated(rolling.index, spanned(rolling, zero=True), lambda v: number(v, 2), width)
    plot.rule(y=0).line(np.arange(len(rolling)), rolling)
    return plot.chart(
        "rank-ic",
        f"Rank IC, mean of the last {window} dates",
        "How far the order of the forecasts was that of the next returns: 1 in full, 0 not at all. Skill stays above "
        "zero; luck comes and goes.",
        f"From {number(rolling.min(), 3)} to {number(rolling.max(), 3)}, at the end {number(last, 3)}",
    )


def _spreads(spread: pd.Series, width: float) -> Chart:
    grown = spread.cumsum()
    plot = _dated(grown.index, spanned(grown, zero=True), lambda v: percent(v, 0), width)
    plot.rule(y=0).line(np.arange(len(grown)), grown)
    return plot.chart(
        "spread",
        "Top less bottom fifth, running sum",
        "Mean next return of the fifth of names with the highest forecasts less that of the lowest, before costs.",
        f"At the end {percent(grown.iloc[-1])}, lowest {percent(grown.min())}, highest {percent(grown.max())}",
    )


def _held(held: pd.Series, width: float) -> Chart:
    plot = _dated(held.index, (0.0, max(float(held.max()) * 1.08, 1.0)), lambda v: number(v, 0), width, 160)
    plot.line(np.arange(len(held)), held)
    return plot.chart(
        "held",
        "Names held",
        "Names with a position at each close, long or short.",
        f"From {number(held.min(), 0)} to {number(held.max(), 0)}, median {number(held.median(), 0)}",
    )


def _dated(index: pd.Index, y: tuple[float, float], written: Any, width: float, height: float = 220) -> Plot:
    ticks = date_ticks(pd.DatetimeIndex(index), 6 if width > 500 else 4)
    return Plot((0, max(len(index) - 1, 1)), y, ticks, written, width, height)


def _names(result: Result) -> list[dict[str, Any]]:
    """A row for each name, in the order of the panel; the strips share one scale."""
    parts = {s: v for s, v in result.metrics["panel"]["contribution"].items() if s != "carry"}
    trades = result.trades.groupby("symbol").size()
    scale = spanned(list(parts.values()), zero=True)
    last = result.market.panel.calendar[-1]
    return [
        {
            "symbol": symbol,
            "first": bars.index[0],
            "last": bars.index[-1],
            "ended": bars.index[-1] < last,
            "bars": len(bars),
            "forecasts": int(result.forecasts[symbol].notna().sum()),
            "held": float((result.positions[symbol] != 0).mean()),
            "trades": int(trades.get(symbol, 0)),
            "contribution": parts[symbol],
            "strip": strip(parts[symbol], (min(parts[symbol], 0.0), max(parts[symbol], 0.0)), scale),
        }
        for symbol, bars in result.market.panel.bars.items()
    ]
