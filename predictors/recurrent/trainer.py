"""The one door to training: any number of jobs, on whatever this machine has for them."""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Iterator, Sequence
from functools import cache

from rollcast.predictors.recurrent import kernel, processes
from rollcast.predictors.recurrent.jobs import Job, Plan, Trained


def train(plan: Plan, jobs: Sequence[Job], device: str = "auto") -> Iterator[tuple[int, Trained]]:
    """Trains every job and yields `(position, result)` as each ends.

    A job's result depends on the job and the plan alone. Closing the iterator, as Ctrl-C does, ends the training: no
    thread or process outlives it. Raises ValueError if there is no such device.
    """
    where = resolve(device)
    if where == "cuda":
        from rollcast.predictors.recurrent import batched

        return batched.train(plan, jobs, where)
    if kernel.available():
        return kernel.train(plan, jobs, workers())
    _say_what_is_lost()
    return processes.train(plan, jobs, workers())


def workers() -> int:
    """How many trainings run at a time: the environment's ROLLCAST_THREADS, or the processors we may use."""
    asked = os.environ.get("ROLLCAST_THREADS")
    if asked:
        return max(1, int(asked))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def resolve(device: str) -> str:
    """cpu or cuda; `auto` is cuda where there is one."""
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
    """Whether CUDA's driver is installed: asking torch instead would cost a second to import it."""
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            ctypes.CDLL(name)
        except OSError:
            continue
        return True
    return False


@cache
def _say_what_is_lost() -> None:
    logging.getLogger("rollcast").warning(
        "recurrent nets: no compiled kernel here, so torch trains them, several times slower; install a C++ compiler "
        "and run `pip install` again to build it"
    )
