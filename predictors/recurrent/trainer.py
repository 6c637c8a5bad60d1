"""The single entry point of training: chooses the GPU, the compiled kernel or torch, as this machine has them."""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Iterator, Sequence
from functools import cache

from ..native import workers
from . import gpu_choice, kernel, processes
from .jobs import Job, Plan, Trained


def train(plan: Plan, jobs: Sequence[Job], device: str = "auto") -> Iterator[tuple[int, Trained]]:
    """Trains every job and yields `(position, result)` as each ends.

    device: cpu, cuda or auto.

    A job's result depends on the job and the plan alone. Closing the iterator, as Ctrl-C does, ends the training: no
    thread or process outlives it.

    Raises ValueError where there is no such device, or it cannot train such nets.
    """
    if resolve(device) == "cpu":
        return on_cpu(plan, jobs)
    if device == "auto":
        return gpu_choice.automatic(plan, jobs, on_cpu, workers())
    return gpu_choice.on_gpu(plan, jobs)


def on_cpu(plan: Plan, jobs: Sequence[Job]) -> Iterator[tuple[int, Trained]]:
    """Trains by the compiled kernel, or where none was built by torch."""
    if kernel.available():
        return kernel.train(plan, jobs, workers())
    _warn_of_missing_kernel()
    return processes.train(plan, jobs, workers())


def resolve(device: str) -> str:
    """The device a name stands for, cpu or cuda; auto is cuda where one can be used.

    Raises ValueError for cuda where there is none.
    """
    if device == "cpu" or (device == "auto" and not _has_driver()):
        return "cpu"
    refusal = gpu_choice.refusal()
    if refusal is None:
        return "cuda"
    if device == "cuda":
        raise ValueError(f"device cuda was asked for, but {refusal}; use device cpu or auto")
    gpu_choice.say(f"recurrent nets: the CPU trains, since a GPU cannot be used: {refusal}")
    return "cpu"


@cache
def _has_driver() -> bool:
    """Whether a GPU's driver is installed, NVIDIA's or AMD's; found without torch, whose import takes a second."""
    for name in ("libcuda.so.1", "nvcuda.dll", "libamdhip64.so"):
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
