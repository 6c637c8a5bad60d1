"""Draws the gates, states and gradients of a recurrent net."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from ...predictors.recurrent.activations import Activations

SHOWN = 250  # bars in a figure: a trading year; more would be a smear
WIDTH = 5.6  # inches: at 390 pixels the labels are still nine pixels high
STYLE: Any = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.family": "DejaVu Sans",  # ships with matplotlib, so the layout is the same on every machine
    "font.size": 10,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "rollcast",
}
INK, BLUE, RED, GREEN = "#333333", "#1f6fb4", "#c0392b", "#2e8b57"
READING = {
    "gates": "Line: the mean over all units; band: the middle half of them. A gate near 1 lets all through, near 0 "
    "nothing: the forget gate of the old state, the input gate of this bar's news, the output gate of what the "
    "forecast reads.",
    "lags": "How much the forecast would move with the hidden state k bars back, on a log scale: a straight line down "
    "is a gradient that vanishes, and a net cannot learn from bars beyond the point where it has.",
    "updates": "The length of the gradient at every update, a line for each net; above the dashed line it "
    "exploded, and was cut back to that line.",
    "attention": "How much each bar of the lookback counts in the forecast; a row that is all one colour is a plain "
    "mean, and 1/lookback is the weight it gives.",
}


def drawn(result: Activations) -> dict[str, str]:
    """The figures of a fitted net as SVG, by name."""
    learner = result.learner
    with matplotlib.rc_context(STYLE):
        figures = {
            "gates": gates_figure(result.gates),
            "lags": lags_figure(result.gradients),
            "updates": updates_figure(result.updates, learner.clip),
        }
        if result.attention is not None:
            figures["attention"] = attention_figure(result.attention)
        return {part: svg(figure) for part, figure in figures.items()}


def gates_figure(gates: pd.DataFrame) -> Figure:
    """Price above; the gates and states, with the band of the middle half of the units, below."""
    shown = gates.iloc[-SHOWN:]
    names = [column.removesuffix("_mean") for column in shown.columns if column.endswith("_mean")]
    figure = Figure(figsize=(WIDTH, 1.9 + 1.05 * len(names)), layout="constrained")
    axes = figure.subplots(
        len(names) + 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": [1.5, *([1] * len(names))]}
    )[:, 0]
    axes[0].plot(shown.index, shown["close"], color=INK, linewidth=1.2)
    axes[0].set_title("price", loc="left", fontsize=10)
    for ax, name in zip(axes[1:], names, strict=True):
        ax.fill_between(shown.index, shown[f"{name}_q25"], shown[f"{name}_q75"], color=BLUE, alpha=0.25, linewidth=0)
        ax.plot(shown.index, shown[f"{name}_mean"], color=BLUE, linewidth=1.2)
        state = name in ("cell", "hidden")
        ax.set_title(
            f"{name} state" if state else name if name == "candidate" else f"{name} gate", loc="left", fontsize=10
        )
        if not state and name != "candidate":
            ax.set_ylim(0, 1)
    _dates(axes[-1], shown.index)
    return figure


def lags_figure(gradients: pd.DataFrame) -> Figure:
    """The gradient of the forecast by lag, each net before and after training, on a log scale."""
    figure = Figure(figsize=(WIDTH, 4.5), layout="constrained")
    ax = figure.subplots()
    shown = gradients[(gradients["state"] == "hidden") & (gradients["norm"] > 0)]
    for net in shown["net"].unique():
        color = {"RNN": RED, "LSTM": BLUE}.get(net, GREEN)
        for when, dashes in (("before", ":"), ("after", "-")):
            line = shown[(shown["net"] == net) & (shown["when"] == when)]
            if line.empty:
                continue
            ax.plot(
                line["lag"], line["norm"], f".{dashes}", color=color, linewidth=1.6, label=f"{net}, {when} training"
            )
    _log(ax)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("lag k in bars")
    ax.set_title("|d forecast / d h(T-k)|", loc="left", fontsize=10)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    return figure


def updates_figure(updates: pd.DataFrame, clip: float) -> Figure:
    """The gradient's norm before clipping at every update, with the clip."""
    figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
    ax = figure.subplots()
    for _, net in updates.groupby("net"):
        ax.plot(net["update"], net["norm"], color=BLUE, alpha=0.7, linewidth=1.2)
    ax.axhline(clip, color=RED, linestyle="--", linewidth=1.4)
    _log(ax, (1, 2, 5))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlabel("update")
    ax.set_title(f"gradient norm before clipping; dashed: clip {clip:g}", loc="left", fontsize=10)
    return figure


def attention_figure(attention: pd.DataFrame) -> Figure:
    """A heat map of the attention weights: lags in columns, bars in rows."""
    shown = attention.iloc[-SHOWN:]
    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    ax = figure.subplots()
    ax.grid(False)
    last = shown.shape[1] - 1
    image = ax.imshow(shown.to_numpy(), aspect="auto", cmap="viridis", interpolation="nearest")
    at = np.unique(np.linspace(0, last, min(last + 1, 6)).round().astype(int))
    ax.set_xticks(at, [shown.columns[k] for k in at])
    rows = np.unique(np.linspace(0, len(shown) - 1, 6).round().astype(int))
    ax.set_yticks(rows, [f"{shown.index[k]:%Y-%m-%d}" for k in rows])
    ax.set_xlabel("lag in bars (0: the bar itself)")
    ax.set_title("attention", loc="left", fontsize=10)
    figure.colorbar(image, ax=ax, shrink=0.9)
    return figure


def svg(figure: Figure) -> str:
    """The figure as SVG text, the same for the same figure."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    # A second font of the same width, where the first is not installed.
    return text.getvalue().replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")


def _log(ax: Axes, steps: Sequence[float] = (1,)) -> None:
    """A logarithmic vertical axis, with plain numbers at these multiples of the powers of ten."""
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=steps))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter("")


def _dates(ax: Axes, index: pd.DatetimeIndex) -> None:
    """Three dates on the horizontal axis, so that their labels do not overlap."""
    at = index[np.linspace(0, len(index) - 1, 3).round().astype(int)].unique()
    ax.set_xticks(at, [f"{date:%Y-%m-%d}" for date in at])
    labels = ax.get_xticklabels()
    labels[0].set_horizontalalignment("left")
    labels[-1].set_horizontalalignment("right")
