"""The data of training: one plan for all trainings of a call, one job for each net, and what training returns.

Notation: T lookback in bars, F features, H hidden units, P parameters, O outputs (2 for a Gaussian loss, else 1), E
epochs. A sample reads consecutive bars and has `stride` targets, one after each of its bars from the T-th on; with
stride 1 it is the textbook's many-to-one sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

CELLS = {"rnn": 1, "gru": 3, "lstm": 4}  # name → number of gates, in the order of cpp/plan.h
LOSSES = ("mse", "huber", "gaussian")


@dataclass(frozen=True)
class Plan:
    """The architecture of a net and how it is trained; `RecurrentSettings` describes the hyper-parameters."""

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
        """O: the mean, and for a Gaussian loss the log variance."""
        return 2 if self.loss == "gaussian" else 1

    @property
    def parameters(self) -> int:
        """P, counted as torch does, with two biases for every gate."""
        gates = CELLS[self.cell] * self.hidden
        inputs = [self.features] + [self.directions * self.hidden] * (self.layers - 1)
        recurrent = sum(self.directions * gates * (i + self.hidden + 2) for i in inputs)
        attention = self.hidden * (self.hidden + 2) if self.attention else 0
        return recurrent + attention + self.outputs * (self.directions * self.hidden + 1)


@dataclass(frozen=True)
class Job:
    """One net of one window: trained on the bars [first, split), forecasting at the bars [split - 1, stop).

    rows:      the features of every bar of the frame, unscaled, (bars, F).
    returns:   the log return of every bar, (bars,); the target of bar t is the return of bar t + 1.
    scale:     mean and standard deviation of every feature and, in the last row, of the target, (F + 1, 2).
    seed:      of the initial weights, of the order of the samples and of dropout.
    date:      of the window's fit, for error messages.
    weights:   initial weights in torch's order, (P,); None for random ones.
    continues: whether training starts from the final weights of the preceding job in the list.
    starts:    the rows at which its training samples begin, counted from `first`, int32; None for all there are.
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
    starts: np.ndarray | None = None


@dataclass(frozen=True)
class Trained:
    """The result of a job.

    forecast: of the block, in units of returns, (block, O).
    losses:   mean loss of every epoch, (E,); NaN for epochs that were not reached.
    weights:  the final weights in torch's order, (P,).
    diverged: whether a loss or a forecast was not finite.
    """

    forecast: np.ndarray
    losses: np.ndarray
    weights: np.ndarray
    diverged: bool

    def loss_summary(self) -> dict[str, object]:
        """`loss_first` and `loss`, the losses of the first and the last epoch, and `epochs`, their number."""
        finite = self.losses[np.isfinite(self.losses)]
        first, last = (float(finite[0]), float(finite[-1])) if len(finite) else (np.nan, np.nan)
        return {"loss_first": first, "loss": last, "epochs": len(finite)}


@dataclass(frozen=True)
class Samples:
    """The training and validation samples of a job, by the rows at which they begin.

    Row 0 is the bar `first` of the job. The last target belongs to the last bar but one of the training slice.

    training:   first row of each training sample.
    validation: first row of each validation sample. They are the latest samples; at least T bars separate them from
                the training samples, so that no bar is read by both.
    stride:     targets of each sample.
    """

    training: np.ndarray
    validation: np.ndarray
    stride: int

    @classmethod
    def of(cls, plan: Plan, job: Job) -> Samples:
        """The samples of a job; cpp/training.h has the same formulas."""
        targets, burn_in = job.split - 1 - job.first, plan.lookback - 1
        stride = min(plan.stride, max(1, targets - burn_in))
        if job.starts is not None:
            return cls(job.starts.astype(int), np.empty(0, int), stride)
        count = (targets - burn_in) // stride
        starts = targets - burn_in - (count - np.arange(count)) * stride
        validation = int(plan.validation * count)
        gap = -(-plan.lookback // stride) if validation else 0
        return cls(starts[: count - validation - gap], starts[count - validation :], stride)


def chains_of(jobs: Sequence[Job]) -> list[list[int]]:
    """The positions of jobs, in chains of which each job continues the one before."""
    chains: list[list[int]] = []
    for k, job in enumerate(jobs):
        if job.continues:
            chains[-1].append(k)
        else:
            chains.append([k])
    return chains
