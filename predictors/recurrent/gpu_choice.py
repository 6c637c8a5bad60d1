"""Whether a GPU is worth taking, and what takes over where it cannot be used.

The seconds are modelled, since no GPU has been measured yet: operations over the rate that a path is expected to reach.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from . import cuda_device, gpu
from .jobs import CELLS, Job, Plan, Samples, Trained

Train = Callable[[Plan, Sequence[Job]], Iterator[tuple[int, Trained]]]

CPU_RATE = 80e9  # operations a second and thread: the kernel on Zen 4, docs/recurrent-nets.md
# Of a GPU's float32 peak. The kernel computes gates twice, a third more operations; batched products wait for memory.
KERNEL_SHARE, BATCHED_SHARE = 0.4, 0.03
RECOMPUTED = 4 / 3
KERNEL_START, BATCHED_START = (
    3.0,
    6.0,
)  # seconds for the context, and for the kernel's first compilation or torch's import


class NoGpu(ValueError):
    """There is no GPU that can train these nets."""


@dataclass(frozen=True)
class Modelled:
    """Seconds that the training would take."""

    cpu: float
    gpu: float

    def line(self, jobs: int) -> str:
        """What is said of the choice."""
        taken = "a GPU" if self.gpu < self.cpu else "the CPU"
        return (
            f"recurrent nets: device auto trains {jobs} nets on {taken}: {self.cpu:.1f} s modelled on the CPU, "
            f"{self.gpu:.1f} s on a GPU (not yet measured on one)"
        )


def operations(plan: Plan, jobs: Sequence[Job]) -> float:
    """Floating-point operations of the matrix products of these trainings, there and back."""
    gates, step = CELLS[plan.cell] * plan.hidden, 0
    for layer in range(plan.layers):
        inputs = plan.directions * plan.hidden if layer else plan.features
        step += plan.directions * 2 * gates * (2 * (inputs + plan.hidden) + plan.hidden + (inputs if layer else 0))
    shapes: dict[tuple[int, int], int] = {}
    for job in jobs:
        key = job.split - job.first, id(job.starts)
        if key not in shapes:
            samples = Samples.of(plan, job)
            shapes[key] = len(samples.training) * (plan.lookback - 1 + samples.stride)
    return step * float(sum(job.epochs * shapes[job.split - job.first, id(job.starts)] for job in jobs))


def modelled(plan: Plan, jobs: Sequence[Job], threads: int) -> Modelled:
    """For so many threads, and the GPUs that are here.

    Raises NoGpu where no GPU can train this plan.
    """
    work = operations(plan, jobs)
    if gpu.covers(plan) and kernel_refusal() is None:
        peak = sum(device.peak for device in cuda_device.gpus())
        return Modelled(work / (CPU_RATE * threads), KERNEL_START + RECOMPUTED * work / (KERNEL_SHARE * peak))
    if (refusal := torch_refusal()) is not None:
        raise NoGpu(refusal)
    import torch

    peak = 2.0 * 128 * 1.7e9 * torch.cuda.get_device_properties(0).multi_processor_count
    return Modelled(work / (CPU_RATE * threads), BATCHED_START + work / (BATCHED_SHARE * peak))


@cache
def kernel_refusal() -> str | None:
    """Why the kernel cannot use a GPU here; None where it can."""
    try:
        cuda_device.gpus()
    except RuntimeError as reason:
        return str(reason)
    return None


def torch_refusal() -> str | None:
    """Why torch cannot use a GPU here; None where it can."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: one of torch's libraries cannot be loaded
        return f"torch cannot be imported ({error})"

    if torch.cuda.is_available():
        return None
    if torch.version.cuda is None and torch.version.hip is None:
        return "torch finds no CUDA device here, because it is torch's CPU build"
    return "torch finds no CUDA device here"


def refusal() -> str | None:
    """Why nothing can use a GPU here; None where something can."""
    by_kernel = kernel_refusal()
    by_torch = None if by_kernel is None else torch_refusal()
    return None if by_torch is None else f"{by_torch}; and {by_kernel}"


def on_gpu(plan: Plan, jobs: Sequence[Job]) -> Iterator[tuple[int, Trained]]:
    """Trains on GPUs: by the kernel where it can, on all of them, else batched in torch on one.

    Raises NoGpu where neither is possible.
    """
    by_kernel = (
        kernel_refusal()
        if gpu.covers(plan)
        else "its kernel trains LSTM, GRU and vanilla nets of one layer, up to 64 units"
    )
    if by_kernel is None:
        return gpu.train(plan, jobs, cuda_device.gpus())
    if (by_torch := torch_refusal()) is not None:
        raise NoGpu(f"a GPU cannot train these nets: {by_torch}; and {by_kernel}; use device cpu")
    from . import batched

    return batched.train(plan, jobs, "cuda")


def automatic(plan: Plan, jobs: Sequence[Job], on_cpu: Train, threads: int) -> Iterator[tuple[int, Trained]]:
    """Trains on GPUs where that is modelled to be quicker, else on the CPU, and says which.

    Where a GPU fails, the CPU trains what is left, and one line says so.
    """
    weights = {}
    try:
        estimate = modelled(plan, jobs, threads)
        say(estimate.line(len(jobs)))
        if estimate.gpu < estimate.cpu:
            for k, trained in on_gpu(plan, jobs):
                weights[k] = trained.weights
                yield k, trained
            return
    except (MemoryError, RuntimeError, NoGpu) as error:
        say(f"recurrent nets: the CPU trains, since a GPU cannot be used: {error}")
    left = [k for k in range(len(jobs)) if k not in weights]
    rest = [
        replace(jobs[k], weights=weights[k - 1], continues=False) if jobs[k].continues and k - 1 in weights else jobs[k]
        for k in left
    ]
    for k, trained in on_cpu(plan, rest):
        yield left[k], trained


@cache
def say(line: str) -> None:
    """Once in a process."""
    logging.getLogger("rollcast").warning(line)
