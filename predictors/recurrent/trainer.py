"""The single entry point of training: chooses the GPU, the compiled kernel or torch, as this machine has them."""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Iterator, Sequence
from functools import cache

from . import kernel, processes
from .jobs import Job, Plan, Trained


def train(plan: Plan, jobs: Sequence[Job], device: str = "auto") -> Iterator[tuple[int, Trained]]:
    """Trains every job and yields `(position, result)` as each ends.

    device: cpu, cuda or auto.

    A job's result depends on the job and the plan alone. Closing the iterator, as Ctrl-C does, ends the training: no
    thread or process outlives it.

    Raises ValueError where there is no such device.
    """
    resolved = resolve(device)
    if resolved == "cuda":
        from . import batched

        return batched.train(plan, jobs, resolved)
    if kernel.available():
        return kernel.train(plan, jobs, workers())
    _warn_of_missing_kernel()
    return processes.train(plan, jobs, workers())


def workers() -> int:
    """How many trainings run at a time: the environment's ROLLCAST_THREADS, else the processors available to us.

    Raises ValueError where ROLLCAST_THREADS is no whole number.
    """
    threads = os.environ.get("ROLLCAST_THREADS")
    if threads:
        return max(1, int(threads))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def resolve(device: str) -> str:
    """The device a name stands for, cpu or cuda; auto is cuda where there is one.

    Raises ValueError for cuda where there is none.
    """
    if device == "cpu" or (device == "auto" and not _has_driver()):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if device == "cuda":
        raise ValueError("device cuda was asked for, but torch finds no CUDA device here; use device cpu or auto")
    return "cpu"


@cache
def _has_driver() -> bool:
    """Whether the CUDA driver is installed; found without torch, whose import takes a second."""
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False


@cache
def _warn_of_missing_kernel() -> None:
    """Warns once in a process."""
    logging.getLogger("rollcast").warning(
        "recurrent nets: no compiled kernel here, so torch trains them, several times slower; install a C++ compiler "
        "and run `pip install` again to build it"
    )
