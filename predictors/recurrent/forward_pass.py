"""The forward pass of a net by the equations of `cells`, with its gates, its states and their gradients.

Notation: N lookbacks, T bars in each, F features, H units, D directions, O outputs; h_t hidden state, C_t cell state;
k lag: h_{T-k} is the hidden state k bars before the bar at which the forecast is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from . import cells, reference
from .jobs import Plan

COLUMN_NAMES = {"c": "cell", "h": "hidden"}  # of states in tables; gates are called as in `cells`


@dataclass(frozen=True)
class ForwardPass:
    """What a net computes from N lookbacks.

    steps:     for each direction of the last layer, the gates and states after each of the T steps, (N, H) each.
    attention: α, (N, T); None for a net without attention.
    outputs:   of the head, (N, O).
    """

    steps: list[list[cells.State]]
    attention: torch.Tensor | None
    outputs: torch.Tensor


def net_of(plan: Plan, weights: np.ndarray) -> reference.Net:
    """The reference net with these weights (P,), in double precision."""
    net = reference.Net(plan).double().requires_grad_(False)
    nn.utils.vector_to_parameters(torch.from_numpy(weights.astype(float)), net.parameters())
    return net


def forward(net: reference.Net, x: torch.Tensor) -> ForwardPass:
    """The forward pass of the net on x (N, T, F)."""
    plan = net.plan
    *lower, top = [directions(layer, plan.directions) for layer in net.recurrent]
    for weights in lower:
        x = cells.layer(plan.cell, weights, x)
    # The second direction reads the lookback backwards: its last step is at the first bar.
    steps = [cells.steps(plan.cell, w, x.flip(1) if d else x) for d, w in enumerate(top)]
    context, attention = torch.cat([states[-1]["h"] for states in steps], dim=1), None  # (N, D·H)
    if plan.attention:
        h = torch.stack([state["h"] for state in steps[0]], dim=1)  # (N, T, H)
        score, query = net.attention.score, net.attention.query.weight[0]
        u = torch.tanh(h @ score.weight.T + score.bias)  # u_t = tanh(W h_t + b)
        attention = torch.softmax(u @ query, dim=1)  # α = softmax_t(v · u_t)
        context = (attention[..., None] * h).sum(dim=1)  # Σ_t α_t h_t
    return ForwardPass(steps, attention, context @ net.head.weight.T + net.head.bias)


def lag_gradients(net: reference.Net, x: torch.Tensor) -> dict[str, np.ndarray]:
    """The norms of ∂output/∂h_{T-k} and ∂output/∂C_{T-k}, averaged over x (N, T, F), by lag k: (T,) each.

    The output is the head's first, the expected return in standard deviations of the target. h_{T-k} is varied with
    C_{T-k} fixed; C_{T-k} is varied together with the h_{T-k} that depends on it.
    """
    net_pass = forward(net, x.detach().requires_grad_())
    total, norms = net_pass.outputs[:, 0].sum(), {}
    for name in ("h", "c"):
        if name in net_pass.steps[0][0]:
            states = [state[name] for state in net_pass.steps[0]]
            gradients = torch.autograd.grad(total, states, retain_graph=True, materialize_grads=True)
            norms[COLUMN_NAMES[name]] = np.array([g.norm(dim=1).mean().item() for g in reversed(gradients)])
    return norms


def directions(layer: nn.Module, directions: int) -> list[cells.Weights]:
    """The weights of each direction of one of torch's layers."""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    endings = ("", "_reverse")[:directions]
    return [cells.Weights(*(getattr(layer, name + ending) for name in names)) for ending in endings]
