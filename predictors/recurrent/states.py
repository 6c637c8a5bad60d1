"""The gates and states behind every forecast of a walk-forward: many nets' forward passes at once.

Notation: J nets, B bars of a block, T lookback, F features, H units, D directions, P parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from rollcast.predictors.features import lookbacks
from rollcast.predictors.recurrent.activations import NAMES, forward
from rollcast.predictors.recurrent.jobs import Job, Plan
from rollcast.predictors.recurrent.reference import Net
from rollcast.predictors.walk_forward import Window

TRACED = ("forget", "input", "output", "reset", "update", "c", "h")
TOGETHER = 128  # nets of one pass: some 80 megabytes with the default net
DIGITS = 6


def block_means(plan: Plan, jobs: Sequence[Job], weights: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The mean over all units of every gate and state at the step that makes a forecast: `{name: (J, B)}`.

    plan, jobs, weights: the net, and J trainings whose blocks are of one length, with the weights (P,) they ended in.
    Of stacked layers, the last; of two directions, both. In double precision, and rounded to DIGITS, because a last bit
    depends on which nets share a pass.
    """
    net = _LastStep(Net(plan).double())
    parts = [
        torch.func.vmap(lambda values, x: torch.func.functional_call(net, values, (x,)))(
            _stacked(net, weights[k : k + TOGETHER]), _inputs(plan, jobs[k : k + TOGETHER])
        )
        for k in range(0, len(jobs), TOGETHER)
    ]
    return {NAMES.get(name, name): torch.cat([part[name] for part in parts]).numpy().round(DIGITS) for name in parts[0]}


def block_states(
    plan: Plan, windows: Sequence[Window], owner: Sequence[int], jobs: Sequence[Job], weights: Mapping[int, np.ndarray]
) -> list[pd.DataFrame]:
    """For each window, the means over all its nets at the bars of its block, a column for each gate and state.

    owner:   the number of the window each job is of.
    weights: of the jobs that were trained, by their place in `jobs`.
    """
    frames = {}
    for block in sorted({windows[owner[j]].block for j in weights}):
        chosen = [j for j in sorted(weights) if windows[owner[j]].block == block]
        means = block_means(plan, [jobs[j] for j in chosen], [weights[j] for j in chosen])
        for k in sorted({owner[j] for j in chosen}):
            rows = [row for row, j in enumerate(chosen) if owner[j] == k]
            index = windows[k].bars.index[windows[k].split - 1 : windows[k].stop]
            frames[k] = pd.DataFrame({name: values[rows].mean(axis=0) for name, values in means.items()}, index)
    return [frames[k] for k in sorted(frames)]


class _LastStep(nn.Module):
    """A net that answers with the means of its gates and states, (B,) each, instead of a forecast."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        last = [steps[-1] for steps in forward(self.net, x).steps]
        return {name: torch.cat([state[name] for state in last], 1).mean(1) for name in TRACED if name in last[0]}


def _stacked(net: nn.Module, weights: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
    """The parameters of J nets by name, (J, *shape)."""
    flat, at, named = torch.from_numpy(np.stack(weights).astype(float)), 0, {}
    for name, parameter in net.named_parameters():
        named[name] = flat[:, at : at + parameter.numel()].reshape(len(flat), *parameter.shape)
        at += parameter.numel()
    return named


def _inputs(plan: Plan, jobs: Sequence[Job]) -> torch.Tensor:
    """What each net reads for each forecast of its block, (J, B, T, F)."""
    mean, std = np.stack([job.scale[:-1] for job in jobs]).transpose(2, 0, 1)[:, :, None]  # (J, 1, F)
    rows = np.stack([job.rows[job.split - plan.lookback : job.stop] for job in jobs])  # (J, B + T - 1, F)
    return torch.from_numpy(np.stack([lookbacks(one, plan.lookback) for one in (rows - mean) / std]))
