"""The sections of linear predictors: weights on past returns, the Kalman filter, a regression's coefficients."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...predictors import Learner, Predictor, WalkForward
from ...predictors.kalman import KalmanMLE, LocalLevel, LocalLinearTrend
from ...predictors.ols import OLSFeatures
from ..sheet.scales import number_ticks, padded_range, tick_format
from ..sheet.svg import WIDTH, Plot, dated_plot
from ..sheet.words import number
from .kalman import filtered
from .page import Section
from .weights import weights_on_returns

LAGS = 100  # drawn
SHOWN = 250  # bars drawn: a trading year
COLOURS = ("accent", "hold", "third", "fourth")


def weights_section(model: Predictor | Learner, bars: pd.DataFrame) -> Section:
    """The weights on past returns, and whether they are all there is."""
    found = weights_on_returns(model, bars)
    if not np.isfinite(found.forecast):
        raise ValueError(
            f"{model!r} has no forecast after {len(bars)} bars; use a longer date range or shorter windows"
        )
    shown = found.weights[:LAGS]
    y = padded_range(shown, zero=True)
    plot = Plot((0, LAGS), y, number_ticks(0, LAGS), tick_format(*y), WIDTH, 200)
    plot.line(np.arange(1, len(shown) + 1), shown).rule(y=0)
    chart = plot.chart(
        "weights",
        "Weight of the return j bars ago",
        f"The first {len(shown)} lags. The weights of all {len(found.weights):,} lags add up to "
        f"{number(found.weights.sum(), 4)}.",
        f"Weights from {number(shown.min(), 4)} to {number(shown.max(), 4)}",
        "lag j: bars ago",
    )
    sentence = (
        f"Forecast at the last bar: {number(1e4 * found.forecast, 4)} bp. Weights times returns: "
        f"{number(1e4 * found.sum, 4)} bp. "
    )
    sentence += (
        "They are equal to 1e-12, so the weights are all there is to know about it."
        if found.reproduces
        else "They differ: it is not linear in past returns, or it reads more than closing prices."
    )
    table = pd.DataFrame(
        {"weight": found.weights, "return": found.returns[::-1]}, pd.RangeIndex(1, len(bars), name="lag")
    )
    reading = "What a jump of the price, so many bars ago, adds to the forecast of the last bar."
    return Section("weights", "Weights on past returns", reading, (sentence,), (chart,), tables={"weights": table})


def filter_section(model: Predictor | Learner, bars: pd.DataFrame) -> Section:
    """The gain and the uncertainty of a Kalman filter."""
    if isinstance(model, KalmanMLE):
        kind, ratios = model.model, model.ratios_
    elif isinstance(model, LocalLevel):
        kind, ratios = "level", (model.q,)
    else:
        assert isinstance(model, LocalLinearTrend)
        kind, ratios = "trend", (model.q_level, model.q_slope)
    states = filtered(kind, bars, *ratios)
    spread = "deviation" if kind == "level" else "error"
    shown = 1e4 * states[["forecast", spread]].iloc[-SHOWN:]
    low, high = shown["forecast"] - 2 * shown[spread], shown["forecast"] + 2 * shown[spread]
    y = padded_range(low, high)
    plot = dated_plot(shown.index, y, tick_format(*y), WIDTH, 200)
    plot.band(np.arange(len(shown)), low, high).curve(shown["forecast"]).rule(y=0)
    of = "the mean return itself" if kind == "level" else "the next return"
    mean = plot.chart("mean", "Forecast with two standard deviations, bp", f"The band is that of {of}.", "The forecast")
    gain = states["gain"].iloc[1 : LAGS + 1]
    y = padded_range(gain, zero=True)
    plot = Plot((0, LAGS), y, number_ticks(0, LAGS), tick_format(*y), WIDTH, 200).line(
        np.arange(1, len(gain) + 1), gain
    )
    reading = "The fraction of a surprise that moves the " + ("mean." if kind == "level" else "slope.")
    falling = plot.chart(
        "gain", "Gain by bar since the start", reading, f"It ends at {number(gain.iloc[-1], 4)}", "bar"
    )
    names = ("q",) if kind == "level" else ("q_level", "q_slope")
    values = ", ".join(f"{name} = {ratio:.3g}" for name, ratio in zip(names, ratios, strict=True))
    prose = f"Ratios of variances: {values}. The gain rests at {number(float(states['gain'].iloc[-1]), 4)}."
    title = "What the filter knows, and how well"
    reading = "Every value is computed from the bars up to its own."
    return Section("filter", title, reading, (prose,), (mean, falling), tables={"filter": states})


def coefficients_section(model: WalkForward, bars: pd.DataFrame) -> Section:
    """The coefficients of a regression, refit by refit."""
    table = coefficients(model, bars)
    latest = 1e4 * table.xs(0, axis=1, level="lag")
    y = padded_range(latest, zero=True)
    plot = dated_plot(latest.index, y, tick_format(*y), WIDTH, 200)
    for (_, values), colour in zip(latest.items(), COLOURS, strict=False):
        plot.curve(values, colour)
    legend = tuple(zip(map(str, latest.columns), COLOURS, strict=False))
    chart = plot.rule(y=0).chart(
        "coefficients",
        "Coefficients of the last bar's features, bp per standard deviation",
        "One that says something about the next return keeps its sign from refit to refit.",
        "Coefficients over the refits",
        legend=legend,
    )
    steady = table.mean() / table.std()
    rows = tuple(
        (f"{feature}, lag {lag}", number(1e4 * table[feature, lag].iloc[-1]), number(steady[feature, lag]))
        for feature, lag in sorted(table.columns, key=lambda column: column[1])
    )
    head = ("coefficient", "last refit, bp", "mean over refits / their standard deviation")
    flat = table.set_axis([f"{feature}_{lag}" for feature, lag in table.columns], axis=1)
    reading = f"{len(table)} refits, each on the {model.train:,} bars before its date."
    title = "Coefficients over the refits"
    return Section("coefficients", title, reading, (), (chart,), head=head, rows=rows, tables={"coefficients": flat})


def coefficients(model: WalkForward, bars: pd.DataFrame) -> pd.DataFrame:
    """The coefficients of an `OLSFeatures` at every refit, by (feature, lag), per standard deviation of the feature."""
    learner = model.learner
    assert isinstance(learner, OLSFeatures)
    windows = model.windows(bars)
    values = [learner.fit(window.training).coefficients_[1:] for window in windows]
    lags = reversed(range(learner.lags))  # lookbacks begin with the oldest bar
    columns = pd.MultiIndex.from_tuples([(f, lag) for lag in lags for f in learner.features], names=("feature", "lag"))
    return pd.DataFrame(values, pd.DatetimeIndex([window.date for window in windows], name="date"), columns)
