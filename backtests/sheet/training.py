"""How a learner was trained, window by window, and what the gates of its nets did.

Drawn from the training log: losses in the learner's own units; the spread of the seeds in basis points; gates and
states as means over all units and nets.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...predictors.training_log import Training
from ..pipeline.result import Result
from .price import log_price_plot
from .scales import padded_range, tick_format
from .svg import Chart, dated_plot, wide_chart
from .values import Context, Tile
from .words import day, number

STATES = {
    "forget": "Forget gate: 1 keeps the whole of the old state, 0 drops it",
    "input": "Input gate: how much of this bar's news is let in",
    "output": "Output gate: how much of the state the forecast may read",
    "reset": "Reset gate: how much of the old state the news is weighed with",
    "update": "Update gate: 1 keeps the old state, 0 replaces it",
    "cell": "Cell state: what is remembered",
    "hidden": "Hidden state: what the forecast is read from",
}


def training(result: Result) -> Context | None:
    """Tiles, charts and a table of the windows; None for a predictor that is never trained."""
    log = result.training
    if log is None:
        return None
    charts = [_loss(log.windows)]
    if log.spread is not None and log.spread.notna().any():
        charts.append(_spread(log.spread, result))
    table = log.windows.drop(columns="net").groupby("date").median(numeric_only=True)  # over the nets of a window
    return {
        "tiles": _tiles(log, result),
        "charts": charts,
        "states": [] if log.states is None else _states(log.states, result.bars["close"]),
        "head": [str(name).replace("_", " ") for name in table.columns],
        "windows": list(table.itertuples()),
    }


def _tiles(log: Training, result: Result) -> list[Tile]:
    windows, model = log.windows, result.recipe["predictor"]
    dates, nets = windows["date"].nunique(), windows["net"].nunique()
    fits = f"first fit {day(windows['date'].min())}, last {day(windows['date'].max())}"
    refit = f"refitted every {number(model.get('every'), 0)} bars"
    tiles = [
        Tile("Windows", number(dates, 0), fits),
        Tile("Bars seen by each", number(model.get("train"), 0), refit),
    ]
    if nets > 1:
        tiles.append(Tile("Nets", number(nets, 0), "a window, their forecasts averaged"))
    if "epochs" in windows:
        tiles.append(Tile("Epochs", number(windows["epochs"].median(), 0), "median of all fits"))
    return tiles


def _loss(windows: pd.DataFrame) -> Chart:
    """The loss of each window: the median of its nets, their range, and the first epoch's median."""
    last = windows.groupby("date")["loss"].agg(["min", "median", "max"])
    first = windows.groupby("date")["loss_first"].median() if "loss_first" in windows else last["median"]
    y = padded_range(last, first)
    plot = dated_plot(last.index, y, tick_format(*y))
    known = last.notna().all(axis=1).to_numpy()
    if known.any():
        plot.band(np.flatnonzero(known), last["min"][known], last["max"][known])
    if "loss_first" in windows:
        plot.curve(first, "muted", "faint")
    return plot.curve(last["median"]).chart(
        "loss",
        "Training loss by window",
        "Line: the median of a window's nets; band: their range. One that stands out was hard to learn, or too easy.",
        f"Median loss from {number(last['median'].min(), 3)} to {number(last['median'].max(), 3)}",
        legend=(("last epoch", "accent"), ("first epoch", "muted")) if "loss_first" in windows else (),
    )


def _spread(spread: pd.Series, result: Result) -> Chart:
    """The standard deviation of the nets' forecasts at every bar, bp, beside that of the forecasts themselves."""
    values = 1e4 * spread.reindex(result.bars.index).loc[result.forecast.index[0] :]
    size = 1e4 * float(result.forecast.std())
    y = padded_range(values, [size], zero=True)
    return dated_plot(values.index, y, tick_format(*y)).curve(values).rule(y=size, colour="hold").chart(
        "spread",
        "Seed spread: how far the nets of a window disagree, bp",
        "Where it is above the dashed line, the size of a typical forecast, the seed decides more than the data.",
        f"Median {number(values.median(), 2)} bp; a typical forecast is {number(size, 2)} bp",
    )  # fmt: skip


def _states(states: pd.DataFrame, close: pd.Series) -> list[Chart]:
    """The price, and below it each gate on the same dates."""
    charts = [wide_chart(_price, close.reindex(states.index))]
    for name, values in states.items():
        title, _, reading = STATES.get(str(name), str(name)).partition(": ")
        alt = f"Mean over all units from {number(values.min(), 3)} to {number(values.max(), 3)}"
        y = padded_range(values)
        plot = dated_plot(values.index, y, tick_format(*y)).curve(values)
        charts.append(plot.chart(f"gate-{len(charts)}", title, reading.capitalize() + "." if reading else "", alt))
    return charts


def _price(close: pd.Series, width: float) -> Chart:
    plot = log_price_plot(close, width, 150).curve(np.log10(close), "ink")
    return plot.chart("gate-price", "Price, for comparison", "Logarithmic axis.", "The close on the same dates")
