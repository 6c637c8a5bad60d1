"""The diagrams of docs/learn: nets unrolled over the last bars of a real window, with the values they had there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from docs.drawing import WIDTH, Panel, panel_of
from rollcast.backtests.explain.unit import SIZE, lstm_unit
from rollcast.backtests.sheet.scales import padded_range, tick_format
from rollcast.backtests.sheet.svg import dated_plot
from rollcast.predictors.recurrent import activations, cells, forward_pass
from rollcast.predictors.recurrent.learner import Recurrent

SHOWN = 6  # of the bars of a lookback
CELL, BOX = 7, 20  # units: the height of a unit's cell, the width of a strip


@dataclass(frozen=True)
class Pass:
    """The last forward pass of a fitted learner's first net: inputs, states, attention, and the forecast.

    inputs:  (T, F); states: by layer and direction, (T, H) each, in the order of the bars.
    """

    dates: pd.DatetimeIndex
    inputs: np.ndarray
    states: list[np.ndarray]
    attention: np.ndarray | None
    output: float

    @classmethod
    def of(cls, learner: Recurrent, bars: pd.DataFrame) -> Pass:
        """The pass that makes the forecast at the last of these bars."""
        x = activations.inputs_of(learner, bars)[-1:]
        net = forward_pass.net_of(learner.plan(), learner.weights_[0])
        last = forward_pass.forward(net, x)
        states, below = [], x
        for layer in net.recurrent[:-1]:
            below = cells.layer(learner.plan().cell, forward_pass.directions(layer, 1), below)
            states.append(below[0].numpy())
        for direction, steps in enumerate(last.steps):
            h = torch.cat([step["h"] for step in steps]).numpy()
            states.append(h[::-1] if direction else h)
        attention = None if last.attention is None else last.attention[0].numpy()
        return cls(bars.index[-learner.lookback :], x[0].numpy(), states, attention, float(last.outputs[0, 0]))


def unit_diagram(learner: Recurrent, bars: pd.DataFrame) -> Panel:
    """The unit of an LSTM whose cell state is largest, at the last of these bars."""
    values, unit = activations.unit_of(learner, bars)
    alt = "The unit of an LSTM: three gates and the candidate below the conveyor belt of its cell state"
    title = f"Unit {unit + 1} of {learner.hidden} at {bars.index[-1]:%Y-%m-%d}"
    return Panel(title, SIZE[1], lstm_unit(values.iloc[-1].to_dict(), alt))


def conveyor(learner: Recurrent, bars: pd.DataFrame) -> Panel:
    """What that unit's cell state was made of at every bar of the lookback: what it kept, and what it let in."""
    values, _ = activations.unit_of(learner, bars)
    lines = {"cell state C": "ink", "kept, f∗C of the bar before": "accent", "let in, i∗C̃": "hold"}
    y = padded_range(values[["c", "kept", "news"]], zero=True)
    plot = dated_plot(values.index, y, tick_format(*y), WIDTH, 190)
    for column, colour in zip(("c", "kept", "news"), lines.values(), strict=True):
        plot.curve(values[column], colour)
    title = "Its conveyor belt over the twenty bars of the lookback"
    return panel_of(plot.rule(y=0).chart("conveyor", title, "", "", legend=tuple(lines.items())))


def unrolled(shown: Pass, names: Sequence[str]) -> Panel:
    """A vanilla net: the loop on the left, and what it is, step by step, on the right."""
    height = _strip_height(shown.states[0])
    top, x0, parts = 12, 148, []
    parts += _loop(top + height / 2)
    for k, t in enumerate(_times(shown)):
        x = x0 + 80 * k
        parts.append(_strip(x, top, shown.states[0][t]))
        parts.append(_arrow(x - 46, top + height / 2, x - 3, top + height / 2))
        parts.append(_strip(x, top + height + 44, shown.inputs[t]))
        parts.append(_arrow(x + BOX / 2, top + height + 41, x + BOX / 2, top + height + 4))
        parts.append(_text(x + BOX / 2, top + height + 94, f"{shown.dates[t]:%b %d}", "mid small"))
    last = x0 + 80 * (SHOWN - 1)
    parts.append(_text(x0 - 30, top + height / 2 - 8, "…", "mid strong"))
    parts.append(_arrow(last + BOX + 4, top + height / 2, last + BOX + 30, top + height / 2))
    parts.append(_text(last + BOX + 36, top + height / 2 - 2, "y", "strong"))
    parts.append(_text(last + BOX + 36, top + height / 2 + 16, _number(shown.output), "small"))
    parts.append(_text(0, top + height + 56, "x, from above:", "small"))
    parts += [_text(0, top + height + 72 + 15 * k, name, "small") for k, name in enumerate(names)]
    return Panel("The loop, and the same loop unrolled over the last six bars", height + 132, "".join(parts), KEYS)


def bidirectional(shown: Pass) -> Panel:
    """Two layers over the same bars, one in each direction; the forecast reads the last state of each."""
    title = "Bidirectional: one net reads forwards, one backwards"
    return _rows(title, shown, ("forwards", "backwards"), (1, -1), above=False)


def stacked(shown: Pass) -> Panel:
    """Two layers, of which the upper reads the states of the lower."""
    return _rows(
        "Stacked: the second layer reads the states of the first", shown, ("layer 2", "layer 1"), (1, 1), above=True
    )


def attention(shown: Pass) -> Panel:
    """The states of all bars, and the weight of each in the forecast."""
    height = _strip_height(shown.states[0])
    top, step, parts = 70, 27, []
    assert shown.attention is not None
    most = shown.attention.max()
    for t, weight in enumerate(shown.attention):
        x, tall = 84 + step * t, 52 * weight / most
        parts.append(_strip(x, top, shown.states[0][t]))
        parts.append(f'<rect x="{x}" y="{top - 6 - tall:.1f}" width="{BOX}" height="{tall:.1f}" fill="var(--accent)"/>')
    parts.append(_text(72, top - 10, "weight α", "end"))
    parts.append(_text(72, top + height / 2 + 4, "state h", "end"))
    parts.append(_text(84, top + height + 20, f"{shown.dates[0]:%b %d}", "small"))
    parts.append(
        _text(84 + step * len(shown.attention) - 7, top + height + 20, f"{shown.dates[-1]:%b %d}", "end small")
    )
    low, high = shown.attention.min(), most
    line = f"weights from {low:.3f} to {high:.3f}; equal weights would be {1 / len(shown.attention):.3f}"
    parts.append(_text(84 + step * len(shown.attention) / 2, top + height + 20, line, "mid small"))
    return Panel("Attention: the forecast reads a weighted mean of all states", top + height + 34, "".join(parts))


KEYS = (("above zero", "fourth"), ("below zero", "third"))


def _rows(title: str, shown: Pass, names: tuple[str, str], directions: tuple[int, int], *, above: bool) -> Panel:
    """Two rows of states over the inputs; `above` is for a row that reads the one below it."""
    upper, lower = (shown.states[1], shown.states[0]) if above else (shown.states[0], shown.states[1])
    height, parts = _strip_height(upper), []
    tops, x0 = (8, 8 + height + 30), 100
    for row, (top, states) in enumerate(zip(tops, (upper, lower), strict=True)):
        parts.append(_text(x0 - 18, top + height / 2 + 4, names[row], "end"))
        for k, t in enumerate(_times(shown)):
            x = x0 + 100 * k
            parts.append(_strip(x, top, states[t]))
            if k + 1 < SHOWN:
                ends = (x + BOX + 4, x + 96) if directions[row] > 0 else (x + 96, x + BOX + 4)
                parts.append(_arrow(ends[0], top + height / 2, ends[1], top + height / 2))
    bottom = tops[1] + height
    for k, t in enumerate(_times(shown)):
        x = x0 + 100 * k
        parts.append(_strip(x, bottom + 30, shown.inputs[t]))
        parts.append(_arrow(x + BOX / 2, bottom + 28, x + BOX / 2, bottom + 4))
        if above:
            parts.append(_arrow(x + BOX / 2, tops[1] - 3, x + BOX / 2, tops[0] + height + 4))
        parts.append(_text(x + BOX / 2, bottom + 78, f"{shown.dates[t]:%b %d}", "mid small"))
    parts.append(_text(x0 - 18, bottom + 48, "inputs x", "end"))
    return Panel(title, bottom + 90, "".join(parts))


def _loop(middle: float) -> list[str]:
    """The net as one box whose state goes back into it."""
    return [
        f'<rect class="box" x="18" y="{middle - 22}" width="44" height="44" rx="6"/>',
        _text(40, middle + 6, "tanh", "mid strong"),
        f'<path class="wire" d="M62 {middle}h14v-44h-72v44h9"/><path d="M18 {middle}l-9 -5v10z" fill="var(--ink)"/>',
        _text(40, middle - 50, "h", "mid strong"),
        _arrow(40, middle + 60, 40, middle + 26),
        _text(40, middle + 78, "x", "mid strong"),
        _text(84, middle + 6, "=", "mid strong"),
    ]


def _times(shown: Pass) -> range:
    return range(len(shown.dates) - SHOWN, len(shown.dates))


def _strip_height(states: np.ndarray) -> int:
    return CELL * states.shape[1]


def _strip(x: float, y: float, values: np.ndarray) -> str:
    """The values as a column of coloured cells: the stronger the colour, the larger the value."""
    largest = 1.0 if np.abs(values).max() <= 1 else 3.0
    filled = "".join(
        f'<path d="M{x} {y + CELL * k}h{BOX}v{CELL}h-{BOX}z" fill="var(--{"fourth" if v > 0 else "third"})" '
        f'fill-opacity="{min(1.0, abs(v) / largest) ** 0.5:.2f}"/>'
        for k, v in enumerate(values)
    )
    frame = f'<rect x="{x}" y="{y}" width="{BOX}" height="{CELL * len(values)}" fill="none" stroke="var(--muted)"/>'
    return filled + frame


def _arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    across = x1 != x2
    sign = 1 if (x2 > x1 if across else y2 > y1) else -1
    head = f"l{-8 * sign} -4v8z" if across else f"l-4 {-8 * sign}h8z"
    return (
        f'<path class="wire" d="M{x1:.1f} {y1:.1f}L{x2 - 6 * sign * across:.1f} {y2 - 6 * sign * (not across):.1f}"/>'
        f'<path d="M{x2:.1f} {y2:.1f}{head}" fill="var(--ink)"/>'
    )


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}">{text}</text>'


def _number(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")
