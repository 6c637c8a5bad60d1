"""The values of one parameter in a sweep, parsed from the command line.

`10:500:10` is a range that includes its end, `10|20|50` a list, `1e-4..1e-1` an interval to draw from uniformly, and
`1e-4..1e-1:log` one to draw from uniformly in its logarithm. Any other text is a single value; a comma belongs to it.
"""

from __future__ import annotations

import math
import re
import types
import typing
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import get_args, get_origin

import numpy as np

from ...predictors.parameters import parse
from ...predictors.registry import Registry

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
RANGE = re.compile(rf"({NUMBER}):({NUMBER}):({NUMBER})")
INTERVAL = re.compile(rf"({NUMBER})\.\.({NUMBER})(:log)?")
MOST_VALUES = 100_000  # of one range; more is taken for a typing error


@dataclass(frozen=True)
class Axis:
    """One parameter of a sweep: its values as texts, or the interval they are drawn from.

    side:      "p" for the predictor, "w" for its walk-forward, "s" for the strategy.
    low, high: the ends of an interval, both included; NaN where there are `values`.
    log:       whether draws are uniform in the logarithm.
    whole:     whether an interval contains whole numbers only.
    """

    side: str
    name: str
    values: tuple[str, ...] = ()
    low: float = math.nan
    high: float = math.nan
    log: bool = False
    whole: bool = False

    @property
    def is_interval(self) -> bool:
        """Whether its values are drawn from an interval."""
        return not self.values

    @property
    def column(self) -> str:
        """Its column in the table of results, such as `p.window`."""
        return f"{self.side}.{self.name}"

    def at(self, u: float) -> str:
        """The value at a fraction u of the axis, 0 ≤ u < 1, as text.

        >>> Axis("p", "window", ("10", "20", "50")).at(0.5), Axis("p", "lr", (), 1e-4, 1e-2, log=True).at(0.5)
        ('20', '0.001')
        """
        if self.values:
            return self.values[min(int(u * len(self.values)), len(self.values) - 1)]
        # A whole number n stands for [n - 1/2, n + 1/2), so that both ends are as probable as the numbers between.
        low, high = (self.low - 0.5, self.high + 0.5) if self.whole else (self.low, self.high)
        value = low * (high / low) ** u if self.log else low + u * (high - low)
        if self.whole:
            return str(int(min(max(round(value), self.low), self.high)))
        return f"{value:.6g}"

    def corners(self) -> list[str]:
        """Its lowest and highest value; all values where they are not numbers."""
        if not self.values:
            return [self.at(0.0), self.at(1 - 1e-12)]
        numbers = [number_of(text) for text in self.values]
        if any(math.isnan(x) for x in numbers):
            return list(self.values)
        return [self.values[int(np.argmin(numbers))], self.values[int(np.argmax(numbers))]]


def axes_of(side: str, words: Sequence[str], cls: type, registry: Registry, owner: str) -> list[Axis]:
    """The axes of arguments NAME=VALUES; the values of a repeated name are joined.

    cls, registry: the class that has the parameters, and the registry that reads them; owner: its name in messages.

    Raises LookupError for a parameter that the class lacks, ValueError for values that cannot be parsed or have the
    wrong type.
    """
    texts_of: dict[str, list[str]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (name and equals and text):
            raise ValueError(f"expected NAME=VALUES, got {word!r}")
        texts_of.setdefault(name, []).append(text)
    known = registry.known(cls, texts_of, owner)
    return [_axis(side, name, texts, known[name].type, f"{owner}: {name}") for name, texts in texts_of.items()]


def _axis(side: str, name: str, texts: list[str], kind: object, label: str) -> Axis:
    """The axis of one parameter of type `kind`; label: its name in messages."""
    for text in texts:
        if match := INTERVAL.fullmatch(text):
            if len(texts) > 1:
                raise ValueError(f"{label}: an interval stands alone; got {' and '.join(texts)}")
            return _interval(side, name, match, kind, label)
    values = [value for text in texts for value in _expanded(text, label)]
    for value in values:
        parse(value, kind, label)
    repeated, count = Counter(values).most_common(1)[0]
    if count > 1:
        raise ValueError(f"{label}: {repeated} is given twice")
    return Axis(side, name, tuple(values))


def _expanded(text: str, label: str) -> list[str]:
    """The values of a range or a list.

    >>> _expanded("10:40:10", "window"), _expanded("0.1:0.3:0.1", "tolerance"), _expanded("1,2|3", "lags")
    (['10', '20', '30', '40'], ['0.1', '0.2', '0.3'], ['1,2', '3'])
    """
    match = RANGE.fullmatch(text)
    if not match:
        return text.split("|")
    start, stop, step = map(Decimal, match.groups())  # decimal: in binary, 3 · 0.1 is not 0.3
    if step == 0 or (stop - start) / step < 0:
        raise ValueError(f"{label}: {text} never gets from {start} to {stop}")
    count = int((stop - start) / step) + 1
    if count > MOST_VALUES:
        shown = f"{count:,}" if count < 10**15 else f"{Decimal(count):.3g}"
        raise ValueError(f"{label}: {text} has {shown} values; at most {MOST_VALUES:,}")
    return [format((start + k * step).normalize(), "f") for k in range(count)]


def _interval(side: str, name: str, match: re.Match[str], kind: object, label: str) -> Axis:
    low, high, log = float(match[1]), float(match[2]), bool(match[3])
    # The types a value may have: those of a union such as `int | None`, or the one.
    kinds = get_args(kind) if get_origin(kind) in (types.UnionType, typing.Union) else (kind,)
    whole = int in kinds
    if not whole and float not in kinds:
        raise ValueError(f"{label}: an interval needs a number; list the values as A|B")
    if not low < high:
        raise ValueError(f"{label}: {match[0]} is empty; the lower end comes first")
    if log and low <= 0:
        raise ValueError(f"{label}: a logarithmic interval must start above 0; got {match[0]}")
    if whole and (low != int(low) or high != int(high)):
        raise ValueError(f"{label} must be a whole number; got {match[0]}")
    return Axis(side, name, (), low, high, log, whole)


def number_of(text: str) -> float:
    """A value as a number; NaN for text that is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def constants(axes: Sequence[Axis], side: str) -> dict[str, str]:
    """The parameters of one side that have a single value, with it."""
    return {axis.name: axis.values[0] for axis in axes if axis.side == side and len(axis.values) == 1}
