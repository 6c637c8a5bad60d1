"""A result's tear sheet: the head of the page, what its sections show, and the file.

Everything is drawn from the result; nothing is run, and no evidence is gathered here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..atomic import write_whole
from ..pipeline.result import Result
from .audit import audit, audited_rows
from .costs import costs
from .crises import crises
from .fragment import harmless
from .glance import glances
from .headline import headline
from .luck import luck
from .names import names
from .overview import overview
from .page import CHART_LIBRARY, render
from .performance import Performance
from .price import price
from .recipe import alarm, facts, model_name, provenance
from .second_process import Draw, in_this_process
from .skill import skill
from .tables import FEWEST_BARS
from .training import training
from .values import Context, Tile

# The id of a section on the page, which is its variable in the template too → its name in the list of sections.
SECTIONS = {
    "verdict": "Verdict",
    "performance": "Month by month",
    "across": "Across names",
    "price": "Price and trades",
    "skill": "Forecast quality",
    "costs": "Trades and costs",
    "luck": "Is it luck?",
    "training": "Training",
    "quantstats": "QuantStats",
    "own": "Notes",
    "recipe": "Recipe",
}
LATER = ("time_in_market", "trades", "turnover")  # figures that stand with the trades, not at the head
SCRIPTS = ("sort.js", "page.js", CHART_LIBRARY, "charts.js", "overview.js", "price.js")


def draw_performance(result: Result, draw: Draw = in_this_process) -> Callable[[], Performance]:
    """Has QuantStats' report of a result drawn, for which no evidence is needed; returns what waits for it."""
    strategy, holding = _accounts(result)
    return draw(
        result.returns,
        result.benchmark_returns,
        strategy_name=strategy,
        benchmark_name=holding,
        periods_per_year=result.metrics["bars_per_year"],
    )


def write_report(result: Result, path: str | Path, drawn: Callable[[], Performance] | None = None) -> None:
    """Writes the tear sheet of a result: its evaluation window beside buying and holding the same bars.

    drawn: what `draw_performance` returned for this result; drawn now where it is None.

    Sections whose evidence is not in `result.metrics` are left out. The same result writes the same bytes, but for the
    element `stamp`, which holds when it was made and how long it took.

    Raises OSError where the file cannot be written, and what `performance` raises for returns it cannot report.
    """
    write_whole(Path(path), sheet(result, drawn).encode(), lasting=False)


def sheet(result: Result, drawn: Callable[[], Performance] | None = None) -> str:
    """The tear sheet as text, as `write_report` writes it. Raises what `performance` raises."""
    return render("sheet.html", context(result, drawn), scripts=SCRIPTS)


def context(result: Result, drawn: Callable[[], Performance] | None = None) -> Context:
    """The variables of the template; that of a section with nothing to show is None."""
    recipe, metrics = result.recipe, result.metrics
    predictor, strategy, symbol = model_name(recipe["predictor"]), recipe["strategy"]["class"], recipe["symbol"]
    own = recipe.get("page", {})
    titles = SECTIONS | ({"price": "The index"} if result.market.portfolio else {})
    sections = {
        "verdict": metrics.get("verdict"),
        "performance": crises(result),
        "across": names(result),
        "price": price(result),
        "skill": skill(result),
        "costs": costs(result),
        "luck": luck(result),
        "training": training(result),
        "quantstats": None,
        "own": harmless(own["section"]) if own.get("section") else None,
        "recipe": {"facts": facts(result), **provenance(result)},
    }
    report = sections["quantstats"] = (drawn or draw_performance(result))()  # last: it may be drawn beside the others
    return {
        "title": own.get("title") or f"{predictor} · {strategy} · {symbol}",
        "note": own.get("note"),
        "accounts": dict(zip(("strategy", "benchmark"), _accounts(result), strict=True)),
        "alarm": alarm(result),
        "conclusion": metrics.get("conclusion"),
        "overview": overview(result),
        "glances": glances(result, report),
        "window": result.returns.index,
        "yearly": metrics["bars_per_year"],
        "fewest": FEWEST_BARS,
        "tiles": _tiles(result),
        "notes": audit(report.rows, metrics, result.returns, result.benchmark_returns),
        "audited": audited_rows(report.rows),
        "months": _months(report),
        "nav": [(id, title) for id, title in titles.items() if sections[id] is not None],
        "stamp": {"created": recipe.get("created"), "seconds": recipe.get("seconds")},
        **sections,
    }


def _accounts(result: Result) -> tuple[str, str]:
    """What the account and holding are called."""
    recipe = result.recipe
    strategy = f"{model_name(recipe['predictor'])} {recipe['strategy']['class']}"
    return strategy, f"{recipe['symbol']} buy and hold"


def _tiles(result: Result) -> list[Tile]:
    """The figures at the head, buy-and-hold's below each."""
    metrics = result.metrics
    rows = [row for row in headline(metrics, len(result.returns)) if row[0].key not in LATER]
    *tiles, cost = (Tile(figure.name, ours, f"holding: {held}") for figure, ours, held in rows)
    return [*tiles, cost._replace(note=f"{metrics['strategy']['trades']:,} round trips")]


def _months(report: Performance) -> list[Context]:
    """A row for each year: its months in percent, and how deep each is coloured: 55 % at the largest month of all."""
    values = report.months.to_numpy(float)
    largest = np.nanmax(np.abs(values)) if np.isfinite(values).any() else 0.0

    def cell(month: float) -> Context | None:
        if np.isnan(month):
            return None
        return {"value": 100 * month, "up": month > 0, "depth": round(55 * abs(month) / largest) if largest else 0}

    return [
        {"year": year, "cells": [cell(month) for month in months], "total": 100 * (np.nanprod(1 + months) - 1)}
        for year, months in zip(report.months.index, values, strict=True)
    ]
