"""The reference implementation: torch's own layers trained in a plain loop, one window at a time.

Notation: N samples, K steps, T lookback, F features, D directions, H hidden units, O outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

from . import random_numbers
from .jobs import Job, Plan, Samples, Trained

LAYERS: dict[str, Callable[..., nn.Module]] = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Net(nn.Module):
    """Recurrent layers with dropout on their outputs, and a linear head at every step from the T-th on."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        layer = LAYERS[plan.cell]
        inputs = [plan.features] + [plan.directions * plan.hidden] * (plan.layers - 1)
        self.recurrent = nn.ModuleList(
            layer(i, plan.hidden, batch_first=True, bidirectional=plan.directions == 2) for i in inputs
        )
        if plan.attention:
            self.attention = Attention(plan.hidden)
        self.head = nn.Linear(plan.directions * plan.hidden, plan.outputs)

    def forward(self, x: torch.Tensor, masks: list[torch.Tensor] | None = None) -> torch.Tensor:
        """Maps x (N, K, F) to the head's outputs at the steps from the T-th on, (N, K - T + 1, O).

        masks: dropout, (N, K, D·H) each: one factor for the inputs of each later layer and the last for the head's.
        """
        burn_in = self.plan.lookback - 1
        for i, layer in enumerate(self.recurrent):
            x, _ = layer(x if i == 0 or masks is None else x * masks[i - 1])  # (N, K, D·H)
        if self.plan.attention:
            x = self.attention(x)[:, None]
        elif self.plan.directions == 2:
            # The last state of each direction; that of the reversed one is at the lookback's first bar.
            h = self.plan.hidden
            x = torch.cat([x[:, burn_in:, :h], x[:, : x.shape[1] - burn_in, h:].flip(1)], dim=2)
        else:
            x = x[:, burn_in:]
        return self.head(x if masks is None else x * masks[-1][:, burn_in:])


class Attention(nn.Module):
    """u_t = tanh(W h_t + b), α = softmax_t(v · u_t), context = Σ_t α_t h_t.

    Reference: Yang et al. (2016), Hierarchical Attention Networks, NAACL, eq. 5-7.
    """

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.score = nn.Linear(hidden, hidden)
        self.query = nn.Linear(hidden, 1, bias=False)

    def forward(self, h: torch.Tensor) -> torch.Tensor:
        """(N, T, H) to (N, H)."""
        return torch.einsum("nt,nth->nh", self.weights(h), h)

    def weights(self, h: torch.Tensor) -> torch.Tensor:
        """α, the weights of the T bars, which sum to 1, (N, T)."""
        return torch.softmax(self.query(torch.tanh(self.score(h)))[..., 0], dim=1)


def loss_of(plan: Plan, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean loss of outputs (N, S, O) and targets (N, S)."""
    error = outputs[..., 0] - targets
    if plan.loss == "gaussian":
        log_variance = outputs[..., 1]
        return (0.5 * (log_variance + error**2 * torch.exp(-log_variance))).mean()
    if plan.loss == "huber":
        return nn.functional.huber_loss(outputs[..., 0], targets)
    return (error**2).mean()


class Training:
    """The net, the data and the optimiser of one job.

    observe: called at every update with the norm of the gradient before clipping.
    """

    def __init__(
        self,
        plan: Plan,
        job: Job,
        dtype: torch.dtype = torch.float32,
        observe: Callable[[float], object] | None = None,
    ) -> None:
        self.plan, self.job, self.dtype, self.observe = plan, job, dtype, observe
        self.net = Net(plan)
        nn.utils.vector_to_parameters(torch.from_numpy(initial_weights(plan, job)), self.net.parameters())
        self.net.to(dtype)
        self.samples = Samples.of(plan, job)
        features = job.rows.shape[1]
        mean, std = job.scale.T
        self.x = self._tensor((job.rows - mean[:features]) / std[:features])
        self.y = self._tensor((np.append(job.returns[1:], np.nan) - mean[features]) / std[features])
        self.optimiser = torch.optim.AdamW(self.net.parameters(), lr=plan.lr, weight_decay=plan.weight_decay)

    def loss(self, starts: np.ndarray, key: int | None = None) -> torch.Tensor:
        """The mean loss of the samples that begin at these rows; with a key, under the dropout drawn from it."""
        steps = self.plan.lookback - 1 + self.samples.stride
        at = torch.from_numpy(self.job.first + starts[:, None] + np.arange(steps))  # (N, K)
        masks = None
        if key is not None and self.plan.dropout:
            masks = [self._tensor(mask) for mask in random_numbers.masks(self.plan, starts, steps, key)]
        return loss_of(self.plan, self.net(self.x[at], masks), self.y[at[:, self.plan.lookback - 1 :]])

    def train(self) -> tuple[np.ndarray, bool]:
        """Trains to the last epoch, or with validation samples until they no longer improve.

        Returns the loss of every epoch, (E,), and whether one was not finite, which ends the training.
        """
        losses = np.full(self.job.epochs, np.nan, np.float32)
        best_weights, best_loss, epochs_since = None, np.inf, 0
        for epoch in range(self.job.epochs):
            losses[epoch] = self._epoch(epoch)
            if not np.isfinite(losses[epoch]):
                return losses, True
            if not len(self.samples.validation):
                continue
            with torch.no_grad():
                loss = self.loss(self.samples.validation).item()
            epochs_since = 0 if loss < best_loss else epochs_since + 1
            if loss < best_loss:
                best_loss, best_weights = loss, nn.utils.parameters_to_vector(self.net.parameters()).detach().clone()
            if epochs_since >= self.plan.patience:
                break
        if best_weights is not None:
            nn.utils.vector_to_parameters(best_weights, self.net.parameters())
        return losses, False

    def forecast(self) -> np.ndarray:
        """The forecasts of the block, in units of returns, (block, O)."""
        at = np.arange(self.job.split - 1, self.job.stop)[:, None] + np.arange(1 - self.plan.lookback, 1)
        with torch.no_grad():
            outputs = self.net(self.x[torch.from_numpy(at)])[:, 0].double().numpy()
        mean, std = self.job.scale[-1]
        if self.plan.outputs == 1:
            return outputs * std + mean
        return np.column_stack([outputs[:, 0] * std + mean, np.exp(0.5 * outputs[:, 1]) * std])

    def weights(self) -> np.ndarray:
        """All weights and biases in torch's order, (P,)."""
        return nn.utils.parameters_to_vector(self.net.parameters()).detach().numpy()

    def _epoch(self, epoch: int) -> float:
        """One pass over the training samples; returns their mean loss before each update."""
        starts, total = self.samples.training, 0.0
        batch = self.plan.batch or len(starts)
        if self.plan.batch:
            starts = starts[random_numbers.epoch_order(self.job.seed, epoch, len(starts))]
        updates = -(-len(starts) // batch)
        for i in range(updates):
            samples = starts[i * batch : (i + 1) * batch]
            loss = self.loss(samples, random_numbers.dropout_key(self.job.seed, epoch * updates + i))
            self.optimiser.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(self.net.parameters(), self.plan.clip)
            if self.observe:
                self.observe(norm.item())
            self.optimiser.step()
            total += loss.item() * len(samples)
        return total / len(starts)

    def _tensor(self, values: np.ndarray) -> torch.Tensor:
        return torch.tensor(values, dtype=self.dtype)


def initial_weights(plan: Plan, job: Job) -> np.ndarray:
    """The job's initial weights, (P,); where it has none, random ones, uniform on ±1/√H as in torch's layers."""
    if job.weights is not None:
        return job.weights.astype(np.float32)
    u = random_numbers.uniform(random_numbers.key(job.seed, random_numbers.WEIGHTS), np.arange(plan.parameters))
    return ((2.0 * u - 1.0) * (1.0 / np.sqrt(plan.hidden))).astype(np.float32)


def train(plan: Plan, job: Job) -> Trained:
    """The result of this job, equal to the kernel's up to the rounding of float32."""
    training = Training(plan, job)
    losses, diverged = training.train()
    forecast = training.forecast()
    return Trained(forecast, losses, training.weights(), diverged or not np.isfinite(forecast).all())


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside the block torch runs on one thread.

    On a machine that is busy otherwise, two threads were measured to be a hundred times slower than one.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
