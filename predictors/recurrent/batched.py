"""Training of many windows at once by torch's batched products over stacked weights, for a GPU.

Its speed on a GPU has not been measured yet. On a CPU it is slower than the reference implementation, whose layers are
fused, so there it runs in the tests only.

Notation: C windows of a chunk, P parameters, n samples, K steps, T lookback, F features, E epochs, O outputs, R rows
(bars) of a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch

from . import fused, graphs, random_numbers
from .batched_net import Nets
from .jobs import CELLS, Job, Plan, Samples, Trained
from .reference import initial_weights
from .update import State, Update

# An LSTM of 32 units saves 10 MB for the gradient of 504 samples of 20 steps; the factor 1.5 allows for temporaries.
BYTES_PER_GATE = 1.5 * 10e6 / (504 * 20 * 4 * 32)


def train(plan: Plan, jobs: Sequence[Job], device: str, chunk: int | None = None) -> Iterator[tuple[int, Trained]]:
    """As `kernel.train`, `chunk` windows at a time; by default as many as 0.6 of the device's free memory holds.

    Raises torch.OutOfMemoryError where the memory is too small for a single window.
    """
    weights: dict[int, np.ndarray] = {}
    for group in _groups(jobs):
        size, remaining = chunk or _affordable(plan, jobs[group[0]], device), group
        while remaining:
            positions = remaining[:size]
            batch = [replace(jobs[k], weights=weights[k - 1]) if jobs[k].continues else jobs[k] for k in positions]
            try:
                results = Chunk(plan, batch, device).run()
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise
                size = len(batch) // 2
                continue
            for k, trained in zip(positions, results, strict=True):
                weights[k] = trained.weights
                yield k, trained
            remaining = remaining[size:]


class Chunk:
    """Windows of one shape, updated together: their bars, their weights (C, P) and the state of the optimiser."""

    def __init__(self, plan: Plan, jobs: Sequence[Job], device: str) -> None:
        self.plan, self.jobs, self.device = plan, jobs, torch.device(device)
        self.samples = Samples.of(plan, jobs[0])
        self.state = State.of(self._tensor([initial_weights(plan, job) for job in jobs]))
        self.updates: dict[int, Update] = {}  # by the number of samples of a window
        # Row 0 is the first bar that a sample or a forecast reads, so many bars before the job's `first`.
        self.offset = max(0, jobs[0].first + plan.lookback - jobs[0].split)
        x, y = zip(*(self._window(job) for job in jobs), strict=True)
        steps = plan.lookback - 1 + self.samples.stride
        self.nets = Nets(plan, self._tensor(x), self._tensor(y), steps, fused.recurrence(plan, self.device))

    def run(self) -> list[Trained]:
        """Trains every window and forecasts with it."""
        losses, diverged = self._train()
        forecast = self._forecast()
        weights = self.state.p.cpu().numpy()
        diverged |= ~np.isfinite(forecast).all(axis=(1, 2))
        return [Trained(*parts) for parts in zip(forecast, losses, weights, diverged.tolist(), strict=True)]

    def _train(self) -> tuple[np.ndarray, np.ndarray]:
        """The loss of every epoch, (C, E), and which windows diverged, (C,).

        A window that has stopped is still updated with the others, but its later losses and weights are discarded.
        """
        epochs, count = self.jobs[0].epochs, len(self.jobs)
        losses = np.full((count, epochs), np.nan, np.float32)
        diverged, active = np.zeros(count, bool), np.ones(count, bool)
        p = self.state.p
        best_p, best_loss, epochs_since = p.clone(), np.full(count, np.inf), np.zeros(count, int)
        for epoch in range(epochs):
            epoch_losses = self._epoch(epoch)
            losses[active, epoch] = epoch_losses[active]
            diverged |= active & ~np.isfinite(epoch_losses)
            active &= ~diverged
            if len(self.samples.validation):
                loss = self._validation_loss()
                better = active & (loss < best_loss)
                best_loss = np.where(better, loss, best_loss)
                best_p = torch.where(torch.from_numpy(better).to(self.device)[:, None], p, best_p)
                epochs_since = np.where(better, 0, epochs_since + 1)
                active &= epochs_since < self.plan.patience
            if not active.any():
                break
        if len(self.samples.validation):
            p.copy_(best_p)
        return losses, diverged

    def _validation_loss(self) -> np.ndarray:
        """The mean loss of each window's validation samples, (C,)."""
        first = torch.from_numpy(self.samples.validation + self.offset).to(self.device).expand(len(self.jobs), -1)
        with torch.no_grad():
            return self.nets.loss(self.state.p, first).double().cpu().numpy()

    def _epoch(self, epoch: int) -> np.ndarray:
        """One pass over the training samples, each window in its own order; returns the mean losses, (C,)."""
        n = len(self.samples.training)
        batch = self.plan.batch or n
        starts = np.stack([self._order(job, epoch) for job in self.jobs])  # (C, N)
        first = torch.from_numpy(starts + self.offset).to(self.device)
        self.state.total.zero_()
        updates = -(-n // batch)
        for i in range(updates):
            columns = slice(i * batch, (i + 1) * batch)
            masks = self._masks(starts[:, columns], epoch * updates + i)
            self._update(first[:, columns], masks)
        return self.state.total.cpu().numpy() / n

    def _update(self, first: torch.Tensor, masks: Sequence[torch.Tensor]) -> None:
        """One update on these samples. Batches of one size share an `Update`; the last of an epoch may be smaller."""
        size = first.shape[1]
        if size not in self.updates:
            plan, n = self.plan, len(self.samples.training)
            batch = plan.batch or n
            times = self.jobs[0].epochs * (n // batch if size == batch else 1)
            work = first.numel() * self.nets.steps * plan.layers * plan.directions * plan.hidden
            recorded = graphs.worth_recording(self.device, work, times)
            self.updates[size] = Update(plan, self.state, self.nets.loss, first, masks, recorded)
        self.updates[size](first, masks)

    def _forecast(self) -> np.ndarray:
        """The forecasts of every window, in units of returns, (C, block, O)."""
        job = self.jobs[0]
        begin = job.split - self.plan.lookback - job.first + self.offset
        first = torch.arange(begin, begin + job.stop - job.split + 1, device=self.device).expand(len(self.jobs), -1)
        with torch.no_grad():
            outputs = self.nets.outputs(self.state.p, first, self.plan.lookback)[:, :, 0].double().cpu().numpy()
        mean, std = np.stack([job.scale[-1] for job in self.jobs]).T[:, :, None]
        if self.plan.outputs == 2:
            outputs[..., 1] = np.exp(0.5 * outputs[..., 1]) * std
        outputs[..., 0] = outputs[..., 0] * std + mean
        return outputs

    def _window(self, job: Job) -> tuple[np.ndarray, np.ndarray]:
        """The scaled features of a window's bars, (R, F), and their scaled targets, (R,)."""
        rows = slice(job.first - self.offset, job.stop)
        mean, std = job.scale.T
        x = (job.rows[rows] - mean[:-1]) / std[:-1]
        return x, (np.append(job.returns[rows][1:], np.nan) - mean[-1]) / std[-1]

    def _order(self, job: Job, epoch: int) -> np.ndarray:
        """The first rows of a window's training samples in the order of this epoch."""
        starts = self.samples.training
        if not self.plan.batch:
            return starts
        return starts[random_numbers.epoch_order(job.seed, epoch, len(starts))]

    def _masks(self, starts: np.ndarray, update: int) -> list[torch.Tensor]:
        """Dropout for the samples that begin at rows `starts` (C, n), as `Nets.loss` takes it."""
        if not self.plan.dropout:
            return []
        masks = [
            random_numbers.masks(self.plan, rows, self.nets.steps, random_numbers.dropout_key(job.seed, update))
            for job, rows in zip(self.jobs, starts, strict=True)
        ]
        return [self._tensor(layer) for layer in zip(*masks, strict=True)]  # each (C, n, K, D·H)

    def _tensor(self, arrays: Sequence[np.ndarray]) -> torch.Tensor:
        return torch.tensor(np.stack(arrays), dtype=torch.float32, device=self.device)


def _groups(jobs: Sequence[Job]) -> list[list[int]]:
    """The positions of jobs of one shape; a job that continues another is in a later group."""
    groups: dict[tuple[int, ...], list[int]] = {}
    depth = 0
    for k, job in enumerate(jobs):
        depth = depth + 1 if job.continues else 0
        groups.setdefault((depth, job.split - job.first, job.stop - job.split, job.epochs), []).append(k)
    return [groups[shape] for shape in sorted(groups)]


def _affordable(plan: Plan, job: Job, device: str) -> int:
    """How many such windows fit into 0.6 of the device's free memory and into the 32-bit indices of its kernels."""
    samples, place = Samples.of(plan, job), torch.device(device)
    block = job.stop - job.split + 1
    n = min(plan.batch or len(samples.training), len(samples.training)) or block
    steps = plan.lookback - 1 + samples.stride
    bytes_needed = BYTES_PER_GATE * n * steps * plan.layers * plan.directions * CELLS[plan.cell] * plan.hidden
    free = torch.cuda.mem_get_info()[0] if place.type == "cuda" else 1 << 30
    fitting = max(1, int(0.6 * free / bytes_needed))
    if fused.recurrence(plan, place) is None:
        return fitting
    return min(fitting, fused.most_windows(plan, max(n, block, len(samples.validation)), steps))
