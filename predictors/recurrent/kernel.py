"""The compiled kernel: trains many nets on several threads without torch, where it was built at install."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import numpy as np

from .jobs import Job, Plan, Trained
from .records import DIVERGED, JobRecord, address, plan_record

BUILDS = ("portable", "avx2", "avx512")  # by what rollcast_level answers
_POLL = 50  # milliseconds between two checks for Ctrl-C


def available() -> bool:
    """Whether the kernel was built, in a form that this processor can run."""
    return bool(builds())


@cache
def builds() -> dict[str, ctypes.CDLL]:
    """The builds this processor can run, by name, the fastest last."""
    portable = _load("portable")
    if portable is None:
        return {}
    names = BUILDS[: portable.rollcast_level() + 1]
    return {name: library for name in names if (library := _load(name)) is not None}


def train(plan: Plan, jobs: Sequence[Job], threads: int, build: str | None = None) -> Iterator[tuple[int, Trained]]:
    """Trains every job and yields `(position, result)` as each ends; closing the iterator stops the threads.

    build: one of BUILDS; by default the fastest for this plan.

    Raises TypeError for arrays other than contiguous float64, and KeyError for a build this processor cannot run.
    """
    library = _library(plan, build)
    records, results = _records(plan, jobs)
    structure = plan_record(plan, jobs)
    run = library.rollcast_start(ctypes.byref(structure), records, len(jobs), max(1, min(threads, len(jobs))))
    try:
        for _ in jobs:
            # Waits in short steps, because Python handles signals between two calls.
            while (k := library.rollcast_next(run, _POLL)) < 0:
                pass
            # Removed from `results`, so that the weights of a hundred thousand nets are not in memory together.
            forecast, losses, weights = results.pop(k)
            yield k, Trained(forecast, losses, weights, records[k].status == DIVERGED)
    finally:
        library.rollcast_stop(run)


def gradient(plan: Plan, job: Job, build: str | None = None) -> tuple[float, np.ndarray]:
    """The full-batch loss at the initial weights of a job, and its gradient in torch's order, (P,).

    Raises TypeError and KeyError as `train`.
    """
    records, arrays = _records(plan, [job])
    out = np.zeros(plan.parameters, np.float32)
    structure = plan_record(plan, [job])
    loss = _library(plan, build).rollcast_gradient(ctypes.byref(structure), records, out.ctypes.data)
    del arrays  # the kernel has read them until here
    return loss, out


def _records(plan: Plan, jobs: Sequence[Job]) -> tuple[ctypes.Array, dict[int, tuple[np.ndarray, ...]]]:
    """The jobs as C structures, and the arrays that the kernel fills, by position.

    The structures point into the arrays of the jobs, which the caller must keep alive.
    """
    records = (JobRecord * len(jobs))()
    results: dict[int, tuple[np.ndarray, ...]] = {}
    for k, (record, job) in enumerate(zip(records, jobs, strict=True)):
        forecast = np.full((job.stop - job.split + 1, plan.outputs), np.nan)
        losses = np.full(job.epochs, np.nan, np.float32)
        weights = np.empty(plan.parameters, np.float32) if job.weights is None else job.weights.astype(np.float32)
        for name in ("rows", "returns", "scale"):
            setattr(record, name, address(name, getattr(job, name)))
        record.starts = None if job.starts is None else job.starts.ctypes.data
        record.weights, record.forecast, record.losses = weights.ctypes.data, forecast.ctypes.data, losses.ctypes.data
        record.fill(job)
        results[k] = forecast, losses, weights
    return records, results


def _library(plan: Plan, build: str | None) -> ctypes.CDLL:
    """The build of this name, by default the fastest for this plan."""
    libraries = builds()
    if build is None:
        # Eight units fill half of a 16-wide vector; the 8-wide build was measured to be a quarter faster.
        build = "avx2" if plan.hidden <= 8 and "avx2" in libraries else next(reversed(libraries))
    return libraries[build]


def _load(name: str) -> ctypes.CDLL | None:
    """The shared library of this build with its functions' types; None where it was not built."""
    # The plain suffix, .so or .pyd: one library serves every Python.
    path = Path(__file__).with_name(f"_kernel_{name}{EXTENSION_SUFFIXES[-1]}")
    if not path.is_file():
        return None
    library = ctypes.CDLL(str(path))
    library.rollcast_start.restype = ctypes.c_void_p
    library.rollcast_start.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
    library.rollcast_next.argtypes = [ctypes.c_void_p, ctypes.c_int]
    library.rollcast_stop.argtypes = [ctypes.c_void_p]
    library.rollcast_stop.restype = None
    library.rollcast_gradient.restype = ctypes.c_double
    library.rollcast_gradient.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    return library
