"""Forecast quality before money: the figures and charts of the section.

Drawn from `metrics["forecast"]`, and the rolling IC from the forecasts themselves. Forecasts and outcomes are log
returns per bar, here in basis points; IC is the correlation of the two, R² is against forecasting zero.
"""

from __future__ import annotations

import numpy as np

from ..evidence.skill import rolling_skill
from ..pipeline.result import Result
from .scales import number_ticks, padded_range
from .svg import Chart, Plot, dated_plot, wide_chart
from .values import Context, Metrics, column
from .words import number, percent, probability

Rows = list[tuple[str, str, str]]  # of the table: name, value, what it means
FEWEST_FORECASTS = 60  # of a rolling IC


def skill(result: Result) -> Context:
    """Rows of the table, charts, and the sentence on charts of predicted prices, or None."""
    scores = result.metrics["forecast"]
    charts = [wide_chart(_rolling_ic, result)] if scores["forecasts"] >= FEWEST_FORECASTS else []
    if scores.get("calibration"):
        charts = [_calibration(scores["calibration"]), _decay(scores["decay"]), *charts]
    return {"rows": _rows(scores), "charts": charts, "copying": _copying(scores)}


def _rows(scores: Metrics) -> Rows:
    hits = f"of {number(scores.get('opinions', scores['forecasts']), 0)} forecasts with a sign"
    if "hit_rate_low" in scores:
        bounds = f"{percent(scores['hit_rate_low'])} to {percent(scores['hit_rate_high'])}"
        hits += f"; 95 % interval {bounds}; always saying up: {percent(scores['base_rate'])}"
    return [
        ("Forecasts with an outcome", number(scores["forecasts"], 0), "bars of the evaluation window but the last"),
        (
            "R² out of sample",
            percent(scores["r2"], 3, signed=True),
            "share of the squared return explained, against forecasting zero; below zero is worse than no forecast",
        ),
        *_errors(scores),
        *_beyond_the_mean(scores),
        ("Direction right", percent(scores["hit_rate"]), hits),
        *_correlations(scores),
        *_price_figures(scores),
    ]


def _errors(scores: Metrics) -> Rows:
    """The size of the errors, and tests of whether they are smaller than those of the naive forecast."""
    if "rmse_bps" not in scores:
        return []
    naive = f"the naive forecast of zero: {number(scores['naive_rmse_bps'])} bp"
    tests = [
        ("Diebold-Mariano", "dm", "above zero, it errs less than the naive forecast"),
        ("Clark-West", "cw", "likewise, with the noise given back that an honest forecast adds"),
    ]
    return [
        ("RMSE", f"{number(scores['rmse_bps'])} bp", naive),
        *((n, number(scores[k], signed=True), f"{words}; p {probability(scores[f'{k}_p'])}") for n, k, words in tests),
    ]


def _beyond_the_mean(scores: Metrics) -> Rows:
    """Whether the forecasts know more than the mean of all returns known at each bar."""
    if "cw_mean" not in scores:  # a run of 0.1
        return []
    words = (
        f"above zero, they know more than the mean so far, whatever their scale; p {probability(scores['cw_mean_p'])}"
    )
    return [
        ("Clark-West, against the mean so far", number(scores["cw_mean"], signed=True), words),
        (
            "R² against the mean so far",
            percent(scores["r2_mean"], 3, signed=True),
            f"as they are; a correlation of {number(scores['smallest_ic'], 3)} is seen in four of five such samples",
        ),
    ]


def _correlations(scores: Metrics) -> Rows:
    """The information coefficients, with t statistics that allow for autocorrelation (HAC)."""
    rows = []
    for name, key, words in (
        ("IC, Pearson", "ic", "correlation with the next return"),
        ("IC, rank", "rank_ic", "the same of the ranks, which no single day can make"),
    ):
        if f"{key}_t" in scores:
            words += f"; HAC t {number(scores[f'{key}_t'], signed=True)}, p {probability(scores[f'{key}_p'])}"
        if key in scores:
            rows.append((name, number(scores[key], 4, signed=True), words))
    return rows


def _price_figures(scores: Metrics) -> Rows:
    """Whether the size of a forecast means something, and how much of the price forecast is the last price."""
    if "copy_r2" not in scores:
        return []
    close, forecast = percent(scores["naive_price_r2"], 2), percent(scores["copy_actual_r2"], 2)
    return [
        (
            "Calibration slope",
            f"{number(scores['calibration_slope'])} ± {number(scores['calibration_slope_se'])}",
            "return per unit of forecast: 1 is right, 0 says nothing, below 1 is too bold; ± one standard error",
        ),
        (
            "Lag-1 copy index",
            percent(scores["copy_r2"], 2),
            "of the price forecast is only the last close; as a forecast of the price that close has an R² of "
            f"{close}, this one of {forecast}",
        ),
    ]


def _copying(scores: Metrics) -> str | None:
    """What a chart of predicted over actual prices shows, in a sentence."""
    if "copy_r2" not in scores:
        return None
    return (
        "A chart of predicted over actual prices looks like skill because the forecast copies the last close: "
        f"{percent(scores['copy_r2'], 2)} of the price forecast is the close it was made at, one bar late. "
        "Judge the returns, not the prices."
    )


def _calibration(rows: list[Metrics]) -> Chart:
    """The mean outcome of each tenth of the forecasts over their mean, bp, with 95 % intervals."""
    x, y, low, high = (column(rows, key) for key in ("forecast_bps", "outcome_bps", "low_bps", "high_bps"))
    left, right = padded_range(x)
    ticks = number_ticks(left, right, digits=1 if right - left < 5 else 0)
    plot = Plot((left, right), padded_range(y, low, high, zero=True), ticks, lambda v: number(v, 0)).rule(y=0)
    diagonal = np.array([max(left, plot.y[0]), min(right, plot.y[1])])
    if diagonal[0] < diagonal[1]:
        plot.line(diagonal, diagonal, "muted", "faint")
    titles = [
        f"{row['quantile']}: forecast {number(row['forecast_bps'], 1)} bp, then {number(row['outcome_bps'], 1)} bp"
        for row in rows
    ]
    return plot.whiskers(x, low, high).dots(x, y, titles).chart(
        "calibration",
        "Calibration: what followed each tenth of the forecasts",
        "Dots on the dashed line: right on average; a level row of dots: the forecast says nothing. Whiskers: 95 %.",
        "Mean outcome by size of forecast, basis points: " + "; ".join(titles),
        "forecast, bp; up: the mean return that followed, bp",
    )  # fmt: skip


def _decay(rows: list[Metrics]) -> Chart:
    """The correlation of a forecast with the return of one later bar, over how much later, with 95 % intervals."""
    lag, ic, low, high = (column(rows, key) for key in ("lag", "ic", "low", "high"))
    ticks = [(float(k), str(k)) for k in (1, 5, 10, 15, 20)]
    plot = Plot((0.5, len(rows) + 0.5), padded_range(ic, low, high, zero=True), ticks, lambda v: number(v, 2))
    titles = [f"{row['lag']} bars later: {number(row['ic'], 3)}" for row in rows]
    return plot.rule(y=0).whiskers(lag, low, high).dots(lag, ic, titles).chart(
        "decay",
        "Decay: correlation with the return 1 to 20 bars later",
        "A forecast of the next bar should know most about the next bar. Whiskers that cross zero: nothing is known.",
        "Correlation by lag: " + "; ".join(titles),
        "bars later",
    )  # fmt: skip


def _rolling_ic(result: Result, width: float) -> Chart:
    rolling = rolling_skill(result.forecast, result.model_bars["close"])["ic"]
    window = len(result.forecast) - len(rolling)
    plot = dated_plot(rolling.index, padded_range(rolling, zero=True), lambda v: number(v, 2), width)
    share = float((rolling > 0).mean())
    return plot.rule(y=0).curve(rolling).chart(
        "rolling-ic",
        f"Rolling IC, {window:,} bars",
        "An edge that is there stays above zero; one that comes and goes is what chance looks like.",
        f"The rolling correlation of forecast and outcome was above zero {percent(share, 0)} of the time.",
    )  # fmt: skip
