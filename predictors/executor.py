"""Independent units of work, and the executor that runs them: this process, unless another executor is set.

Reference: McCool, Robison & Reinders (2012), Structured Parallel Programming, chapter 4 (the map pattern).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

# Units and results may have any type.
Units = Sequence[Any]
Results = Iterator[tuple[int, Any]]  # (position of the unit, its result), in any order


@dataclass(frozen=True)
class Work:
    """Units that can be run in any order and in any process, each with a result of its own.

    function: called with some of the units, returns their Results, as `Learner.forecast` does. It must be picklable.
    units:    its arguments, picklable as well.
    chains:   for each unit, the number of its chain: units of one chain must be run in one call and in their order.
              None where every unit is independent.
    device:   where nets are trained: cpu, cuda or auto. None where no nets are trained.
    """

    function: Callable[[Units], Results]
    units: Units
    chains: Sequence[int] | None = None
    device: str | None = None

    @classmethod
    def map(cls, function: Callable[..., object], units: Units) -> Work:
        """The map pattern: `function` is called with one unit at a time, and returns its result."""
        return cls(partial(_map, function), units)


def _map(function: Callable[..., object], units: Units) -> Results:
    return ((position, function(unit)) for position, unit in enumerate(units))


class Executor(Protocol):
    """Runs work: yields `(position, result)` as units end.

    It extends the training log of the caller, if there is one, and raises what the work's function raises.
    """

    def __call__(self, work: Work) -> Results: ...


_EXECUTOR: ContextVar[Executor | None] = ContextVar("executor", default=None)


@contextmanager
def executed_by(executor: Executor) -> Iterator[None]:
    """Inside the block, `execute` hands all work to this executor."""
    token = _EXECUTOR.set(executor)
    try:
        yield
    finally:
        _EXECUTOR.reset(token)


def execute(work: Work) -> Results:
    """Runs the work and yields `(position, result)` as units end; no result depends on the executor.

    Raises what the work's function raises.
    """
    executor = _EXECUTOR.get()
    return work.function(work.units) if executor is None else executor(work)
