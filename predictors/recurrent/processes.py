"""The reference implementation in worker processes of one thread each: used where the kernel was not built."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

from .jobs import Job, Plan, Trained, chains_of

_POLL = 0.1  # seconds between two checks for Ctrl-C


def train(plan: Plan, jobs: Sequence[Job], processes: int) -> Iterator[tuple[int, Trained]]:
    """As `kernel.train`, in so many processes; in this one where that is enough.

    Closing the iterator ends the processes.
    """
    chains = chains_of(jobs)
    tasks = ((plan, chain, [_trimmed(plan, jobs[k]) for k in chain]) for chain in chains)
    if min(processes, len(chains)) == 1:
        for task in tasks:
            yield from _train_chain(task)
        return
    # Spawned, because a forked copy of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(processes, len(chains)), initializer=_initialise) as pool:  # its exit ends the workers
        results = pool.imap_unordered(_train_chain, tasks)
        for _ in chains:
            yield from _next(results)


def _trimmed(plan: Plan, job: Job) -> Job:
    """An equal job with only the bars that it reads."""
    first = min(job.first, job.split - plan.lookback)
    return replace(
        job,
        rows=job.rows[first : job.stop],
        returns=job.returns[first : job.stop],
        first=job.first - first,
        split=job.split - first,
        stop=job.stop - first,
    )


def _train_chain(task: tuple[Plan, list[int], list[Job]]) -> list[tuple[int, Trained]]:
    from . import reference

    plan, positions, jobs = task
    results: list[tuple[int, Trained]] = []
    with reference.one_thread():
        for k, job in zip(positions, jobs, strict=True):
            start = replace(job, weights=results[-1][1].weights) if job.continues else job
            results.append((k, reference.train(plan, start)))
    return results


def _next(results: multiprocessing.pool.IMapIterator) -> list[tuple[int, Trained]]:
    """The results of the next chain that ends; waits in short steps, so that Ctrl-C is handled between them."""
    while True:
        try:
            return results.next(timeout=_POLL)
        except multiprocessing.TimeoutError:
            continue


def _initialise() -> None:
    """In a worker: ignores Ctrl-C, which the parent process handles, and ends the worker when its parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None  # a worker has one
    threading.Thread(target=_exit_with, args=(parent,), daemon=True).start()


def _exit_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
