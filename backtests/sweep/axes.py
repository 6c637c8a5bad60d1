"""The values a sweep tries of one parameter, read from the words of the command line.

`10:500:10` is a range with its end, `10|20|50` a list, `1e-4..1e-1` an interval to draw from, `1e-4..1e-1:log` one
drawn from evenly in its logarithm. Anything else is one value, commas and all.
"""

from __future__ import annotations

import math
import re
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, get_args, get_origin

import numpy as np

from rollcast.predictors.registry import Registry, parse

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
RANGE = re.compile(rf"({NUMBER}):({NUMBER}):({NUMBER})")
INTERVAL = re.compile(rf"({NUMBER})\.\.({NUMBER})(:log)?")
MOST_VALUES = 100_000  # of one range; more is a slip of the keyboard


@dataclass(frozen=True)
class Axis:
    """One parameter that varies: the texts of its values, or the interval they are drawn from.

    side:  "p" of the predictor, "w" of its walk-forward, "s" of the strategy.
    whole: whether an interval has whole numbers only.
    """

    side: str
    name: str
    values: tuple[str, ...] = ()
    low: float = math.nan
    high: float = math.nan
    log: bool = False
    whole: bool = False

    @property
    def drawn(self) -> bool:
        """Whether its values are drawn from an interval."""
        return not self.values

    @property
    def column(self) -> str:
        """What it is called in the table of results: `p.window`."""
        return f"{self.side}.{self.name}"

    def at(self, u: float) -> str:
        """The value at a fraction u of the axis, 0 ≤ u < 1.

        >>> Axis("p", "window", ("10", "20", "50")).at(0.5), Axis("p", "lr", (), 1e-4, 1e-2, log=True).at(0.5)
        ('20', '0.001')
        """
        if self.values:
            return self.values[min(int(u * len(self.values)), len(self.values) - 1)]
        # A whole number owns the unit around it, so that both ends are drawn as often as the others.
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        value = low * (high / low) ** u if self.log else low + u * (high - low)
        if self.whole:
            return str(int(min(max(round(value), self.low), self.high)))
        return f"{value:.6g}"

    def corners(self) -> list[str]:
        """Its lowest and highest value, or every value where they have no order."""
        if not self.values:
            return [self.at(0.0), self.at(1 - 1e-12)]
        numbers = [number_of(text) for text in self.values]
        if any(math.isnan(x) for x in numbers):
            return list(self.values)
        return [self.values[int(np.argmin(numbers))], self.values[int(np.argmax(numbers))]]


def axes_of(side: str, words: Sequence[str], cls: type, registry: Registry, owner: str) -> list[Axis]:
    """The axes of NAME=VALUES words; a name that is repeated gathers its values.

    Raises LookupError for a parameter the class lacks, ValueError for words that cannot be read or values of the wrong
    type.
    """
    given: dict[str, list[str]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (name and equals and text):
            raise ValueError(f"expected NAME=VALUES, got {word!r}")
        given.setdefault(name, []).append(text)
    known = registry.known(cls, given, owner)
    return [_axis(side, name, texts, known[name].type, f"{owner}: {name}") for name, texts in given.items()]


def _axis(side: str, name: str, texts: list[str], kind: Any, what: str) -> Axis:
    for text in texts:
        if found := INTERVAL.fullmatch(text):
            if len(texts) > 1:
                raise ValueError(f"{what}: an interval stands alone; got {' and '.join(texts)}")
            return _interval(side, name, found, kind, what)
    values = [value for text in texts for value in _listed(text, what)]
    for value in values:
        parse(value, kind, what)
    twice = next((value for value in values if values.count(value) > 1), None) if len(values) < 1000 else None
    if twice is not None or len(set(values)) < len(values):
        raise ValueError(f"{what}: {twice or 'a value'} is given twice")
    return Axis(side, name, tuple(values))


def _listed(text: str, what: str) -> list[str]:
    """The values of one word.

    >>> _listed("10:40:10", "window"), _listed("0.1:0.3:0.1", "tolerance"), _listed("1,2|3", "lags")
    (['10', '20', '30', '40'], ['0.1', '0.2', '0.3'], ['1,2', '3'])
    """
    found = RANGE.fullmatch(text)
    if not found:
        return text.split("|")
    start, stop, step = map(Decimal, found.groups())  # decimal, so that three tenths are 0.3
    if step == 0 or (stop - start) / step < 0:
        raise ValueError(f"{what}: {text} never gets from {start} to {stop}")
    count = int((stop - start) / step) + 1
    if count > MOST_VALUES:
        raise ValueError(f"{what}: {text} has {count:,} values; at most {MOST_VALUES:,}")
    return [format((start + k * step).normalize(), "f") for k in range(count)]


def _interval(side: str, name: str, found: re.Match[str], kind: Any, what: str) -> Axis:
    low, high, log = float(found[1]), float(found[2]), bool(found[3])
    whole = _is_whole(kind)
    if not whole and not _is_float(kind):
        raise ValueError(f"{what}: an interval needs a number; list the values as A|B")
    if not low < high:
        raise ValueError(f"{what}: {found[0]} is empty; the lower end comes first")
    if log and low <= 0:
        raise ValueError(f"{what}: a logarithmic interval must start above 0; got {found[0]}")
    if whole and (low != int(low) or high != int(high)):
        raise ValueError(f"{what} must be a whole number; got {found[0]}")
    return Axis(side, name, (), low, high, log, whole)


def _is_whole(kind: Any) -> bool:
    return int in _choices(kind)


def _is_float(kind: Any) -> bool:
    return float in _choices(kind)


def _choices(kind: Any) -> tuple[Any, ...]:
    """The types a value may have: those of `int | None`, or the one."""
    return get_args(kind) if get_origin(kind) in (types.UnionType, typing.Union) else (kind,)


def number_of(text: str) -> float:
    """A value as a number; NaN for one that is a word."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def constants(axes: Sequence[Axis], side: str) -> Mapping[str, str]:
    """The parameters of this side that have a single value."""
    return {axis.name: axis.values[0] for axis in axes if axis.side == side and len(axis.values) == 1}
