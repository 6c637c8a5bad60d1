"""One update of all windows of a chunk: gradient, clipping and AdamW, in place.

Notation: C windows of a chunk, P parameters, n samples, t number of the update.
Reference: Loshchilov & Hutter (2019), Decoupled Weight Decay Regularization, ICLR.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial

import torch

from . import graphs
from .jobs import Plan

# (p, first rows, keys of dropout) to the mean loss of each window, (C,).
Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

BETAS = 0.9, 0.999


@dataclass(frozen=True)
class State:
    """The weights and the state of the optimiser, which updates of all batch sizes share.

    p:      weights, (C, P).
    m, v:   Adam's moments, (C, P).
    powers: β₁ᵗ and β₂ᵗ, (2,); a tensor, because a CUDA graph would repeat a Python number as it was when captured.
    total:  sum of the losses of the samples of an epoch so far, (C,).
    """

    p: torch.Tensor
    m: torch.Tensor
    v: torch.Tensor
    powers: torch.Tensor
    total: torch.Tensor

    @classmethod
    def of(cls, p: torch.Tensor) -> State:
        """The state before the first update."""
        powers = torch.ones(2, dtype=torch.float64, device=p.device)
        return cls(p, torch.zeros_like(p), torch.zeros_like(p), powers, torch.zeros_like(p[:, 0]))

    def restart(self, p: torch.Tensor) -> None:
        """Becomes the state before the first update of these weights (C, P), in place."""
        self.p.copy_(p)
        self.powers.fill_(1.0)
        for tensor in (self.m, self.v, self.total):
            tensor.zero_()


STATE = len(fields(State))


class Update:
    """The update on batches of one size.

    recorded: whether the third update is captured as a CUDA graph, which is replayed from then on.
    """

    def __init__(
        self, plan: Plan, state: State, loss: Loss, first: torch.Tensor, keys: torch.Tensor, recorded: bool
    ) -> None:
        self.inputs = first.clone(), keys.clone()
        step = partial(_step, plan, loss)
        self.step = graphs.Repeated(step, [*vars(state).values(), *self.inputs], recorded)

    def __call__(self, first: torch.Tensor, keys: torch.Tensor) -> None:
        """One update on the samples that begin at rows `first` (C, n), with dropout drawn from the keys (C,)."""
        for buffer, value in zip(self.inputs, (first, keys), strict=True):
            buffer.copy_(value)
        self.step()


def _step(plan: Plan, loss: Loss, *tensors: torch.Tensor) -> None:
    """The update on these tensors: the fields of the state, the first rows, the keys of dropout."""
    state, first, keys = State(*tensors[:STATE]), tensors[STATE], tensors[STATE + 1]
    weights = state.p.detach().requires_grad_()
    losses = loss(weights, first, keys)
    (gradient,) = torch.autograd.grad(losses.sum(), weights)
    with torch.no_grad():
        state.total.add_(losses.detach(), alpha=first.shape[1])
        _adamw(plan, state, gradient)


def _adamw(plan: Plan, state: State, g: torch.Tensor) -> None:
    """One step of AdamW, with the gradient of each window clipped by its own norm."""
    beta, gamma = BETAS
    norm = torch.linalg.vector_norm(g, dim=1, keepdim=True)
    g = g * (plan.clip / (norm + 1e-6)).clamp(max=1.0)
    state.m.lerp_(g, 1 - beta)
    state.v.mul_(gamma).addcmul_(g, g, value=1 - gamma)
    state.powers[0].mul_(beta)
    state.powers[1].mul_(gamma)
    size, scale = plan.lr / (1 - state.powers[0]), (1 - state.powers[1]).sqrt()
    root = state.v.sqrt().div_(scale).add_(1e-8)
    state.p.mul_(1 - plan.lr * plan.weight_decay).sub_(state.m / root * size)
