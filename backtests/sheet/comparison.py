"""The page of a comparison: equity curves over one another, scores over seeds, and whose forecasts were better."""

from __future__ import annotations

import json
from collections.abc import Callable
from os.path import relpath
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from rollcast.backtests.atomic import RunFolder
from rollcast.backtests.comparison import Comparison, Entrant
from rollcast.backtests.json_values import plain
from rollcast.backtests.pipeline.universe import symbol_label
from rollcast.backtests.sheet.index import COMPARISON, SHEET
from rollcast.backtests.sheet.page import render
from rollcast.backtests.sheet.recipe import facts
from rollcast.backtests.sheet.svg import Chart, Plot, date_ticks, log_ticks, spanned, wide
from rollcast.backtests.sheet.words import basis_points, number, percent

COLOURS = ("accent", "third", "fourth", "fifth", "ink", "bad")
ALPHA = 0.1  # below it a forecast is not in the 90 % model confidence set

Write = Callable[[Any], str]
COLUMNS: dict[str, tuple[str, Write]] = {
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
    "dsr": ("Deflated", percent),
}


def save_comparison(comparison: Comparison, out: Path) -> Path:
    """Writes the page and comparison.json into a folder of the workspace; returns the page."""
    with RunFolder(out, f"compare-{symbol_label(comparison.entrants[0].requests[0].symbol)}") as folder:
        page = render("comparison.html", **context(comparison, folder.final))
        (folder.path / COMPARISON).write_text(page, encoding="utf-8", newline="\n")
        text = json.dumps(plain(as_json(comparison)), indent=2, allow_nan=False)
        (folder.path / "comparison.json").write_text(text + "\n", encoding="utf-8")
        return folder.finish() / COMPARISON


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Every number of a comparison under stable keys."""
    scores = comparison.scores
    return {
        "entrants": [
            {
                "name": one.name,
                "runs": [folder.name for folder in one.folders],
                "scores": {key: dict(scores.loc[one.name, key]) for key in scores.columns.levels[0]},
                "survival": comparison.survival[one.name],
            }
            for one in comparison.entrants
        ],
        "no forecast": {"survival": comparison.survival["no forecast"]},
        "pairs": comparison.pairs.to_dict("records"),
    }


def context(comparison: Comparison, folder: Path) -> dict[str, Any]:
    """What the template shows; links lead from `folder` to the sheets."""
    entrants = comparison.entrants
    first = entrants[0].results[0]
    strategy, symbol = first.recipe["strategy"]["class"], first.recipe["symbol"]
    return {
        "title": f"{len(entrants)} predictors · {strategy} · {symbol}",
        "nav": [("scores", "Scores"), ("equity", "Equity"), ("pairs", "Forecasts"), ("recipe", "Recipe")],
        "window": first.returns.index,
        "head": [COLUMNS[key][0] for key in _shown(comparison)],
        "rows": [_row(comparison, one, folder) for one in _ranked(comparison)],
        "naive": {"p": comparison.survival["no forecast"]},
        "alpha": ALPHA,
        "equity": wide(lambda width: _curves(entrants, width)),
        "pairs": comparison.pairs.to_dict("records"),
        "held": first.metrics["benchmark"],
        "facts": {name: facts(first)[name] for name in ("Strategy", "Bars", "Evaluated", "Costs", "Fills")},
        "commands": [request.command() for one in entrants for request in one.requests],
        "trials": first.metrics["luck"]["trials"],
        "stamp": first.recipe["created"],
    }


def _shown(comparison: Comparison) -> list[str]:
    """The scores there are: a rank IC only across the names of a panel."""
    return [key for key in COLUMNS if key in comparison.scores]


def _ranked(comparison: Comparison) -> list[Entrant]:
    sharpe = comparison.scores["sharpe"]["mean"]
    return sorted(comparison.entrants, key=lambda one: -np.nan_to_num(sharpe[one.name], nan=-np.inf))


def _row(comparison: Comparison, one: Entrant, folder: Path) -> dict[str, Any]:
    scores = comparison.scores.loc[one.name]
    return {
        "name": one.name,
        "cells": [
            {
                "sort": scores[key]["mean"],
                "mean": write(scores[key]["mean"]),
                "sd": None if np.isnan(scores[key]["sd"]) else write(scores[key]["sd"]),
            }
            for key, (_, write) in COLUMNS.items()
            if key in scores
        ],
        "p": comparison.survival[one.name],
        "sheets": [
            {"seed": request.seed, "link": quote(Path(relpath(place / SHEET, folder)).as_posix())}
            for request, place in zip(one.requests, one.folders, strict=True)
        ],
    }


def _curves(entrants: tuple[Entrant, ...], width: float) -> Chart:
    """Growth of every run on a logarithmic axis; seeds after the first are faint."""
    first = entrants[0].results[0]
    curves = {one.name: [np.log10(result.equity / result.equity.iloc[0]) for result in one.results] for one in entrants}
    held = np.log10(first.history["benchmark"] / first.history["benchmark"].iloc[0])
    index = pd.DatetimeIndex(held.index)
    low, high = spanned(held, *(curve for each in curves.values() for curve in each))
    plot = Plot(
        (0, len(index) - 1),
        (low, high),
        date_ticks(index, 6 if width > 500 else 4),
        lambda value: f"{number(10**value, 1 if 10**low < 1 or 10**high < 10 else 0)} ×",
        width,
        320 if width > 500 else 220,
        log_ticks(low, high),
    )
    at = np.arange(len(index))
    plot.line(at, held, "hold")
    for k, each in enumerate(curves.values()):
        for curve in each[:0:-1]:
            plot.line(at, curve, COLOURS[k % len(COLOURS)], "faint")
        plot.line(at, each[0], COLOURS[k % len(COLOURS)], "line" if k < len(COLOURS) else "faint")
    ends = (f"{name} {percent(10 ** each[0].iloc[-1] - 1, 0)}" for name, each in curves.items())
    return plot.chart(
        "equity-curves",
        "Growth, on a logarithmic axis",
        "Equal steps up are equal percentages. Dashed lines are further seeds of the same predictor.",
        f"Total returns: {', '.join(ends)}; holding {percent(10 ** held.iloc[-1] - 1, 0)}",
        legend=(
            *((name, COLOURS[k % len(COLOURS)]) for k, name in enumerate(curves)),
            ("buy and hold", "hold"),
        ),
    )
