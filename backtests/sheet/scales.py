"""The scales of a chart: which range of values an axis spans, and at which round values it has labels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .values import finite
from .words import number

Range = tuple[float, float]  # the lowest and the highest value of an axis
Labels = list[tuple[float, str]]  # positions on an axis and the text at each

# Frequency of the labels as pandas names it, their form as strftime takes it, and the length of a history in days
# beyond which labels of that form repeat or do not say which year or day they mean.
_CALENDAR = [
    *((f"{years}YS", "%Y", 100_000) for years in (20, 10, 5, 4, 2, 1)),
    *((f"{months}MS", "%b %y", 100_000) for months in (6, 3, 2, 1)),
    *((days, "%d %b", 300) for days in ("2W-MON", "W-MON", "2D", "D")),
    *((hours, "%H:%M", 1) for hours in ("6h", "3h", "h")),
]


def padded_range(*series: ArrayLike, zero: bool = False) -> Range:
    """The range of all finite values with 6 % of room at both ends; (0, 1) where there is none.

    zero: includes zero, and leaves no room beyond it where it is the lowest or the highest value.
    """
    values = finite(np.concatenate([np.ravel(np.asarray(s, float)) for s in (*series, [0.0] if zero else [])]))
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    room = 0.06 * (high - low)
    return low - room * (not zero or low != 0), high + room * (not zero or high != 0)


def widen(low: float, high: float) -> Range:
    """The range itself, or one around its value where it has no length, since a scale divides by the length."""
    if high - low > 1e-12 * max(abs(low), abs(high), 1e-9):
        return low, high
    room = abs(low) / 10 if abs(low) > 1e-9 else 1.0
    return low - room, high + room


def nice_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values from low to high, one, two or five times a power of ten apart.

    >>> nice_ticks(0.0, 1.1)
    [0.0, 0.5, 1.0]
    """
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) + 0.0 for k in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Logarithms of round values between 10^low and 10^high: 1, 2 or 5 times powers of ten, or evenly spaced.

    >>> [round(10**tick) for tick in log_ticks(1.2, 2.8)]
    [20, 50, 100, 200, 500]
    """
    values = [m * 10.0**k for k in range(math.floor(low), math.ceil(high) + 1) for m in (1, 2, 5)]
    inside = [v for v in values if low <= math.log10(v) <= high]
    if len(inside) < 3:
        inside = [v for v in nice_ticks(10**low, 10**high, 4) if v > 0]
    return [math.log10(v) for v in inside[:: 1 + len(inside) // 8]]


def date_ticks(index: pd.DatetimeIndex, most: int = 6) -> Labels:
    """Labels by bar number at round dates: the finest of years to hours that needs no more than `most`."""
    first, last = index[0], index[-1]
    form = "%Y-%m-%d" if first.date() < last.date() else "%H:%M"
    labels = {float(i): f"{index[i]:{form}}" for i in (0, len(index) - 1)}
    for frequency, form, longest in _CALENDAR:
        if (last - first).days > longest:
            break
        dates = pd.date_range(first.normalize(), last, freq=frequency)
        dates = dates[dates >= first]
        # A date without a bar stands at the next bar; of several that would stand at the same one, the last.
        finer = {float(at): f"{date:{form}}" for at, date in zip(index.searchsorted(dates), dates, strict=True)}
        if len(finer) > most:
            break
        if len(finer) >= 2 and len(set(finer.values())) == len(finer):
            labels = finer
    return list(labels.items())


def number_ticks(low: float, high: float, digits: int = 0, most: int = 6) -> Labels:
    """Labels at round numbers."""
    return [(at, number(at, digits)) for at in nice_ticks(*widen(low, high), most)]


def tick_format(low: float, high: float) -> Callable[[float], str]:
    """Writes the values of an axis with as many decimals as tell its ticks apart."""
    ticks = nice_ticks(*widen(low, high))
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    digits = max(0, -int(np.floor(np.log10(step))))
    return lambda value: number(value, digits)
