"""The executor of the commands: it cuts work into chunks for the workers, and keeps finished windows in a journal."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...predictors import training_log
from ...predictors.executor import Results, Work, executed_by
from ...predictors.recurrent import kernel, trainer
from ...predictors.training_log import TrainingLog
from .chunks import Chunks
from .journal import Journal
from .task import ChunkResult, Workers, run_chunk

ENGINES = ("local", "ray")
SECONDS = 2.0  # target time of a chunk in this process; progress is reported after each


def local_workers(work: Work, finished: set[int], logged: bool) -> Iterator[tuple[list[int], ChunkResult]]:
    """The workers of the engine `local`: one chunk at a time in this process, on all its threads.

    Raises what the work's function raises.
    """
    # A GPU trains all nets as one batch, and starting processes takes long: then all units are one chunk.
    nets = work.device is not None
    single = nets and (trainer.resolve(str(work.device)) == "cuda" or not kernel.available())
    chunks = Chunks.of(work, finished, math.inf if single else SECONDS)
    while chunks:
        positions = chunks.take()
        result = run_chunk(work.function, [work.units[k] for k in positions], logged)
        chunks.record(len(positions), result.seconds)
        yield positions, result


@dataclass(frozen=True)
class JournalledExecutor:
    """A `predictors.executor.Executor`: workers run the units, except those whose results are in the journal."""

    workers: Workers
    journal: Journal | None = None

    def __call__(self, work: Work) -> Results:
        log = training_log.current()
        logs: dict[int, TrainingLog | None] = {}  # by the position of the first unit of a chunk
        finished: set[int] = set()
        entry = self.journal.entry(work, log is not None) if self.journal else None
        for positions, result in entry.read() if entry else ():
            finished |= set(positions)
            logs[positions[0]] = result.log
            yield from _by_position(positions, result)
        for positions, result in self.workers(work, finished, log is not None):
            if entry:
                entry.add(positions, result)
            logs[positions[0]] = result.log
            yield from _by_position(positions, result)
        if log is not None:
            # In the order of the units, whatever the order in which chunks ended.
            for first in sorted(logs):
                log.extend(logs[first] or TrainingLog())


def _by_position(positions: list[int], chunk: ChunkResult) -> Results:
    return ((positions[k], result) for k, result in chunk.results)


@contextmanager
def engine(name: str, out: Path | None = None) -> Iterator[None]:
    """Inside the block an engine, one of ENGINES, executes all work; no result depends on it.

    out: a workspace, in which finished windows are kept for the same command after a kill, Ctrl-C or a full disk. They
         are removed when the block ends in any other way.

    Raises ValueError for an unknown engine, ImportError where Ray is not installed, and ConnectionError, an OSError,
    where no cluster answers.
    """
    if name not in ENGINES:
        raise ValueError(f"unknown engine {name!r}. Known: {', '.join(ENGINES)}")
    journal = None if out is None else Journal(out / "unfinished")
    with ExitStack() as stack:
        workers: Workers = local_workers
        if name == "ray":
            from .on_ray import cluster

            workers = stack.enter_context(cluster())
        if name == "ray" or journal:
            stack.enter_context(executed_by(JournalledExecutor(workers, journal)))
        try:
            yield
        except (OSError, MemoryError, KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException:
            if journal:
                journal.clear()
            raise
        if journal:
            journal.clear()
