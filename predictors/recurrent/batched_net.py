"""Many nets at once, each with its own weights: cells, layers, head and loss on stacked tensors.

Notation: C windows, P parameters, n samples, K steps, S targets of a sample, R rows, F features, D directions, H hidden
units, G = gates · H, O outputs. Weights are split from (C, P) in torch's order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from . import random_tensors
from .jobs import CELLS, Plan

# Gates' inputs (C, K, n, G), recurrent weights (C, H, G) and biases (C, G) to the K hidden states, each (C, n, H).
Recurrence = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], list[torch.Tensor]]


def forward(
    plan: Plan,
    p: torch.Tensor,
    x: torch.Tensor,
    first: torch.Tensor,
    steps: int,
    masks: Sequence[torch.Tensor] = (),
) -> torch.Tensor:
    """Outputs (C, n, S, O) for samples of `steps` rows that begin at rows `first` (C, n) of x (C, R, F).

    p:     weights, (C, P).
    masks: dropout, (C, n, K, D·H) each: factors for the inputs of each later layer, and the last for the head's.
    """
    weights, recur = _Splitter(p), _STEPS[plan.cell]
    width, states = plan.directions * plan.hidden, list[torch.Tensor]()
    for i in range(plan.layers):
        outputs = []
        for d in range(plan.directions):
            w_x, w_h, b_x, b_h = weights.layer(plan, plan.features if i == 0 else width)
            bias = (b_x + b_h if plan.cell != "gru" else _summed_biases(b_x, b_h, plan.hidden)).unsqueeze(
                1
            )  # (C, 1, G)
            inputs = _first_inputs(x, w_x, bias, first, steps) if i == 0 else _later_inputs(states, w_x, bias)
            hidden = recur(inputs.flip(1) if d else inputs, w_h.transpose(1, 2), b_h)
            outputs.append(hidden[::-1] if d else hidden)
        states = [torch.cat(pair, dim=2) for pair in zip(*outputs, strict=True)]  # K of (C, n, D·H)
        if masks and i < plan.layers - 1:
            states = [state * masks[i][:, :, t] for t, state in enumerate(states)]
    state = torch.stack(_head_inputs(plan, weights, states), dim=2)  # (C, n, S, D·H)
    if masks:
        state = state * masks[-1][:, :, plan.lookback - 1 :]
    w, b = weights(plan.outputs, width), weights(plan.outputs)
    return torch.baddbmm(b.unsqueeze(1), state.flatten(1, 2), w.transpose(1, 2)).view(*state.shape[:3], plan.outputs)


def _first_inputs(
    x: torch.Tensor, w_x: torch.Tensor, bias: torch.Tensor, first: torch.Tensor, steps: int
) -> torch.Tensor:
    """The gates' inputs of the first layer, (C, K, n, G); each row of x is projected once for all samples."""
    rows = first[:, None] + torch.arange(steps, device=x.device)[:, None]  # (C, K, n)
    windows = torch.arange(len(x), device=x.device)[:, None, None]
    projected = torch.baddbmm(bias, x, w_x.transpose(1, 2))  # (C, R, G)
    return projected[windows, rows]


def _later_inputs(states: Sequence[torch.Tensor], w_x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """The gates' inputs of a later layer, (C, K, n, G), from the K hidden states of the layer below."""
    lower = torch.stack(list(states), dim=1)  # (C, K, n, D·H)
    return torch.baddbmm(bias, lower.flatten(1, 2), w_x.transpose(1, 2)).unflatten(1, lower.shape[1:3])


def loss_of(plan: Plan, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The loss of every target, shape as `targets`."""
    error = outputs[..., 0] - targets
    if plan.loss == "gaussian":
        return 0.5 * (outputs[..., 1] + error**2 * torch.exp(-outputs[..., 1]))
    if plan.loss == "huber":
        return torch.nn.functional.huber_loss(outputs[..., 0], targets, reduction="none")
    return error**2


@dataclass(frozen=True)
class Nets:
    """The inputs and targets of a chunk of nets; their weights are arguments of its methods.

    x, y:   the scaled features (C, R, F) and targets (C, R) of the windows' bars.
    steps:  K, the rows of a training sample.
    offset: rows of x before the first bar of the training slice.
    """

    plan: Plan
    x: torch.Tensor
    y: torch.Tensor
    steps: int
    offset: int

    def outputs(
        self, p: torch.Tensor, first: torch.Tensor, steps: int, masks: Sequence[torch.Tensor] = ()
    ) -> torch.Tensor:
        """As `forward`."""
        return forward(self.plan, p, self.x, first, steps, masks)

    def loss(self, p: torch.Tensor, first: torch.Tensor, keys: torch.Tensor | None = None) -> torch.Tensor:
        """The mean loss of each window's samples, (C,), from their first rows (C, n); with keys (C,), under dropout."""
        masks = []
        if keys is not None and self.plan.dropout:
            masks = random_tensors.masks(self.plan, first - self.offset, self.steps, keys)
        at = first[:, :, None] + torch.arange(self.plan.lookback - 1, self.steps, device=first.device)  # (C, n, S)
        targets = self.y.gather(1, at.flatten(1)).view(at.shape)
        return loss_of(self.plan, self.outputs(p, first, self.steps, masks), targets).mean(dim=(1, 2))


class _Splitter:
    """Splits the weights (C, P) into matrices and vectors, in torch's order."""

    def __init__(self, p: torch.Tensor) -> None:
        self.p, self.position = p, 0

    def __call__(self, *shape: int) -> torch.Tensor:
        """The next weights, in this shape for each net."""
        size = torch.Size(shape).numel()
        self.position += size
        return self.p[:, self.position - size : self.position].view(-1, *shape)

    def layer(self, plan: Plan, inputs: int) -> tuple[torch.Tensor, ...]:
        """W_x, W_h, b_x and b_h of one direction of a layer."""
        g = CELLS[plan.cell] * plan.hidden
        return self(g, inputs), self(g, plan.hidden), self(g), self(g)


def _head_inputs(plan: Plan, weights: _Splitter, states: list[torch.Tensor]) -> list[torch.Tensor]:
    """The inputs of the head for each target, S of shape (C, n, D·H)."""
    h, burn_in = plan.hidden, plan.lookback - 1
    if plan.attention:
        hidden = torch.stack(states, dim=2)  # (C, n, K, H)
        w, b, v = weights(h, h), weights(h), weights(h)
        u = torch.tanh(torch.baddbmm(b.unsqueeze(1), hidden.flatten(1, 2), w.transpose(1, 2)))
        alpha = torch.softmax((u * v.unsqueeze(1)).sum(2).view(hidden.shape[:3]), dim=2)  # (C, n, K)
        return [(alpha.unsqueeze(3) * hidden).sum(2)]
    if plan.directions == 2:
        return [torch.cat([states[-1][..., :h], states[0][..., h:]], dim=2)]
    return states[burn_in:]


def _summed_biases(b_x: torch.Tensor, b_h: torch.Tensor, h: int) -> torch.Tensor:
    """A GRU's biases but for the candidate's recurrent one, which the reset gate multiplies."""
    return torch.cat([b_x[:, : 2 * h] + b_h[:, : 2 * h], b_x[:, 2 * h :]], dim=1)


def _rnn(inputs: torch.Tensor, w: torch.Tensor, b_h: torch.Tensor) -> list[torch.Tensor]:
    first, *later = inputs.unbind(1)
    states = [torch.tanh(first)]
    for z in later:
        states.append(torch.tanh(torch.baddbmm(z, states[-1], w)))  # h_t = tanh(W_h h_{t-1} + W_x x_t + b)
    return states


def _gru(inputs: torch.Tensor, w: torch.Tensor, b_h: torch.Tensor) -> list[torch.Tensor]:
    size = w.shape[1]
    b_n = b_h[:, None, 2 * size :]
    h = inputs.new_zeros(len(inputs), inputs.shape[2], size)
    states = []
    for x in inputs.unbind(1):
        r, z = torch.sigmoid(torch.baddbmm(x[..., : 2 * size], h, w[..., : 2 * size])).chunk(2, 2)
        n = torch.tanh(x[..., 2 * size :] + r * torch.baddbmm(b_n, h, w[..., 2 * size :]))
        h = n + z * (h - n)  # h_t = (1 - z_t)∗n_t + z_t∗h_{t-1}
        states.append(h)
    return states


def _lstm(inputs: torch.Tensor, w: torch.Tensor, b_h: torch.Tensor) -> list[torch.Tensor]:
    states, c = list[torch.Tensor](), None
    for x in inputs.unbind(1):
        # Chunks are views: slices of the gates would double the traffic.
        i, f, g, o = (x if c is None else torch.baddbmm(x, states[-1], w)).chunk(4, 2)
        i, f, o = torch.sigmoid(i), torch.sigmoid(f), torch.sigmoid(o)
        c = i * torch.tanh(g) if c is None else f * c + i * torch.tanh(g)  # C_t = f_t∗C_{t-1} + i_t∗C̃_t
        states.append(o * torch.tanh(c))
    return states


_STEPS: dict[str, Recurrence] = {"rnn": _rnn, "gru": _gru, "lstm": _lstm}
