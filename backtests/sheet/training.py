"""How a learner was trained, window by window, and what its gates did."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.sheet.svg import Chart, Plot, date_ticks, log_ticks, nice_ticks, spanned, wide
from rollcast.backtests.sheet.words import day, number
from rollcast.predictors.training_log import Training

STATES = {
    "forget": "Forget gate: 1 keeps the whole of the old state, 0 drops it",
    "input": "Input gate: how much of this bar's news is let in",
    "output": "Output gate: how much of the state the forecast may read",
    "reset": "Reset gate: how much of the old state the news is weighed with",
    "update": "Update gate: 1 keeps the old state, 0 replaces it",
    "cell": "Cell state: what is remembered",
    "hidden": "Hidden state: what the forecast is read from",
}


def training(result: Result) -> dict[str, Any] | None:
    """tiles, charts and the windows' table; None for a predictor that is never trained."""
    trained = result.training
    if trained is None:
        return None
    charts = [_loss(trained.windows)]
    if trained.spread is not None and trained.spread.notna().any():
        charts.append(_spread(trained.spread, result))
    states = [] if trained.states is None else _states(trained.states, result.bars["close"])
    return {"tiles": _tiles(trained, result), "charts": charts, "states": states, "windows": _windows(trained.windows)}


def _tiles(trained: Training, result: Result) -> list[dict[str, str]]:
    windows, model = trained.windows, result.recipe["predictor"]
    dates, nets = windows["date"].nunique(), windows["net"].nunique()
    tiles = [
        {
            "name": "Windows",
            "value": number(dates, 0),
            "note": f"first fit {day(windows['date'].min())}, last {day(windows['date'].max())}",
        },
        {
            "name": "Bars seen by each",
            "value": number(model.get("train"), 0),
            "note": f"refitted every {number(model.get('every'), 0)} bars",
        },
    ]
    if nets > 1:
        tiles.append({"name": "Nets", "value": number(nets, 0), "note": "a window, their forecasts averaged"})
    if "epochs" in windows:
        tiles.append({"name": "Epochs", "value": number(windows["epochs"].median(), 0), "note": "median of all fits"})
    return tiles


def _loss(windows: pd.DataFrame) -> Chart:
    """The loss of each window: the median of its nets, their range, and the first epoch's median."""
    last = windows.groupby("date")["loss"].agg(["min", "median", "max"])
    x = np.arange(len(last))
    first = windows.groupby("date")["loss_first"].median() if "loss_first" in windows else last["median"]
    plot = Plot((0, max(len(last) - 1, 1)), spanned(last, first), date_ticks(pd.DatetimeIndex(last.index)), str)
    plot = Plot(plot.x, plot.y, plot.x_ticks, _written(plot.y))
    known = last.notna().all(axis=1).to_numpy()
    if known.any():
        plot.band(x[known], last["min"][known], last["max"][known])
    legend = [("last epoch", "accent")]
    if "loss_first" in windows:
        plot.line(x, first, "muted", "faint")
        legend.append(("first epoch", "muted"))
    plot.line(x, last["median"])
    return plot.chart(
        "loss",
        "Training loss by window",
        "Line: the median of a window's nets; band: their range. One that stands out was hard to learn, or too easy.",
        f"Median loss from {number(last['median'].min(), 3)} to {number(last['median'].max(), 3)}",
        legend=tuple(legend) if len(legend) > 1 else (),
    )


def _spread(spread: pd.Series, result: Result) -> Chart:
    close = result.bars["close"]
    values = 1e4 * spread.reindex(close.index).loc[result.forecast.index[0] :]
    size = 1e4 * float(result.forecast.std())
    plot = Plot(
        (0, max(len(values) - 1, 1)),
        spanned(values, [size], zero=True),
        date_ticks(pd.DatetimeIndex(values.index)),
        str,
    )
    plot = Plot(plot.x, plot.y, plot.x_ticks, _written(plot.y))
    plot.line(np.arange(len(values)), values).rule(y=size, colour="hold")
    return plot.chart(
        "spread",
        "Seed spread: how far the nets of a window disagree, bp",
        "Where it is above the dashed line, the size of a typical forecast, the seed decides more than the data.",
        f"Median {number(values.median(), 2)} bp; a typical forecast is {number(size, 2)} bp",
    )


def _states(states: pd.DataFrame, close: pd.Series) -> list[Chart]:
    """The price, and below it each gate on the same dates."""
    dates = pd.DatetimeIndex(states.index)
    x, ends, ticks = np.arange(len(states)), (0, max(len(states) - 1, 1)), date_ticks(dates)
    price = np.log10(close.reindex(dates))

    bounds = spanned(price)
    digits = 0 if close.min() > 20 else 2

    def drawn(width: float) -> Chart:
        plot = Plot(ends, bounds, ticks, lambda v: number(10**v, digits), width, 150, log_ticks(*bounds))
        plot.line(x, price, "ink")
        return plot.chart("gate-price", "Price, for comparison", "Logarithmic axis.", "The close on the same dates")

    charts = [wide(drawn)]
    for name in states:
        values = states[name]
        plot = Plot(ends, spanned(values), ticks, str)
        plot = Plot(ends, plot.y, ticks, _written(plot.y)).line(x, values)
        title, _, reading = STATES.get(str(name), str(name)).partition(": ")
        alt = f"Mean over all units from {number(values.min(), 3)} to {number(values.max(), 3)}"
        charts.append(plot.chart(f"gate-{len(charts)}", title, reading.capitalize() + "." if reading else "", alt))
    return charts


def _windows(windows: pd.DataFrame) -> tuple[list[str], list[tuple[Any, ...]]]:
    """One row a window: medians over its nets."""
    table = windows.drop(columns="net").groupby("date").median(numeric_only=True)
    return [str(column).replace("_", " ") for column in table.columns], list(table.itertuples())


def _written(y: tuple[float, float]) -> Any:
    """As many decimals as tell the ticks apart."""
    ticks = nice_ticks(*y)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    digits = max(0, -int(np.floor(np.log10(step))))
    return lambda v: number(v, digits)
