"""A recurrent net trained on the bars of several symbols: full batches by the compiled kernel, or all else by torch.

Notation: J slices, n_j targets of slice j, L_j its mean loss, P parameters. Every slice is scaled by itself, and no
lookback straddles two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pandas as pd

from rollcast.predictors import training_log
from rollcast.predictors.recurrent import kernel, trainer
from rollcast.predictors.recurrent.jobs import Job, Plan, Samples, Trained
from rollcast.predictors.recurrent.learner import Recurrent, _inputs, _losses

R = TypeVar("R", bound=Recurrent)

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # torch's defaults, as in cpp/adam.h


def fit_many(learner: R, slices: Sequence[pd.DataFrame]) -> list[R]:
    """A copy of the learner for each slice: the same nets, and the scale of the slice.

    Raises ValueError for `validation` and `warm`, which have no meaning over several symbols.
    """
    for name in ("validation", "warm"):
        if getattr(learner, name):
            raise ValueError(f"pooled nets are trained from scratch on every sample; set {name}=0")
    date = max(bars.index[-1] for bars in slices)
    each = [learner._window_jobs(*_inputs(b, learner.features), 0, len(b), len(b), date) for b in slices]
    nets = train(learner.plan(), list(zip(*each, strict=True)))
    weights = np.stack([learner._checked(job, net).weights for job, net in zip(each[0], nets, strict=True)])
    copies = [replace(learner) for _ in slices]
    for copy, jobs in zip(copies, each, strict=True):
        copy.weights_, copy.scale_ = weights, jobs[0].scale
    if (page := training_log.current()) is not None:
        page.windows += [{"date": date, "net": i} | _losses(net) for i, net in enumerate(nets)]
    return copies


def train(plan: Plan, nets: Sequence[Sequence[Job]]) -> list[Trained]:
    """Each net, trained on all of its jobs: one for each slice, which differ in their bars and their scale alone.

    The forecasts are empty, and the weights of a net that diverged are not numbers.
    """
    if not kernel.available() or plan.batch or plan.dropout:
        return [by_torch(plan, jobs) for jobs in nets]
    with ThreadPoolExecutor(min(trainer.workers(), len(nets))) as pool:  # the kernel works outside Python's lock
        return list(pool.map(lambda jobs: by_kernel(plan, jobs), nets))


def by_kernel(plan: Plan, jobs: Sequence[Job]) -> Trained:
    """Full-batch AdamW in torch's form, on the mean gradient Σ n_j ∇L_j / Σ n_j."""
    share = np.array([samples.stride * len(samples.starts) for samples in (Samples.of(plan, job) for job in jobs)])
    share = share / share.sum()
    ((_, drawn),) = kernel.train(plan, [replace(jobs[0], epochs=0)], 1)
    w = drawn.weights.copy()
    m, v = np.zeros_like(w), np.zeros_like(w)
    losses = np.full(jobs[0].epochs, np.nan, np.float32)
    for epoch in range(len(losses)):
        found = [kernel.gradient(plan, replace(job, weights=w, epochs=1)) for job in jobs]
        losses[epoch] = sum(s * loss for s, (loss, _) in zip(share, found, strict=True))
        if not np.isfinite(losses[epoch]):
            return _trained(plan, w, losses, True)
        g = np.sum([np.float32(s) * gradient for s, (_, gradient) in zip(share, found, strict=True)], axis=0)
        g = g * np.float32(min(1.0, plan.clip / (float(np.linalg.norm(g)) + 1e-6)))
        m += np.float32(1 - BETA1) * (g - m)
        v = np.float32(BETA2) * v + np.float32(1 - BETA2) * g * g
        first, second = 1 - BETA1 ** (epoch + 1), 1 - BETA2 ** (epoch + 1)
        w *= np.float32(1 - plan.lr * plan.weight_decay)
        w -= np.float32(plan.lr / first) * m / (np.sqrt(v) / np.float32(np.sqrt(second)) + np.float32(EPSILON))
    return _trained(plan, w, losses, False)


def by_torch(plan: Plan, jobs: Sequence[Job]) -> Trained:
    """The readable twin: the slices' scaled rows one after another, and only samples that lie within one of them."""
    import torch

    from rollcast.predictors.recurrent.reference import Training

    one, samples = stacked(plan, jobs)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        training = Training(plan, one)
        training.samples = samples
        losses, diverged = training.train()
        return _trained(plan, training.weights().copy(), losses, diverged)
    finally:
        torch.set_num_threads(threads)


def stacked(plan: Plan, jobs: Sequence[Job]) -> tuple[Job, Samples]:
    """One job over the rows of all slices, scaled already, and where its samples begin."""
    rows, returns, starts, offset = [], [], [], 0
    for job in jobs:
        mean, std = job.scale.T
        rows.append((job.rows - mean[:-1]) / std[:-1])
        returns.append((job.returns - mean[-1]) / std[-1])
        starts.append(Samples.of(plan, job).starts + job.first + offset)
        offset += len(job.rows)
    scale = np.column_stack([np.zeros(plan.features + 1), np.ones(plan.features + 1)])
    one = replace(
        jobs[0], rows=np.vstack(rows), returns=np.concatenate(returns), scale=scale, first=0, split=offset, stop=offset
    )
    stride = Samples.of(plan, jobs[0]).stride
    return one, Samples(np.concatenate(starts), np.empty(0, int), stride)


def _trained(plan: Plan, weights: np.ndarray, losses: np.ndarray, diverged: bool) -> Trained:
    kept = np.full_like(weights, np.nan) if diverged else weights
    return Trained(np.empty((0, plan.outputs)), losses, kept, diverged)
