"""Draws the figures of docs/recurrent-nets.md from the project's own nets: python -m docs.make_recurrent_figures"""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from rollcast import LSTM, Window, load_bars
from rollcast.backtests.explain.nets import BLUE, RED, STYLE, WIDTH, gates_figure, lags_figure, svg
from rollcast.predictors.recurrent import activations, forward_pass, reference

FOLDER = Path(__file__).parent / "figures"
OPEN = 3.0  # added to the forget gate's bias: σ(3) = 0.95


def draw_activations() -> Figure:
    """σ and tanh above, their derivatives below."""
    x = np.linspace(-6, 6, 121)
    sigma, tanh = 1 / (1 + np.exp(-x)), np.tanh(x)
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    for ax, curves in ((above, (sigma, tanh)), (below, (sigma * (1 - sigma), 1 - tanh**2))):
        for y, color, name in zip(curves, (BLUE, RED), ("σ", "tanh"), strict=True):
            ax.plot(x, y, color=color, label=name)
    above.set_title("σ(x) and tanh(x)", loc="left", fontsize=10)
    above.legend(loc="upper left")
    below.set_title("their derivatives: at most 1/4, and at most 1", loc="left", fontsize=10)
    return figure


def open_forget_gates(bars: pd.DataFrame) -> pd.DataFrame:
    """The gradient by lag of untrained LSTMs whose forget gates stand open."""
    learner = LSTM().fit(bars)
    x, plan = activations.inputs_of(learner, bars), learner.plan()
    gradients = []
    for job in learner.jobs([Window(bars, 0, len(bars), len(bars))])[1]:
        net = forward_pass.net_of(plan, reference.initial_weights(plan, job))
        net.recurrent[0].bias_ih_l0[plan.hidden : 2 * plan.hidden] += OPEN  # torch's order: input, forget, …
        gradients.append(forward_pass.lag_gradients(net, x)["hidden"])
    norm = np.mean(gradients, axis=0)
    labels = {"net": f"LSTM, forget bias +{OPEN:g}", "when": "before", "state": "hidden"}
    return pd.DataFrame({**labels, "lag": np.arange(len(norm)), "norm": norm})


def write(folder: Path) -> None:
    """Writes every figure into an existing folder."""
    torch.set_num_threads(1)
    bars = load_bars("SPY").iloc[-1000:]
    lstm = activations.activations_of(LSTM(), bars)
    with matplotlib.rc_context(STYLE):
        figures = {
            "activations": draw_activations(),
            "gates": gates_figure(lstm.gates),
            "vanishing": lags_figure(pd.concat([lstm.gradients, open_forget_gates(bars)], ignore_index=True)),
        }
        for name, figure in figures.items():
            (folder / f"{name}.svg").write_text(svg(figure), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    write(FOLDER)
