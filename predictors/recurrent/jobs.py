"""What is trained: one plan for all trainings of a call, and one job for each of them.

Notation: T lookback in bars, F features, H hidden units, P parameters, O outputs (2 for a Gaussian loss, else 1).
A sample reads the bars from some row on and has `stride` targets, one after each bar from its T-th on; with stride 1
that is the textbook's many-to-one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

CELLS = {"rnn": 1, "gru": 3, "lstm": 4}  # name → gates; in the kernel's order
LOSSES = ("mse", "huber", "gaussian")


@dataclass(frozen=True)
class Plan:
    """The net and its training; the learners' fields say what each number means."""

    cell: str
    features: int
    hidden: int
    lookback: int
    stride: int
    batch: int
    lr: float
    clip: float
    layers: int = 1
    directions: int = 1
    attention: bool = False
    loss: str = "mse"
    weight_decay: float = 0.0
    dropout: float = 0.0
    validation: float = 0.0
    patience: int = 1

    @property
    def outputs(self) -> int:
        """O."""
        return 2 if self.loss == "gaussian" else 1

    @property
    def parameters(self) -> int:
        """P, as torch counts: two biases for every gate."""
        gates = CELLS[self.cell] * self.hidden
        inputs = [self.features] + [self.directions * self.hidden] * (self.layers - 1)
        recurrent = sum(self.directions * gates * (i + self.hidden + 2) for i in inputs)
        attention = self.hidden * (self.hidden + 2) if self.attention else 0
        return recurrent + attention + self.outputs * (self.directions * self.hidden + 1)


@dataclass(frozen=True)
class Job:
    """One net of one window: trained on bars [first, split), forecasting at bars [split - 1, stop).

    rows:      features of every bar of the frame, shape (bars, F), not scaled.
    returns:   log return of every bar, shape (bars,); the target of bar t is the one of t + 1.
    scale:     mean and standard deviation of every feature, then of the target, shape (F + 1, 2).
    seed:      of its initial weights, its order of samples and its dropout.
    date:      the window's, for messages.
    weights:   to start from, in torch's order, shape (P,); None draws them.
    continues: start from where the job before this one in the list ended.
    """

    rows: np.ndarray
    returns: np.ndarray
    scale: np.ndarray
    first: int
    split: int
    stop: int
    seed: int
    epochs: int
    date: pd.Timestamp
    weights: np.ndarray | None = None
    continues: bool = False


@dataclass(frozen=True)
class Trained:
    """What a job leaves: its forecasts (block, O) in returns, the loss of every epoch and the weights, (P,)."""

    forecast: np.ndarray
    losses: np.ndarray
    weights: np.ndarray
    diverged: bool


@dataclass(frozen=True)
class Samples:
    """How a job's bars become samples. Row 0 is the bar `first`; the last target belongs to the bar before the last.

    starts: the row each training sample begins at; held: the same of the validation samples, which are the latest ones
    and which a lookback separates from the others.
    """

    starts: np.ndarray
    held: np.ndarray
    stride: int

    @classmethod
    def of(cls, plan: Plan, job: Job) -> Samples:
        """The samples of this job; cpp/training.h counts the same way."""
        targets, burn = job.split - 1 - job.first, plan.lookback - 1
        stride = min(plan.stride, max(1, targets - burn))
        n = (targets - burn) // stride
        starts = targets - burn - (n - np.arange(n)) * stride
        held = int(plan.validation * n)
        purge = -(-plan.lookback // stride) if held else 0
        return cls(starts[: n - held - purge], starts[n - held :], stride)
