"""Training of many windows at once by torch's batched products over stacked weights, for a GPU.

Its speed on a GPU has not been measured yet. On a CPU it is slower than the reference implementation, whose layers are
fused, so there it runs in the tests only.

Notation: C windows of a chunk, P parameters, n samples, K steps, T lookback, F features, E epochs, O outputs, R rows
(bars) of a window.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch

from . import graphs, random_numbers, random_tensors
from .batched_net import Nets
from .jobs import CELLS, Job, Plan, Samples, Trained, chains_of
from .reference import initial_weights
from .update import State, Update

# An LSTM of 32 units saves 10 MB for the gradient of 504 samples of 20 steps; the factor 1.5 allows for temporaries.
BYTES_PER_GATE = 1.5 * 10e6 / (504 * 20 * 4 * 32)

Shape = tuple[int, int, int]


def train(plan: Plan, jobs: Sequence[Job], device: str, chunk: int | None = None) -> Iterator[tuple[int, Trained]]:
    """As `kernel.train`, `chunk` windows at a time; by default as many as 0.6 of the device's free memory holds.

    Raises torch.OutOfMemoryError where the memory is too small for a single window, and RuntimeError where an update
    cannot be recorded (`graphs.capture`).
    """
    weights: dict[int, np.ndarray] = {}
    for chains in _groups(jobs):
        loaded: Chunk | None = None
        size = chunk or _affordable(plan, jobs[chains[0][0]], device)
        while chains:
            try:
                for positions in zip(*chains[:size], strict=True):
                    if positions[0] in weights:  # trained before memory ran out
                        continue
                    batch = [
                        replace(jobs[k], weights=weights[k - 1]) if jobs[k].continues else jobs[k] for k in positions
                    ]
                    if loaded is None or not loaded.load(batch):
                        loaded = None  # lets go of its memory before the next one takes its own
                        same = sum(jobs[k].epochs for k in chains[0] if _shape(jobs[k]) == _shape(batch[0]))
                        loaded = Chunk(plan, batch, device, same * -(-len(chains) // size))
                    for k, trained in zip(positions, loaded.run(), strict=True):
                        weights[k] = trained.weights
                        yield k, trained
            except torch.OutOfMemoryError:
                if min(size, len(chains)) == 1:
                    raise
                loaded, size = None, min(size, len(chains)) // 2
                continue
            chains = chains[size:]


class Chunk:
    """Windows of one shape, updated together: their bars, their weights (C, P) and the state of the optimiser.

    epochs: that will be trained on chunks of this shape, by which it is decided whether updates are recorded.
    """

    def __init__(self, plan: Plan, jobs: Sequence[Job], device: str, epochs: int | None = None) -> None:
        self.plan, self.jobs, self.device = plan, jobs, torch.device(device)
        self.epochs = jobs[0].epochs if epochs is None else epochs
        self.samples = Samples.of(plan, jobs[0])
        self.updates: dict[int, Update] = {}  # by the number of samples of a window
        # Row 0 is the first bar that a sample or a forecast reads, so many bars before the job's `first`.
        self.offset = max(0, jobs[0].first + plan.lookback - jobs[0].split)
        self.state = State.of(self._weights())
        self.nets = Nets(plan, *self._bars(), plan.lookback - 1 + self.samples.stride, self.offset)
        self.training = torch.from_numpy(self.samples.training).to(self.device)
        self.seeds = random_tensors.seeds([job.seed for job in jobs], self.device)

    def load(self, jobs: Sequence[Job]) -> bool:
        """Takes other windows of the same shape into the same tensors, so that what was recorded goes on serving them.

        False where their shape or their number is another one.
        """
        if len(jobs) != len(self.jobs) or _shape(jobs[0]) != _shape(self.jobs[0]):
            return False
        self.jobs = jobs
        self.state.restart(self._weights())
        for tensor, values in zip((self.nets.x, self.nets.y), self._bars(), strict=True):
            tensor.copy_(values)
        self.seeds = random_tensors.seeds([job.seed for job in jobs], self.device)
        return True

    def run(self) -> list[Trained]:
        """Trains every window and forecasts with it."""
        with graphs.one_stream(self.device), exact_products():
            losses, diverged = self._train()
            forecast = self._forecast()
            weights = self.state.p.cpu().numpy()
        diverged |= ~np.isfinite(forecast).all(axis=(1, 2))
        return [Trained(*parts) for parts in zip(forecast, losses, weights.copy(), diverged.tolist(), strict=True)]

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
        starts = self.training.expand(len(self.jobs), -1)  # (C, N)
        if self.plan.batch:
            key = random_tensors.keys(random_tensors.keys(self.seeds, random_numbers.ORDER), epoch)
            starts = self.training[random_tensors.permutations(key, n)]
        dropout = random_tensors.keys(self.seeds, random_numbers.DROPOUT)
        self.state.total.zero_()
        updates = -(-n // batch)
        for i in range(updates):
            first = starts[:, i * batch : (i + 1) * batch] + self.offset
            self._update(first, random_tensors.keys(dropout, epoch * updates + i))
        return self.state.total.cpu().numpy() / n

    def _update(self, first: torch.Tensor, keys: torch.Tensor) -> None:
        """One update on these samples. Batches of one size share an `Update`; the last of an epoch may be smaller."""
        size = first.shape[1]
        if size not in self.updates:
            plan, n = self.plan, len(self.samples.training)
            batch = plan.batch or n
            times = self.epochs * (n // batch if size == batch else 1)
            work = first.numel() * self.nets.steps * plan.layers * plan.directions * plan.hidden
            recorded = graphs.worth_recording(self.device, work, times)
            self.updates[size] = Update(plan, self.state, self.nets.loss, first, keys, recorded)
        self.updates[size](first, keys)

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

    def _weights(self) -> torch.Tensor:
        """The initial weights, (C, P)."""
        return self._tensor([initial_weights(self.plan, job) for job in self.jobs])

    def _bars(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The scaled features (C, R, F) and targets (C, R)."""
        x, y = zip(*(self._window(job) for job in self.jobs), strict=True)
        return self._tensor(x), self._tensor(y)

    def _window(self, job: Job) -> tuple[np.ndarray, np.ndarray]:
        """The scaled features of a window's bars, (R, F), and their scaled targets, (R,)."""
        rows = slice(job.first - self.offset, job.stop)
        mean, std = job.scale.T
        x = (job.rows[rows] - mean[:-1]) / std[:-1]
        return x, (np.append(job.returns[rows][1:], np.nan) - mean[-1]) / std[-1]

    def _tensor(self, arrays: Sequence[np.ndarray]) -> torch.Tensor:
        return torch.tensor(np.stack(arrays), dtype=torch.float32, device=self.device)


@contextmanager
def exact_products() -> Iterator[None]:
    """Inside the block torch multiplies float32 in float32 on a GPU, whatever its user or the environment has set."""
    cuda = torch.backends.cuda.matmul
    precision = cuda.fp32_precision
    try:
        former = torch.get_float32_matmul_precision()
    except RuntimeError:  # the user has set it in torch's new way, which the former one refuses to read
        former = "highest"
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(former)
        cuda.fp32_precision = precision


def _shape(job: Job) -> Shape:
    """What decides a chunk's tensors: the lengths of its training slice and of its block, and its samples."""
    return job.split - job.first, job.stop - job.split, id(job.starts)


def _groups(jobs: Sequence[Job]) -> list[list[list[int]]]:
    """Chains of positions, each job continuing the one before; those of a group have jobs of the same shapes."""
    groups: dict[tuple[tuple[Shape, int], ...], list[list[int]]] = {}
    for chain in chains_of(jobs):
        groups.setdefault(tuple((_shape(jobs[k]), jobs[k].epochs) for k in chain), []).append(chain)
    return list(groups.values())


def _affordable(plan: Plan, job: Job, device: str) -> int:
    """How many such windows fit into 0.6 of the device's free memory and into the 32-bit indices of its kernels."""
    samples, place = Samples.of(plan, job), torch.device(device)
    block = job.stop - job.split + 1
    n = min(plan.batch or len(samples.training), len(samples.training)) or block
    steps = plan.lookback - 1 + samples.stride
    bytes_needed = BYTES_PER_GATE * n * steps * plan.layers * plan.directions * CELLS[plan.cell] * plan.hidden
    free = _free(place) if place.type == "cuda" else 1 << 30
    return max(1, int(0.6 * free / bytes_needed))


def _free(device: torch.device) -> int:
    """Bytes of the device's memory that torch can have: what the driver has, and what torch keeps without using it."""
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + kept
