"""The gates and states of every forecast of a walk-forward: the forward passes of many nets in one batch.

Notation: J nets, B bars of a block, T lookback, F features, H units, D directions, P parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import nn

from ..features import lookbacks
from ..window import Window
from .forward_pass import COLUMN_NAMES, forward
from .jobs import Job, Plan
from .reference import Net

STATES = ("forget", "input", "output", "reset", "update", "c", "h")
NETS_PER_PASS = 128  # some 80 megabytes with the default net
DIGITS = 6


def block_means(plan: Plan, jobs: Sequence[Job], weights: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The mean over all units of every gate and state at the step that makes a forecast: `{name: (J, B)}`.

    plan, jobs: the nets, whose blocks all have the length B.
    weights:    their final weights, (P,) each.

    Of stacked layers it is the last one's; of two directions it is the mean over both. Values are computed in double
    precision and rounded to DIGITS decimals, because their last bits depend on which nets share a pass.
    """
    net = _LastStep(Net(plan).double())
    parts = [
        torch.func.vmap(lambda values, x: torch.func.functional_call(net, values, (x,)))(
            _stacked(net, weights[k : k + NETS_PER_PASS]), _inputs(plan, jobs[k : k + NETS_PER_PASS])
        )
        for k in range(0, len(jobs), NETS_PER_PASS)
    ]
    return {
        COLUMN_NAMES.get(name, name): torch.cat([part[name] for part in parts]).numpy().round(DIGITS)
        for name in parts[0]
    }


def block_states(
    plan: Plan, windows: Sequence[Window], owner: Sequence[int], jobs: Sequence[Job], weights: Mapping[int, np.ndarray]
) -> list[pd.DataFrame]:
    """For each window, a row for each bar of its block and a column for each gate and state: means over all its nets.

    owner:   for each job, the position of its window.
    weights: final weights (P,) by position in `jobs`.
    """
    tables = {}
    for block in sorted({windows[owner[j]].block for j in weights}):
        positions = [j for j in sorted(weights) if windows[owner[j]].block == block]
        means = block_means(plan, [jobs[j] for j in positions], [weights[j] for j in positions])
        for k in sorted({owner[j] for j in positions}):
            nets = [row for row, j in enumerate(positions) if owner[j] == k]
            columns = {name: values[nets].mean(axis=0) for name, values in means.items()}
            tables[k] = pd.DataFrame(columns, windows[k].block_index)
    return [tables[k] for k in sorted(tables)]


class _LastStep(nn.Module):
    """A net that returns, in place of a forecast, the mean over units of its gates and states, (B,) each."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        last = [steps[-1] for steps in forward(self.net, x).steps]
        return {name: torch.cat([state[name] for state in last], 1).mean(1) for name in STATES if name in last[0]}


def _stacked(net: nn.Module, weights: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
    """The parameters of J nets by name, (J, *shape)."""
    flat, position, parameters = torch.from_numpy(np.stack(weights).astype(float)), 0, {}
    for name, parameter in net.named_parameters():
        end = position + parameter.numel()
        parameters[name] = flat[:, position:end].reshape(len(flat), *parameter.shape)
        position = end
    return parameters


def _inputs(plan: Plan, jobs: Sequence[Job]) -> torch.Tensor:
    """The inputs of each net for each forecast of its block, (J, B, T, F)."""
    mean, std = np.stack([job.scale[:-1] for job in jobs]).transpose(2, 0, 1)[:, :, None]  # (J, 1, F)
    rows = np.stack([job.rows[job.split - plan.lookback : job.stop] for job in jobs])  # (J, B + T - 1, F)
    return torch.from_numpy(np.stack([lookbacks(scaled, plan.lookback) for scaled in (rows - mean) / std]))
