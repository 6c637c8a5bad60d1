"""The equations of the cells in the notation of the literature: slow, in any precision, and returning all gates.

Notation: x_t input (N, F), h_t hidden state and C_t cell state (N, H), both zero before the first step, σ the logistic
function, ∗ the product by element, [h, x] their concatenation. N samples, T steps, F inputs, H units. Weights are laid
out as torch's: `w_x` (G·H, F), `w_h` (G·H, H), `b_x` and `b_h` (G·H), the G gates one after another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch

State = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Weights:
    """The weights of one direction of one layer."""

    w_x: torch.Tensor
    w_h: torch.Tensor
    b_x: torch.Tensor
    b_h: torch.Tensor

    def gates(self, count: int) -> list[Weights]:
        """The weights of each gate."""
        parts = zip(*(tensor.chunk(count) for tensor in (self.w_x, self.w_h, self.b_x, self.b_h)), strict=True)
        return [Weights(*part) for part in parts]

    def __call__(self, h: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """W·[h, x] + b, where b is the sum of the two biases."""
        return h @ self.w_h.T + x @ self.w_x.T + (self.b_h + self.b_x)


def rnn(weights: Weights, x: torch.Tensor, previous: State) -> State:
    """Elman (1990): h_t = tanh(W_h h_{t-1} + W_x x_t + b)."""
    return {"h": torch.tanh(weights(previous["h"], x))}


def gru(weights: Weights, x: torch.Tensor, previous: State) -> State:
    """Cho et al. (2014), with the reset gate after the product: `reset` r, `update` z, `candidate` n."""
    w_r, w_z, w_n = weights.gates(3)
    h = previous["h"]
    r = torch.sigmoid(w_r(h, x))  # r_t = σ(W_r·[h_{t-1}, x_t] + b_r)
    z = torch.sigmoid(w_z(h, x))  # z_t = σ(W_z·[h_{t-1}, x_t] + b_z)
    # n_t = tanh(W_nx x_t + b_nx + r_t∗(W_nh h_{t-1} + b_nh))
    n = torch.tanh(x @ w_n.w_x.T + w_n.b_x + r * (h @ w_n.w_h.T + w_n.b_h))
    return {"h": (1 - z) * n + z * h, "reset": r, "update": z, "candidate": n}


def lstm(weights: Weights, x: torch.Tensor, previous: State) -> State:
    """Gers, Schmidhuber & Cummins (2000): `forget` f, `input` i, `output` o, `candidate` C̃, cell state C."""
    w_i, w_f, w_c, w_o = weights.gates(4)
    h = previous["h"]
    f = torch.sigmoid(w_f(h, x))  # f_t = σ(W_f·[h_{t-1}, x_t] + b_f)
    i = torch.sigmoid(w_i(h, x))  # i_t = σ(W_i·[h_{t-1}, x_t] + b_i)
    candidate = torch.tanh(w_c(h, x))  # C̃_t = tanh(W_C·[h_{t-1}, x_t] + b_C)
    c = f * previous["c"] + i * candidate  # C_t = f_t∗C_{t-1} + i_t∗C̃_t
    o = torch.sigmoid(w_o(h, x))  # o_t = σ(W_o·[h_{t-1}, x_t] + b_o)
    return {"h": o * torch.tanh(c), "c": c, "forget": f, "input": i, "output": o, "candidate": candidate}


CELLS: dict[str, Callable[[Weights, torch.Tensor, State], State]] = {"rnn": rnn, "gru": gru, "lstm": lstm}


def steps(cell: str, weights: Weights, x: torch.Tensor, previous: State | None = None) -> list[State]:
    """The states and gates of `cell` after each step of x (N, T, F), each of shape (N, H); zero before the first."""
    zero = x.new_zeros(len(x), weights.w_h.shape[1])
    states: list[State] = [previous or {"h": zero, "c": zero}]
    for t in range(x.shape[1]):
        states.append(CELLS[cell](weights, x[:, t], states[-1]))
    return states[1:]


def run(cell: str, weights: Weights, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Every state and gate of `cell` over the steps of x (N, T, F), each of shape (N, T, H)."""
    states = steps(cell, weights, x)
    return {name: torch.stack([state[name] for state in states], dim=1) for name in states[0]}


def layer(cell: str, directions: Sequence[Weights], x: torch.Tensor) -> torch.Tensor:
    """The hidden states of a layer, (N, T, D·H): each direction's, the second one reading backwards."""
    states = [run(cell, directions[0], x)["h"]]
    if len(directions) == 2:
        states.append(run(cell, directions[1], x.flip(1))["h"].flip(1))
    return torch.cat(states, dim=2)
