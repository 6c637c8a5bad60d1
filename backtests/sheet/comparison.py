"""The page of a comparison: equity curves over one another, scores over seeds, and whose forecasts were better.

Drawn from a finished comparison. Scores are means over the seeds of a predictor; p-values are of its forecasts' squared
errors, before any money.
"""

from __future__ import annotations

from os.path import relpath
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pandas as pd

from ..atomic import write_whole
from ..comparison import Comparison, Entrant
from ..json_values import write_json
from ..pipeline.universe import symbol_label
from ..run_folder import RunFolder
from .index import COMPARISON, SHEET
from .page import render
from .recipe import facts
from .scales import padded_range
from .svg import Chart, growth_plot, wide_chart
from .values import Context, Format
from .words import basis_points, number, percent, probability

COLOURS = ("accent", "third", "fourth", "fifth", "ink", "bad")
ALPHA = 0.1  # below it a forecast is not in the 90 % model confidence set
NAIVE = "no forecast"  # the naive forecast of zero, which is in every comparison

# Key of a score → the heading of its column, and how it is written.
COLUMNS: dict[str, tuple[str, Format]] = {
    "sharpe": ("Sharpe", number),
    "cagr": ("CAGR", percent),
    "volatility": ("Volatility", percent),
    "max_drawdown": ("Drawdown", percent),
    "turnover": ("Turnover", lambda value: number(value, 1)),
    "cost_bps": ("Cost a year", basis_points),
    "r2": ("R²", lambda value: percent(value, 2)),
    "ic": ("IC", lambda value: number(value, 3)),
    "rank_ic": ("Rank IC", lambda value: number(value, 4)),
    "hit_rate": ("Hit rate", percent),
    "p_best": ("Best by luck", probability),
}


def save_comparison(comparison: Comparison, out: Path) -> Path:
    """Writes the page and comparison.json into a folder of the workspace; returns the page.

    Raises OSError where the workspace cannot be written to.
    """
    with RunFolder(out, f"compare-{symbol_label(comparison.entrants[0].requests[0].symbol)}") as folder:
        page = render("comparison.html", context(comparison, folder.final))
        write_whole(folder.path / COMPARISON, page.encode())
        write_json(folder.path / "comparison.json", as_json(comparison))
        return folder.finish() / COMPARISON


def as_json(comparison: Comparison) -> Context:
    """Every number of a comparison under stable keys."""
    scores, survival = comparison.scores, comparison.survival
    return {
        "entrants": [
            {
                "name": entrant.name,
                "runs": [folder.name for folder in entrant.folders],
                "scores": {key: dict(scores.loc[entrant.name, key]) for key in scores.columns.levels[0]},
                "survival": survival[entrant.name],
            }
            for entrant in comparison.entrants
        ],
        NAIVE: {"survival": survival[NAIVE]},
        "pairs": comparison.pairs.to_dict("records"),
    }


def context(comparison: Comparison, folder: Path) -> Context:
    """The variables of the template; links lead from `folder` to the sheets. Entrants by Sharpe ratio, NaN last."""
    entrants, sharpe = comparison.entrants, comparison.scores["sharpe"]["mean"]
    by_sharpe = sorted(entrants, key=lambda entrant: -np.nan_to_num(sharpe[entrant.name], nan=-np.inf))
    first = entrants[0].results[0]
    return {
        "title": f"{len(entrants)} predictors · {first.recipe['strategy']['class']} · {first.recipe['symbol']}",
        "nav": [("scores", "Scores"), ("equity", "Equity"), ("pairs", "Forecasts"), ("recipe", "Recipe")],
        "window": first.returns.index,
        "head": [heading for key, (heading, _) in COLUMNS.items() if key in comparison.scores],
        "rows": [_row(comparison, entrant, folder) for entrant in by_sharpe],
        "naive_p": comparison.survival[NAIVE],
        "alpha": ALPHA,
        "equity": wide_chart(_equity, entrants),
        "pairs": comparison.pairs.to_dict("records"),
        "benchmark": first.metrics["benchmark"],
        "facts": {name: facts(first)[name] for name in ("Strategy", "Bars", "Evaluated", "Costs", "Fills")},
        "commands": [request.command() for entrant in entrants for request in entrant.requests],
        "trials": first.metrics["luck"]["trials"],
        "stamp": first.recipe["created"],
    }


def _row(comparison: Comparison, entrant: Entrant, folder: Path) -> Context:
    """The scores there are: a rank IC only across the names of a panel."""
    scores = comparison.scores.loc[entrant.name]
    return {
        "name": entrant.name,
        "cells": [
            {
                "sort": scores[key]["mean"],
                "mean": write(scores[key]["mean"]),
                "sd": None if np.isnan(scores[key]["sd"]) else write(scores[key]["sd"]),
            }
            for key, (_, write) in COLUMNS.items()
            if key in scores
        ],
        "p": comparison.survival[entrant.name],
        "sheets": [
            {"seed": request.seed, "link": quote(Path(relpath(run / SHEET, folder)).as_posix())}
            for request, run in zip(entrant.requests, entrant.folders, strict=True)
        ],
    }


def _growth(equity: pd.Series) -> pd.Series:
    """The common logarithm of an equity curve over its first value."""
    return np.log10(equity / equity.iloc[0])


def _equity(entrants: tuple[Entrant, ...], width: float) -> Chart:
    """Growth of every run on a logarithmic axis; seeds after the first are faint."""
    curves = {entrant.name: [_growth(result.equity) for result in entrant.results] for entrant in entrants}
    benchmark = _growth(entrants[0].results[0].history["benchmark"])
    low, high = padded_range(benchmark, *(curve for seeds in curves.values() for curve in seeds))
    digits = 1 if 10**low < 1 or 10**high < 10 else 0
    plot = growth_plot(benchmark.index, (low, high), width, 320, digits).curve(benchmark, "hold")
    colours = [COLOURS[k % len(COLOURS)] for k in range(len(curves))]
    for k, (first, *others) in enumerate(curves.values()):
        for curve in reversed(others):
            plot.curve(curve, colours[k], "faint")
        plot.curve(first, colours[k], "line" if k < len(COLOURS) else "faint")
    totals = (f"{name} {percent(10 ** first.iloc[-1] - 1, 0)}" for name, (first, *_) in curves.items())
    return plot.chart(
        "equity-curves",
        "Growth, on a logarithmic axis",
        "Equal steps up are equal percentages. Dashed lines are further seeds of the same predictor.",
        f"Total returns: {', '.join(totals)}; holding {percent(10 ** benchmark.iloc[-1] - 1, 0)}",
        legend=(*zip(curves, colours, strict=True), ("buy and hold", "hold")),
    )
