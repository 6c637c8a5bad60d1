"""Draws the figures of docs/learn and writes its tables, from real prices and real runs: python -m docs.make_learn"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch

from docs import learn_charts, learn_diagrams, learn_results
from docs.drawing import Panel, figure
from docs.make_recurrent_figures import open_forget_gates
from rollcast import LSTM, RNN, AttentionLSTM, BiLSTM, StackedLSTM, load_bars
from rollcast.predictors.recurrent import activations

FOLDER = Path(__file__).parent / "learn"
Figures = dict[str, tuple[Callable[[], list[Panel]], str]]  # by name: what draws it, and what it shows in words


def linear_figures(bars: pd.DataFrame) -> Figures:
    """The figures that no net is in: the same bytes on every machine."""
    return {
        "averages": (
            lambda: learn_charts.averages(bars),
            "SPY with its simple and exponential averages; below, their weights on past returns fall with the lag",
        ),
        "kalman": (
            lambda: learn_charts.kalman(bars),
            "The filtered mean return of SPY within a wide band; the gain falling to a steady state; weights by lag",
        ),
        "least-squares": (
            lambda: learn_charts.least_squares(bars),
            "A line through the last prices; its parabola of weights; coefficients that change from refit to refit",
        ),
        "sigmoid-tanh": (
            learn_charts.squashing,
            "The sigmoid from 0 to 1 and tanh from -1 to 1, and their derivatives",
        ),
    }


def net_figures(bars: pd.DataFrame) -> Figures:
    """The figures of nets fitted on the last 1,000 bars."""
    last = bars.iloc[-1000:]
    lstm = LSTM().fit(last)

    def shown(learner: learn_diagrams.Recurrent) -> learn_diagrams.Pass:
        return learn_diagrams.Pass.of(learner.fit(last), last)

    def variants() -> list[Panel]:
        return [
            learn_diagrams.bidirectional(shown(BiLSTM())),
            learn_diagrams.stacked(shown(StackedLSTM())),
            learn_diagrams.attention(shown(AttentionLSTM())),
        ]

    def gradients() -> list[Panel]:
        tables = [activations.activations_of(LSTM(), last).gradients, open_forget_gates(last)]
        return [*learn_charts.gradients(tables), *learn_charts.clipping(last)]

    return {
        "recurrent": (
            lambda: [learn_diagrams.unrolled(shown(RNN()), RNN().features)],
            "A recurrent net as a loop, and unrolled over six bars with its inputs and hidden states",
        ),
        "gradients": (
            gradients,
            "The gradient falls with the lag in rnn and lstm, and not where forget gates stand open; below, its norm "
            "by update with and without clipping",
        ),
        "lstm-unit": (
            lambda: [learn_diagrams.unit_diagram(lstm, last), learn_diagrams.conveyor(lstm, last)],
            "The unit of an LSTM with its values, and what its cell state kept and let in over twenty bars",
        ),
        "variants": (variants, "A bidirectional, a stacked and an attention net over the last bars, with their states"),
    }


def write(folder: Path, figures: Figures) -> None:
    """Writes these figures into an existing folder."""
    torch.set_num_threads(1)
    for name, (panels, alt) in figures.items():
        (folder / f"{name}.svg").write_text(figure(panels(), alt), encoding="utf-8", newline="\n")


def write_tables(folder: Path) -> None:
    """Makes every run and writes its figures into its page."""
    for name, predictors in learn_results.PAGES.items():
        page = folder / f"{name}.md"
        text = learn_results.filled(
            page.read_text(encoding="utf-8"), {p: learn_results.judged(p, name) for p in predictors}
        )
        page.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    prices = load_bars("SPY")
    write(FOLDER / "figures", linear_figures(prices) | net_figures(prices))
    write_tables(FOLDER)
