"""The twin in one-thread worker processes: what trains where the kernel was not built."""

from __future__ import annotations

import multiprocessing
import multiprocessing.process
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

from rollcast.predictors.recurrent.jobs import Job, Plan, Trained

_POLL = 0.1  # seconds between looks for a Ctrl-C


def train(plan: Plan, jobs: Sequence[Job], processes: int) -> Iterator[tuple[int, Trained]]:
    """As kernel.train, in this process where one is enough, else in `processes` of them."""
    chains = _chains(jobs)
    tasks = ((plan, chain, [_trimmed(plan, jobs[k]) for k in chain]) for chain in chains)
    if min(processes, len(chains)) == 1:
        for task in tasks:
            yield from _train_chain(task)
        return
    # Spawned, because a forked copy of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(processes, len(chains)), initializer=_quiet) as pool:  # leaving it ends the workers
        done = pool.imap_unordered(_train_chain, tasks)
        for _ in chains:
            yield from _wait(done)


def _chains(jobs: Sequence[Job]) -> list[list[int]]:
    """Positions of jobs that must run one after another, each continuing the one before."""
    chains: list[list[int]] = []
    for k, job in enumerate(jobs):
        if job.continues:
            chains[-1].append(k)
        else:
            chains.append([k])
    return chains


def _trimmed(plan: Plan, job: Job) -> Job:
    """The same job over no more bars than it reads."""
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
    import torch

    from rollcast.predictors.recurrent import reference

    plan, positions, jobs = task
    # Two-threaded torch next to a busy neighbour was measured a hundred times slower than one thread.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        results: list[tuple[int, Trained]] = []
        for k, job in zip(positions, jobs, strict=True):
            start = replace(job, weights=results[-1][1].weights) if job.continues else job
            results.append((k, reference.train(plan, start)))
        return results
    finally:
        torch.set_num_threads(threads)


def _wait(done: multiprocessing.pool.IMapIterator) -> list[tuple[int, Trained]]:
    while True:
        try:
            return done.next(timeout=_POLL)
        except multiprocessing.TimeoutError:
            continue


def _quiet() -> None:
    """Leaves Ctrl-C to the parent, which ends the workers; where it was killed, they end themselves."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None  # a worker has one
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)
