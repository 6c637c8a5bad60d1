"""Work in units that need nothing of one another: done here, unless somebody has taken it over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Work:
    """Units, each with a result of its own whatever is done beside it, and what does them.

    do:     of some of the units yields `(position among them, result)`, in any order, as `Learner.forecast` does.
    units:  flat and picklable, as `do` is.
    chains: the number of each unit's chain, where units of one chain must be done in one call, in their order.
    device: what nets are trained on, cpu, cuda or auto; None where none are.
    """

    do: Callable[[Sequence[Any]], Iterable[tuple[int, Any]]]
    units: Sequence[Any]
    chains: Sequence[int] | None = None
    device: str | None = None


def each(do: Callable[[Any], Any], units: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """`(position, do(unit))` of every unit: `partial(each, do)` is the `do` of a `Work` whose units are done singly."""
    return ((k, do(unit)) for k, unit in enumerate(units))


class Taker(Protocol):
    """Does work: yields `(position, result)` as units are done, keeps the diary, and raises what `do` raises."""

    def __call__(self, work: Work) -> Iterator[tuple[int, Any]]: ...


_TAKER: ContextVar[Taker | None] = ContextVar("taker", default=None)


@contextmanager
def taken_over(taker: Taker) -> Iterator[None]:
    """Hands all work that is shared inside the block to `taker`."""
    token = _TAKER.set(taker)
    try:
        yield
    finally:
        _TAKER.reset(token)


def share(work: Work) -> Iterator[tuple[int, Any]]:
    """Yields `(position, result)` of every unit as it is done; no number depends on where."""
    taker = _TAKER.get()
    return iter(work.do(work.units)) if taker is None else taker(work)
