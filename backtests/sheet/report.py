"""A result's tear sheet: what each section shows, and the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.sheet.audit import audit, compared
from rollcast.backtests.sheet.costs import costs
from rollcast.backtests.sheet.luck import chance
from rollcast.backtests.sheet.names import across
from rollcast.backtests.sheet.page import CHART_LIBRARY, render
from rollcast.backtests.sheet.performance import Performance, performance
from rollcast.backtests.sheet.price import price
from rollcast.backtests.sheet.recipe import alarm, facts, model_name, provenance
from rollcast.backtests.sheet.skill import quality
from rollcast.backtests.sheet.tables import FEWEST_BARS
from rollcast.backtests.sheet.training import training
from rollcast.backtests.sheet.words import basis_points, number, percent

SECTIONS = {
    "verdict": "Verdict",
    "performance": "Performance",
    "across": "Across names",
    "price": "Price and trades",
    "skill": "Forecast quality",
    "costs": "Trades and costs",
    "luck": "Is it luck?",
    "training": "Training",
    "recipe": "Recipe",
}


def write_report(result: Result, path: str | Path) -> None:
    """Writes the tear sheet of a result: its evaluation window beside buying and holding the same bars.

    Sections whose evidence is not in `result.metrics` are left out. The same result writes the same bytes, but for the
    element `stamp`, which holds when it was made and how long it took.
    """
    page = render("sheet.html", scripts=("sort.js", CHART_LIBRARY, "price.js"), **context(result))
    Path(path).write_text(page, encoding="utf-8", newline="\n")


def context(result: Result) -> dict[str, Any]:
    """What the template shows; a section that has nothing to show is None."""
    recipe = result.recipe
    predictor, strategy, symbol = model_name(recipe["predictor"]), recipe["strategy"]["class"], recipe["symbol"]
    shown = performance(
        result.returns,
        result.benchmark_returns,
        strategy_name=f"{predictor} {strategy}",
        benchmark_name=f"{symbol} buy and hold",
        periods_per_year=result.metrics["bars_per_year"],
    )
    names = SECTIONS | ({"price": "The index"} if result.market.portfolio else {})
    sections: dict[str, Any] = {
        "verdict": result.metrics.get("verdict"),
        "performance": shown,
        "across": across(result),
        "price": price(result),
        "skill": quality(result),
        "costs": costs(result),
        "luck": chance(result),
        "training": training(result),
        "recipe": {"facts": facts(result), **provenance(result)},
    }
    return {
        "title": f"{predictor} · {strategy} · {symbol}",
        "names": {"strategy": f"{predictor} {strategy}", "benchmark": f"{symbol} buy and hold"},
        "alarm": alarm(result),
        "conclusion": result.metrics.get("conclusion"),
        "window": result.returns.index,
        "yearly": result.metrics["bars_per_year"],
        "fewest": FEWEST_BARS,
        "tiles": _tiles(result),
        "notes": audit(shown.rows, result.metrics, result.returns, result.benchmark_returns),
        "compared": compared(shown.rows),
        "months": _months(shown),
        "nav": [(id, name) for id, name in names.items() if sections[id] is not None],
        "stamp": {"created": recipe.get("created"), "seconds": recipe.get("seconds")},
        **sections,
    }


def _tiles(result: Result) -> list[dict[str, str]]:
    """The figures at the head, buy-and-hold's below each; annualised ones only of enough bars."""
    ours, held = result.metrics["strategy"], result.metrics["benchmark"]
    rows = [("Total return", "total_return", percent), ("Maximum drawdown", "max_drawdown", percent)]
    if len(result.returns) >= FEWEST_BARS:
        yearly = [("CAGR", "cagr", percent), ("Sharpe ratio", "sharpe", number), ("Volatility", "volatility", percent)]
        rows = [rows[0], *yearly, rows[1]]
    tiles = [
        {"name": name, "value": write(ours[key]), "note": f"holding: {write(held[key])}"} for name, key, write in rows
    ]
    paid = {
        "name": "Cost a year",
        "value": basis_points(ours["cost_bps"]),
        "note": f"{ours['trades']:,} round trips",
    }
    return [*tiles, paid]


def _months(shown: Performance) -> list[dict[str, Any]]:
    """A row a year: its months, and how deep each is coloured: 60 % at the largest month of all."""
    values = shown.months.to_numpy(float)
    largest = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 0.0
    rows = []
    for year, months in zip(shown.months.index, values, strict=True):
        cells = [
            None
            if np.isnan(m)
            else {"value": 100 * m, "up": m > 0, "depth": round(60 * abs(m) / largest) if largest else 0}
            for m in months
        ]
        rows.append({"year": year, "cells": cells, "total": 100 * (np.nanprod(1 + months) - 1)})
    return rows
