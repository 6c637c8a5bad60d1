"""Training of one net on the slices of several symbols: on a GPU, by the compiled kernel for full batches, or by torch.

Notation: n_j targets of slice j, L_j its mean loss, P parameters, E epochs. Every slice has a scale of its own, and no
sample spans two slices.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from ..native import workers
from . import kernel, trainer
from .jobs import Job, Plan, Samples, Trained

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # torch's defaults, as in cpp/adam.h


def train(plan: Plan, nets: Sequence[Sequence[Job]], device: str = "cpu") -> list[Trained]:
    """Trains every net on all of its jobs, which differ in their bars and their scale alone.

    nets:   for each net, a job for each slice.
    device: cpu, cuda or auto.

    The forecasts of the results are empty, and the weights of a net that diverged are NaN.
    """
    if trainer.resolve(device) == "cuda":
        return by_gpu(plan, nets, device)
    if not kernel.available() or plan.batch or plan.dropout:
        return [by_torch(plan, jobs) for jobs in nets]
    with ThreadPoolExecutor(min(workers(), len(nets))) as pool:  # the kernel releases the interpreter lock
        return list(pool.map(lambda jobs: by_kernel(plan, jobs), nets))


def by_kernel(plan: Plan, jobs: Sequence[Job]) -> Trained:
    """Full-batch AdamW as torch has it, on the mean gradient Σ n_j ∇L_j / Σ n_j."""
    targets = np.array([s.stride * len(s.training) for s in (Samples.of(plan, job) for job in jobs)])
    shares = targets / targets.sum()
    ((_, initial),) = kernel.train(plan, [replace(jobs[0], epochs=0)], 1)
    w = initial.weights.copy()
    m, v = np.zeros_like(w), np.zeros_like(w)
    losses = np.full(jobs[0].epochs, np.nan, np.float32)
    for epoch in range(len(losses)):
        slice_losses, gradients = zip(
            *(kernel.gradient(plan, replace(job, weights=w, epochs=1)) for job in jobs), strict=True
        )
        losses[epoch] = sum(share * loss for share, loss in zip(shares, slice_losses, strict=True))
        if not np.isfinite(losses[epoch]):
            return _trained(plan, w, losses, True)
        g = np.sum([np.float32(share) * gradient for share, gradient in zip(shares, gradients, strict=True)], axis=0)
        g = g * np.float32(min(1.0, plan.clip / (float(np.linalg.norm(g)) + 1e-6)))
        # The moments, and the step on their estimates without bias.
        m += np.float32(1 - BETA1) * (g - m)
        v = np.float32(BETA2) * v + np.float32(1 - BETA2) * g * g
        correction1, correction2 = 1 - BETA1 ** (epoch + 1), 1 - BETA2 ** (epoch + 1)
        w *= np.float32(1 - plan.lr * plan.weight_decay)
        w -= (
            np.float32(plan.lr / correction1)
            * m
            / (np.sqrt(v) / np.float32(np.sqrt(correction2)) + np.float32(EPSILON))
        )
    return _trained(plan, w, losses, False)


def by_torch(plan: Plan, jobs: Sequence[Job]) -> Trained:
    """The reference implementation: trains on the samples of all slices, stacked as rows of one job."""
    from . import reference

    plan, job = stacked(plan, jobs)
    with reference.one_thread():
        training = reference.Training(plan, job)
        losses, diverged = training.train()
        return _trained(plan, training.weights().copy(), losses, diverged)


def by_gpu(plan: Plan, nets: Sequence[Sequence[Job]], device: str) -> list[Trained]:
    """All nets at once, each on the samples of all slices."""
    plan, first = stacked(plan, nets[0])
    results = dict(trainer.train(plan, [replace(first, seed=jobs[0].seed) for jobs in nets], device))
    return [_trained(plan, results[k].weights, results[k].losses, results[k].diverged) for k in range(len(nets))]


def stacked(plan: Plan, jobs: Sequence[Job]) -> tuple[Plan, Job]:
    """One job over the scaled rows of all slices, with samples that each lie within one slice, and its plan."""
    rows, returns, starts, offset = [], [], [], 0
    for job in jobs:
        mean, std = job.scale.T
        rows.append((job.rows - mean[:-1]) / std[:-1])
        returns.append((job.returns - mean[-1]) / std[-1])
        rows[-1][0] = returns[-1][0] = 0  # the first bar has no return, and no sample reads it
        starts.append(Samples.of(plan, job).training + job.first + offset)
        offset += len(job.rows)
    scale = np.column_stack([np.zeros(plan.features + 1), np.ones(plan.features + 1)])
    first_rows = np.concatenate(starts).astype(np.int32)
    whole = replace(
        jobs[0],
        rows=np.vstack(rows),
        returns=np.concatenate(returns),
        scale=scale,
        first=0,
        split=offset,
        stop=offset,
        starts=first_rows,
    )
    return replace(plan, stride=Samples.of(plan, jobs[0]).stride), whole


def _trained(plan: Plan, weights: np.ndarray, losses: np.ndarray, diverged: bool) -> Trained:
    final = np.full_like(weights, np.nan) if diverged else weights
    return Trained(np.empty((0, plan.outputs)), losses, final, diverged)
