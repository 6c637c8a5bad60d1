"""Forecast quality before money: the figures and charts of the section."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from rollcast.backtests.evidence.skill import rolling_skill
from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.sheet.svg import Chart, Plot, date_ticks, number_ticks, spanned, wide
from rollcast.backtests.sheet.words import number, percent, probability

Rows = list[tuple[str, str, str]]


def quality(result: Result) -> dict[str, Any]:
    """figures: (name, value, what it means); charts; copying: the sentence on price charts, or None."""
    found = result.metrics["forecast"]
    charts = [wide(functools.partial(_rolling, result))] if found["forecasts"] >= 60 else []
    if found.get("calibration"):
        charts = [_calibration(found), _decay(found["decay"]), *charts]
    return {"figures": _figures(found), "charts": charts, "copying": _copying(found)}


def _figures(found: Mapping[str, Any]) -> Rows:
    hits = f"of {number(found.get('opinions', found['forecasts']), 0)} forecasts with a sign"
    if "hit_rate_low" in found:
        bounds = f"{percent(found['hit_rate_low'])} to {percent(found['hit_rate_high'])}"
        hits += f"; 95 % interval {bounds}; always saying up: {percent(found['base_rate'])}"
    return [
        ("Forecasts with an outcome", number(found["forecasts"], 0), "bars of the evaluation window but the last"),
        (
            "R² out of sample",
            percent(found["r2"], 3, signed=True),
            "share of the squared return explained, against forecasting zero; below zero is worse than no forecast",
        ),
        *_errors(found),
        ("Direction right", percent(found["hit_rate"]), hits),
        *_correlations(found),
        *_honesty(found),
    ]


def _errors(found: Mapping[str, Any]) -> Rows:
    """How far off, and whether less far than the naive forecast."""
    if "rmse_bps" not in found:
        return []
    naive = f"the naive forecast of zero: {number(found['naive_rmse_bps'])} bp"
    tests = [
        ("Diebold-Mariano", "dm", "above zero, it errs less than the naive forecast"),
        ("Clark-West", "cw", "likewise, with the noise given back that an honest forecast adds"),
    ]
    return [
        ("RMSE", f"{number(found['rmse_bps'])} bp", naive),
        *((n, number(found[k], signed=True), f"{words}; p {probability(found[f'{k}_p'])}") for n, k, words in tests),
    ]


def _correlations(found: Mapping[str, Any]) -> Rows:
    rows = []
    for name, key, words in (
        ("IC, Pearson", "ic", "correlation with the next return"),
        ("IC, rank", "rank_ic", "the same of the ranks, which no single day can make"),
    ):
        if f"{key}_t" in found:
            words += f"; HAC t {number(found[f'{key}_t'], signed=True)}, p {probability(found[f'{key}_p'])}"
        if key in found:
            rows.append((name, number(found[key], 4, signed=True), words))
    return rows


def _honesty(found: Mapping[str, Any]) -> Rows:
    """Whether the size of a forecast means something, and how much of the price forecast is the last price."""
    if "copy_r2" not in found:
        return []
    close, ours = percent(found["naive_price_r2"], 2), percent(found["copy_actual_r2"], 2)
    return [
        (
            "Calibration slope",
            f"{number(found['calibration_slope'])} ± {number(found['calibration_slope_se'])}",
            "return per unit of forecast: 1 is right, 0 says nothing, below 1 is too bold; ± one standard error",
        ),
        (
            "Lag-1 copy index",
            percent(found["copy_r2"], 2),
            "of the price forecast is only the last close; as a forecast of the price that close has an R² of "
            f"{close}, this one of {ours}",
        ),
    ]


def _copying(found: Mapping[str, Any]) -> str | None:
    """What a chart of predicted over actual prices shows, in a sentence."""
    if "copy_r2" not in found:
        return None
    return (
        "A chart of predicted over actual prices looks like skill because the forecast copies the last close: "
        f"{percent(found['copy_r2'], 2)} of the price forecast is the close it was made at, one bar late. "
        "Judge the returns, not the prices."
    )


def _calibration(found: Mapping[str, Any]) -> Chart:
    rows = found["calibration"]
    x, y, low, high = (
        np.array([row[k] for row in rows], float) for k in ("forecast_bps", "outcome_bps", "low_bps", "high_bps")
    )
    ends = spanned(x)
    plot = Plot(
        ends,
        spanned(y, low, high, zero=True),
        number_ticks(*ends, digits=1 if ends[1] - ends[0] < 5 else 0),
        lambda v: number(v, 0),
    )
    plot.rule(y=0)
    ideal = np.array([max(ends[0], plot.y[0]), min(ends[1], plot.y[1])])
    if ideal[0] < ideal[1]:
        plot.line(ideal, ideal, "muted", "faint")
    titles = [
        f"{row['quantile']}: forecast {number(row['forecast_bps'], 1)} bp, then {number(row['outcome_bps'], 1)} bp"
        for row in rows
    ]
    plot.whiskers(x, low, high).dots(x, y, titles)
    alt = "Mean outcome by size of forecast, basis points: " + "; ".join(titles)
    return plot.chart(
        "calibration",
        "Calibration: what followed each tenth of the forecasts",
        "Dots on the dashed line: right on average; a level row of dots: the forecast says nothing. Whiskers: 95 %.",
        alt,
        x_title="forecast, bp; up: the mean return that followed, bp",
    )


def _decay(rows: list[Mapping[str, Any]]) -> Chart:
    lag, ic, low, high = (np.array([row[k] for row in rows], float) for k in ("lag", "ic", "low", "high"))
    plot = Plot(
        (0.5, len(rows) + 0.5),
        spanned(ic, low, high, zero=True),
        [(float(k), str(k)) for k in (1, 5, 10, 15, 20)],
        lambda v: number(v, 2),
    )
    titles = [f"{row['lag']} bars later: {number(row['ic'], 3)}" for row in rows]
    plot.rule(y=0).whiskers(lag, low, high).dots(lag, ic, titles)
    return plot.chart(
        "decay",
        "Decay: correlation with the return 1 to 20 bars later",
        "A forecast of the next bar should know most about the next bar. Whiskers that cross zero: nothing is known.",
        "Correlation by lag: " + "; ".join(titles),
        x_title="bars later",
    )


def _rolling(result: Result, width: float) -> Chart:
    rolled = rolling_skill(result.forecast, result.model_bars["close"])["ic"]
    span = len(result.forecast) - len(rolled)
    x = np.arange(len(rolled))
    plot = Plot(
        (0, max(len(rolled) - 1, 1)),
        spanned(rolled, zero=True),
        date_ticks(rolled.index),
        lambda v: number(v, 2),
        width,
    )
    plot.rule(y=0).line(x, rolled)
    share = float((rolled > 0).mean())
    return plot.chart(
        "rolling-ic",
        f"Rolling IC, {span:,} bars",
        "An edge that is there stays above zero; one that comes and goes is what chance looks like.",
        f"The rolling correlation of forecast and outcome was above zero {percent(share, 0)} of the time.",
    )
