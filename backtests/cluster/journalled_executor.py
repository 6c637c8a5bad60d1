"""Takes work over: cuts it into chunks for the workers, and keeps what is done where it is to survive a kill."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rollcast.backtests.cluster.chunks import Chunks
from rollcast.backtests.cluster.journal import Journal
from rollcast.backtests.cluster.task import Done, Workers, do_chunk
from rollcast.predictors import training_log
from rollcast.predictors.executor import Work, executed_by
from rollcast.predictors.recurrent import kernel, trainer
from rollcast.predictors.training_log import TrainingLog

ENGINES = ("local", "ray")
SECONDS = 2.0  # of a chunk here: progress is reported after each


def here(work: Work, done: set[int], noted: bool) -> Iterator[tuple[list[int], Done]]:
    """The workers of this process: a chunk at a time, on all threads."""
    # Batches on a GPU and processes that must be started first want everything at once.
    nets = work.device is not None
    at_once = nets and (trainer.resolve(str(work.device)) == "cuda" or not kernel.available())
    chunks = Chunks.of(work, done, math.inf if at_once else SECONDS)
    while chunks.left:
        positions = chunks.take()
        found = do_chunk(work.function, [work.units[k] for k in positions], noted)
        chunks.timed(len(positions), found.seconds)
        yield positions, found


@dataclass(frozen=True)
class JournalledExecutor:
    """A `predictors.executor.Executor`: has workers do the work, and skips what the journal has already."""

    workers: Workers
    journal: Journal | None = None

    def __call__(self, work: Work) -> Iterator[tuple[int, Any]]:
        page, pages, done = training_log.current(), {}, set()
        entry = self.journal.entry(work, page is not None) if self.journal else None
        for positions, found in entry.found() if entry else ():
            done |= set(positions)
            pages[positions[0]] = found.page
            yield from _placed(positions, found)
        for positions, found in self.workers(work, done, page is not None):
            if entry:
                entry.keep(positions, found)
            pages[positions[0]] = found.page
            yield from _placed(positions, found)
        if page is not None:
            _write(page, pages)


def _placed(positions: list[int], found: Done) -> Iterator[tuple[int, Any]]:
    return ((positions[k], result) for k, result in found.results)


def _write(page: TrainingLog, pages: dict[int, TrainingLog | None]) -> None:
    """All that was noted, in the order of the units and not of their ends."""
    for first in sorted(pages):
        page.extend(pages[first] or TrainingLog())


@contextmanager
def engine(name: str, out: Path | None = None) -> Iterator[None]:
    """Has the work inside the block done by an engine, one of ENGINES, and its windows kept in the workspace `out`.

    What is kept is for the same command after a kill, Ctrl-C or a full disk, and is removed when the block has ended
    otherwise. No result depends on any of it.

    Raises ValueError for an unknown engine, ImportError where Ray is not installed, OSError where no cluster answers.
    """
    if name not in ENGINES:
        raise ValueError(f"unknown engine {name!r}. Known: {', '.join(ENGINES)}")
    journal = None if out is None else Journal(out / "unfinished")
    with ExitStack() as stack:
        workers: Workers = here
        if name == "ray":
            from rollcast.backtests.cluster.on_ray import cluster

            workers = stack.enter_context(cluster())
        if name == "ray" or journal:
            stack.enter_context(executed_by(JournalledExecutor(workers, journal)))
        try:
            yield
        except (OSError, MemoryError):
            raise
        except Exception:
            if journal:
                journal.clear()
            raise
        if journal:
            journal.clear()
