"""The sections of a recurrent net: its unit, step by step; the parts of its inputs; its gates."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...predictors.recurrent.activations import Activations, activations_of, unit_of
from ...predictors.recurrent.integrated_gradients import integrated_gradients
from ...predictors.recurrent.learner import Recurrent
from ..sheet.scales import number_ticks, padded_range, tick_format
from ..sheet.svg import WIDTH, Plot
from ..sheet.words import number
from .nets import READING, SHOWN, drawn
from .page import Image, Section, Steps
from .unit import lstm_unit

TITLES = {
    "gates": f"Gates and states, the last {SHOWN} bars",
    "lags": "The vanishing gradient",
    "updates": "The exploding gradient",
    "attention": "Attention",
}
COLOURS = ("accent", "hold", "third", "fourth")


def net_sections(learner: Recurrent, bars: pd.DataFrame) -> list[Section]:
    """All of them, for a net fitted on these bars."""
    result = activations_of(learner, bars)
    sections = [_attribution(result), _inside(result)]
    return [_unit(result), *sections] if learner.plan().cell == "lstm" else sections


def _unit(result: Activations) -> Section:
    """The diagram of one unit, with its values at every bar of the last lookback."""
    values, unit = unit_of(result.learner, result.bars)
    alt = "The unit of an LSTM: three gates and the candidate below the conveyor belt of its cell state"
    steps = Steps(
        lstm_unit(values.iloc[-1].to_dict(), alt),
        [{str(name): round(float(v), 6) for name, v in row.items()} for _, row in values.iterrows()],
        [f"{date:%Y-%m-%d %H:%M}".removesuffix(" 00:00") for date in values.index],
    )
    reading = (
        f"Unit {unit + 1} of {result.learner.hidden}, the one whose cell state is largest at the end, in the first of "
        f"{result.learner.seeds} nets. Move the slider to step through the {len(values)} bars of the lookback."
    )
    return Section("unit", "One unit, bar by bar", reading, steps=steps, tables={"unit": values})


def _attribution(result: Activations) -> Section:
    """The last forecast, shared out among the inputs by integrated gradients."""
    found = integrated_gradients(result.learner, result.bars)
    shares = 1e4 * found.inputs
    lags = np.arange(len(shares))[::-1]
    y = padded_range(shares, zero=True)
    plot = Plot((0, max(len(shares) - 1, 1)), y, number_ticks(0, len(shares) - 1), tick_format(*y), WIDTH, 200)
    for name, colour in zip(shares.columns, COLOURS, strict=False):
        plot.line(lags[::-1], shares[name].to_numpy()[::-1], colour)
    chart = plot.rule(y=0).chart(
        "attribution",
        "Part of the last forecast that came from each input, bp",
        "By lag: 0 is the bar at which the forecast is made.",
        "Attributions by lag",
        "lag in bars",
        tuple(zip(map(str, shares.columns), COLOURS, strict=False)),
    )
    total = (found.forecast - found.baseline) * 1e4
    prose = (
        f"The forecast at the last bar is {number(1e4 * found.forecast, 3)} bp. For a lookback of average bars it is "
        f"{number(1e4 * found.baseline, 3)} bp. The parts add up to the difference, {number(total, 3)} bp."
    )
    rows = tuple((str(name), number(value, 3)) for name, value in shares.sum().items())
    reading = "Integrated gradients, averaged over the nets."
    return Section(
        "attribution", "Where the last forecast came from", reading, (prose,), (chart,),
        head=("input", "sum over the lookback, bp"), rows=rows, tables={"attribution": found.inputs},
    )  # fmt: skip


def _inside(result: Activations) -> Section:
    """The gates, states and gradients of all nets."""
    figures = drawn(result)
    tables = {
        "gates": result.gates,
        "gradients": result.gradients,
        "updates": result.updates,
        "attention": result.attention,
    }
    clipped = f"{result.updates['clipped'].sum()} of {len(result.updates)} updates ({result.clipping_rate:.0%})"
    return Section(
        "inside",
        "Gates and gradients",
        "Of all units of all nets.",
        (f"Gradients clipped: {clipped}.",),
        images=tuple(Image(TITLES[name], READING[name], text) for name, text in figures.items()),
        tables={name: table for name, table in tables.items() if table is not None},
        figures=figures,
    )
