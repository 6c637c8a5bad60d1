"""Many windows as one: torch's batched products over stacked weights, for a GPU. Not yet measured on one.

On a CPU this is slower than the twin, whose layers are fused, so there it runs in the tests only.

Notation: C windows of a chunk, P parameters, n samples, K steps, T lookback, F features, E epochs, O outputs, R rows
(bars) of a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from predictors.recurrent import draws
from predictors.recurrent.batched_net import forward, loss_of
from predictors.recurrent.plan import CELLS, Job, Plan, Samples, Trained
from predictors.recurrent.twin import first_weights

# Counted: an LSTM of 32 units saves 10 MB for the gradient of 504 samples of 20 steps. Half again is for temporaries.
BYTES_PER_GATE = 1.5 * 10e6 / (504 * 20 * 4 * 32)


def train(plan: Plan, jobs: Sequence[Job], device: str, chunk: int | None = None) -> Iterator[tuple[int, Trained]]:
    """As kernel.train, `chunk` windows at a time; by default as many as 0.6 of the device's free memory holds."""
    weights: dict[int, np.ndarray] = {}
    for alike in _groups(jobs):
        size = chunk or _affordable(plan, jobs[alike[0]], device)
        while alike:
            some = [replace(jobs[k], weights=weights[k - 1]) if jobs[k].continues else jobs[k] for k in alike[:size]]
            try:
                results = Chunk(plan, some, device).run()
            except torch.OutOfMemoryError:
                if len(some) == 1:
                    raise
                size = len(some) // 2
                continue
            for k, trained in zip(alike[:size], results, strict=True):
                weights[k] = trained.weights
                yield k, trained
            alike = alike[size:]


class Chunk:
    """Windows of one shape, trained in step: their bars, their weights (C, P) and the optimiser's state."""

    def __init__(self, plan: Plan, jobs: Sequence[Job], device: str) -> None:
        self.plan, self.jobs, self.device = plan, jobs, torch.device(device)
        self.samples = Samples.of(plan, jobs[0])
        self.p = self._tensor([first_weights(plan, job) for job in jobs])
        self.m, self.v, self.updates = torch.zeros_like(self.p), torch.zeros_like(self.p), 0
        # From the first bar that a sample or a forecast reads.
        self.offset = max(0, jobs[0].first + plan.lookback - jobs[0].split)
        x, y = zip(*(self._window(job) for job in jobs), strict=True)
        self.x, self.y = self._tensor(x), self._tensor(y)  # (C, R, F), (C, R)

    def run(self) -> list[Trained]:
        """Trains every window and forecasts with it."""
        losses, diverged = self._train()
        forecast = self._forecast()
        weights = self.p.cpu().numpy()
        diverged |= ~np.isfinite(forecast).all(axis=(1, 2))
        return [Trained(*parts) for parts in zip(forecast, losses, weights, diverged.tolist(), strict=True)]

    def _train(self) -> tuple[np.ndarray, np.ndarray]:
        """The loss of every epoch, (C, E), and which windows' are not numbers. Each stops early on its own."""
        epochs, count = self.jobs[0].epochs, len(self.jobs)
        losses = np.full((count, epochs), np.nan, np.float32)
        diverged, active = np.zeros(count, bool), np.ones(count, bool)
        best, least, waited = self.p.clone(), np.full(count, np.inf), np.zeros(count, int)
        for epoch in range(epochs):
            found = self._epoch(epoch, active)
            losses[active, epoch] = found[active]
            diverged |= active & ~np.isfinite(found)
            active &= ~diverged
            if len(self.samples.held):
                with torch.no_grad():
                    held = np.tile(self.samples.held, (count, 1))
                    loss = self._loss(self.p, held, None).double().cpu().numpy()
                better = active & (loss < least)
                least = np.where(better, loss, least)
                best[torch.from_numpy(better).to(self.device)] = self.p[torch.from_numpy(better).to(self.device)]
                waited = np.where(better, 0, waited + 1)
                active &= waited < self.plan.patience
            if not active.any():
                break
        if len(self.samples.held):
            self.p = best
        return losses, diverged

    def _epoch(self, epoch: int, active: np.ndarray) -> np.ndarray:
        """One pass over the samples, each window in its own order; returns the mean losses, (C,)."""
        n = len(self.samples.starts)
        batch = self.plan.batch or n
        starts = np.stack([self._order(job, epoch) for job in self.jobs])  # (C, N)
        total: torch.Tensor | float = 0.0
        updates = -(-n // batch)
        for i in range(updates):
            chosen = starts[:, i * batch : (i + 1) * batch]
            keys = [draws.key(draws.key(job.seed, draws.DROPOUT), epoch * updates + i) for job in self.jobs]
            p = self.p.requires_grad_()
            loss = self._loss(p, chosen, keys)
            (gradient,) = torch.autograd.grad(loss.sum(), p)
            self._step(gradient, torch.from_numpy(active).to(self.device))
            total = total + loss.detach() * chosen.shape[1]
        return np.asarray(torch.as_tensor(total).cpu()) / n

    def _step(self, g: torch.Tensor, active: torch.Tensor) -> None:
        """AdamW with each window's gradient clipped by its own norm; windows that are not active keep their weights."""
        plan = self.plan
        with torch.no_grad():
            self.updates += 1
            norm = torch.linalg.vector_norm(g, dim=1, keepdim=True)
            g = g * (plan.clip / (norm + 1e-6)).clamp(max=1.0)
            self.m.lerp_(g, 0.1)
            self.v.mul_(0.999).addcmul_(g, g, value=0.001)
            size = plan.lr / (1 - 0.9**self.updates)
            root = self.v.sqrt().div_((1 - 0.999**self.updates) ** 0.5).add_(1e-8)
            moved = (self.p * (1 - plan.lr * plan.weight_decay)).addcdiv_(self.m, root, value=-size)
            self.p = torch.where(active[:, None], moved, self.p)

    def _loss(self, p: torch.Tensor, starts: np.ndarray, keys: list[int] | None) -> torch.Tensor:
        """The mean loss of each window's samples, (C,), from their first rows (C, n)."""
        burn, stride = self.plan.lookback - 1, self.samples.stride
        first = torch.from_numpy(starts + self.offset).to(self.device)
        masks = self._masks(starts, burn + stride, keys) if keys is not None and self.plan.dropout else None
        outputs = forward(self.plan, p, self.x, first, burn + stride, masks)  # (C, n, S, O)
        at = first[:, :, None] + torch.arange(burn, burn + stride, device=self.device)  # (C, n, S)
        targets = self.y.gather(1, at.flatten(1)).view(at.shape)
        return loss_of(self.plan, outputs, targets).mean(dim=(1, 2))

    def _forecast(self) -> np.ndarray:
        """(C, block, O) in returns."""
        job = self.jobs[0]
        begin = job.split - self.plan.lookback - job.first + self.offset
        first = torch.arange(begin, begin + job.stop - job.split + 1, device=self.device).expand(len(self.jobs), -1)
        with torch.no_grad():
            outputs = (
                forward(self.plan, self.p, self.x, first, self.plan.lookback, None)[:, :, 0].double().cpu().numpy()
            )
        mean, std = np.stack([job.scale[-1] for job in self.jobs]).T[:, :, None]
        if self.plan.outputs == 2:
            outputs[..., 1] = np.exp(0.5 * outputs[..., 1]) * std
        outputs[..., 0] = outputs[..., 0] * std + mean
        return outputs

    def _window(self, job: Job) -> tuple[np.ndarray, np.ndarray]:
        """The bars of a window and their targets, scaled."""
        rows = slice(job.first - self.offset, job.stop)
        mean, std = job.scale.T
        x = (job.rows[rows] - mean[:-1]) / std[:-1]
        return x, (np.append(job.returns[rows][1:], np.nan) - mean[-1]) / std[-1]

    def _order(self, job: Job, epoch: int) -> np.ndarray:
        starts = self.samples.starts
        if not self.plan.batch:
            return starts
        return starts[draws.order(draws.key(draws.key(job.seed, draws.ORDER), epoch), len(starts))]

    def _masks(self, starts: np.ndarray, steps: int, keys: list[int]) -> list[torch.Tensor]:
        masks = [draws.masks(self.plan, rows, steps, key) for rows, key in zip(starts, keys, strict=True)]
        return [self._tensor(layer) for layer in zip(*masks, strict=True)]  # each (C, n, K, D·H)

    def _tensor(self, arrays: Sequence[np.ndarray]) -> torch.Tensor:
        return torch.tensor(np.stack(arrays), dtype=torch.float32, device=self.device)


def _groups(jobs: Sequence[Job]) -> list[list[int]]:
    """Positions of jobs of one shape; those that continue another come in a later group than it."""
    groups: dict[tuple[int, ...], list[int]] = {}
    depth = 0
    for k, job in enumerate(jobs):
        depth = depth + 1 if job.continues else 0
        groups.setdefault((depth, job.split - job.first, job.stop - job.split, job.epochs), []).append(k)
    return [groups[shape] for shape in sorted(groups)]


def _affordable(plan: Plan, job: Job, device: str) -> int:
    """How many windows like this one fit into 0.6 of the device's free memory."""
    samples = Samples.of(plan, job)
    n = min(plan.batch or len(samples.starts), len(samples.starts)) or job.stop - job.split + 1
    steps = n * (plan.lookback - 1 + samples.stride)
    needed = BYTES_PER_GATE * steps * plan.layers * plan.directions * CELLS[plan.cell] * plan.hidden
    free = torch.cuda.mem_get_info()[0] if torch.device(device).type == "cuda" else 1 << 30
    return max(1, int(0.6 * free / needed))
