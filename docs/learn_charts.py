"""The charts of docs/learn: what linear predictors make of real prices, and how nets learn."""

from __future__ import annotations

import numpy as np
import pandas as pd

from docs.drawing import WIDTH, Panel, panel_of
from rollcast import EMA, OLS, RNN, SMA, LocalLevel, LocalLinearTrend, OLSFeatures, Predictor, WalkForward
from rollcast.backtests.explain.kalman import filtered
from rollcast.backtests.explain.linear_sections import coefficients
from rollcast.backtests.explain.weights import weights_on_returns
from rollcast.backtests.sheet.scales import number_ticks, padded_range, tick_format
from rollcast.backtests.sheet.svg import Plot, dated_plot
from rollcast.predictors.bars import log_returns
from rollcast.predictors.recurrent import activations

LAGS = 60
SHOWN = 250  # bars: a trading year
COLOURS = ("accent", "hold", "third", "fourth")


def weights_chart(models: dict[str, Predictor], bars: pd.DataFrame, title: str) -> Panel:
    """The weight that each predictor puts on the return of so many bars ago."""
    weights = {name: weights_on_returns(model, bars.iloc[-400:]).weights[:LAGS] for name, model in models.items()}
    y = padded_range(*weights.values(), zero=True)
    lags = np.arange(1, LAGS + 1)
    plot = Plot((0, LAGS), y, number_ticks(0, LAGS, 0, 6), tick_format(*y), WIDTH, 190)
    for values, colour in zip(weights.values(), COLOURS, strict=False):
        plot.line(lags, values, colour)
    legend = tuple(zip(weights, COLOURS, strict=False))
    return panel_of(plot.rule(y=0).chart("weights", title, "", "", "lag j: bars ago", legend))


def averages(bars: pd.DataFrame) -> list[Panel]:
    """The price with its two averages, and their weights."""
    log_price = np.log(bars["close"])
    lines = {
        "close": bars["close"],
        "simple average, 50 bars": np.exp(log_price.rolling(50).mean()),
        "exponential average, span 50": np.exp(log_price.ewm(span=50, adjust=False).mean()),
    }
    models: dict[str, Predictor] = {"sma, window=50": SMA(50), "ema, span=50": EMA(50)}
    return [
        dated_lines(lines, "SPY and two averages of it", ("ink", "accent", "hold")),
        weights_chart(models, bars, "The same two as weights on past returns"),
    ]


def kalman(bars: pd.DataFrame) -> list[Panel]:
    """The mean return with its uncertainty; the gain; the weights of both models."""
    returns = 1e4 * log_returns(bars)
    states = filtered("level", bars, 0.01)
    mean, spread = 1e4 * states["forecast"].iloc[-SHOWN:], 1e4 * states["deviation"].iloc[-SHOWN:]
    y = padded_range(mean - 2 * spread, mean + 2 * spread, returns.iloc[-SHOWN:].quantile([0.05, 0.95]))
    plot = dated_plot(mean.index, y, tick_format(*y), WIDTH, 210)
    plot.line(np.arange(SHOWN), returns.iloc[-SHOWN:], "muted", "faint")
    plot.band(np.arange(SHOWN), mean - 2 * spread, mean + 2 * spread).curve(mean).rule(y=0)
    legend = (("daily return, bp", "muted"), ("filtered mean m, with two standard deviations", "accent"))
    level = plot.chart("level", "The mean daily return of SPY, filtered with q = 0.01", "", "", legend=legend)
    gains = Plot((0, 60), (0, 1), number_ticks(0, 60, 0, 6), tick_format(0, 1), WIDTH, 170)
    ratios = (0.1, 0.01, 0.001)
    for q, colour in zip(ratios, COLOURS, strict=False):
        gains.line(np.arange(1, 61), filtered("level", bars.iloc[:61], q)["gain"].iloc[1:], colour)
    names = tuple((f"q = {q:g}", colour) for q, colour in zip(ratios, COLOURS, strict=False))
    gain = gains.chart("gain", "The gain K falls from 1 to where q lets it rest", "", "", "bar t", names)
    models: dict[str, Predictor] = {"kalman, q=0.01": LocalLevel(0.01), "kalman-trend": LocalLinearTrend()}
    return [panel_of(level), panel_of(gain), weights_chart(models, bars, "Weights on past returns")]


def least_squares(bars: pd.DataFrame) -> list[Panel]:
    """The line through the last 50 log prices; the parabola; the coefficients of a regression over its refits."""
    log_price = np.log(bars["close"])
    fitted = pd.Series(np.nan, bars.index)
    slope = float(OLS(50).predict(bars).iloc[-1])
    time = np.arange(50) - 24.5
    fitted.iloc[-50:] = np.exp(log_price.iloc[-50:].mean() + slope * time)
    lines = {"close": bars["close"].iloc[-120:], "least-squares line of the last 50 log prices": fitted.iloc[-120:]}
    models: dict[str, Predictor] = {"ols, window=50": OLS(50), "sma, window=50": SMA(50)}
    table = 1e4 * coefficients(WalkForward(OLSFeatures(), every=63), bars).xs(0, axis=1, level="lag")
    y = padded_range(table, zero=True)
    plot = dated_plot(table.index, y, tick_format(*y), WIDTH, 210)
    for name, colour in zip(table, COLOURS, strict=True):
        plot.curve(table[name], colour)
    legend = tuple(zip(table, COLOURS, strict=True))
    title = "Coefficients on the last bar's features, by refit, bp per standard deviation"
    return [
        dated_lines(lines, "The slope of price on time", ("ink", "accent"), 170),
        weights_chart(models, bars, "The slope as weights on past returns: a parabola"),
        panel_of(plot.rule(y=0).chart("coefficients", title, "", "", legend=legend)),
    ]


def squashing() -> list[Panel]:
    """σ and tanh, and their derivatives."""
    x = np.linspace(-6, 6, 121)
    sigma, tanh = np.exp(x) / (1 + np.exp(x)), np.tanh(x)
    charts = []
    for title, curves in (
        ("The two functions", (sigma, tanh)),
        ("Their derivatives: at most 1/4, and at most 1", (sigma * (1 - sigma), 1 - tanh**2)),
    ):
        y = padded_range(*curves)
        plot = Plot((-6, 6), y, number_ticks(-6, 6, 0, 6), tick_format(*y), WIDTH, 170)
        for values, colour in zip(curves, COLOURS, strict=False):
            plot.line(x, values, colour)
        legend = (("sigmoid", "accent"), ("tanh", "hold"))
        charts.append(panel_of(plot.rule(x=0).chart("squashing", title, "", "", "x", legend)))
    return charts


def gradients(tables: list[pd.DataFrame]) -> list[Panel]:
    """The norm of the gradient of the forecast by lag, on a logarithmic axis, before training."""
    shown = pd.concat(tables)
    shown = shown[(shown["state"] == "hidden") & (shown["when"] == "before")]
    lines = {str(net): np.log10(table["norm"].to_numpy()) for net, table in shown.groupby("net", sort=False)}
    y = padded_range(*lines.values())
    lags = len(next(iter(lines.values()))) - 1
    ticks = [float(k) for k in range(int(np.ceil(y[0])), int(y[1]) + 1)]
    plot = Plot((0, lags), y, number_ticks(0, lags), lambda v: f"{10**v:g}", WIDTH, 250, ticks)
    for values, colour in zip(lines.values(), ("third", "accent", "fourth"), strict=True):
        plot.line(np.arange(lags + 1), values, colour)
    legend = tuple(zip(lines, ("third", "accent", "fourth"), strict=True))
    title = "How much the forecast depends on the hidden state k bars back"
    return [panel_of(plot.chart("gradient", title, "", "", "lag k: bars back", legend))]


def clipping(bars: pd.DataFrame) -> list[Panel]:
    """The norm of the gradient at every update of a net trained with a high rate, with and without clipping."""
    values = {"lr": 0.3, "epochs": 60, "seeds": 1, "loss_on": "last"}
    lines = {
        name: np.log10(activations.updates_of(RNN(clip=clip, **values), bars)["norm"].to_numpy())
        for name, clip in (("not clipped", 1e9), ("clipped to 1", 1.0))
    }
    y = padded_range(*lines.values())
    ticks = [float(k) for k in range(int(np.ceil(y[0])), int(y[1]) + 1)]
    count = len(lines["clipped to 1"])
    plot = Plot((1, count), y, number_ticks(0, count), lambda v: f"{10**v:g}", WIDTH, 200, ticks)
    for line, colour in zip(lines.values(), ("third", "accent"), strict=True):
        plot.line(np.arange(1, count + 1), line, colour)
    title = "The gradient's norm at each update, before clipping"
    legend = tuple(zip(lines, ("third", "accent"), strict=True))
    return [panel_of(plot.rule(y=0).chart("clip", title, "", "", "update", legend))]


def dated_lines(lines: dict[str, pd.Series], title: str, colours: tuple[str, ...], height: float = 210) -> Panel:
    """Series over the last bars of the first of them."""
    shown = {name: series.iloc[-SHOWN:] for name, series in lines.items()}
    first = next(iter(shown.values()))
    y = padded_range(*shown.values())
    plot = dated_plot(first.index, y, tick_format(*y), WIDTH, height)
    for series, colour in zip(shown.values(), colours, strict=True):
        plot.curve(series, colour)
    return panel_of(plot.chart("lines", title, "", "", legend=tuple(zip(shown, colours, strict=True))))
