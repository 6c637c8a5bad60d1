"""Small charts as SVG paths: the scale, the ticks and the marks; `macros.html` sets them, `style.css` colours them.

Notation: u, v a point in the chart's units. Colours are the names of variables in `style.css`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd

from rollcast.backtests.sheet.words import number

WIDTH = 420  # units: at 390 pixels a label of 12 is ten pixels high
MOST_POINTS = 640  # of a line; more than the eye or the screen has


class Tick(NamedTuple):
    """A label and where it stands."""

    at: float
    text: str


@dataclass(frozen=True)
class Mark:
    """A path, how it is drawn (line, area, bar, dot, rule), its colour, and the words shown where a pointer rests."""

    kind: str
    d: str
    colour: str = "accent"
    title: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart ready to be set. alt: what it shows, in words, for those who do not see it."""

    id: str
    title: str
    reading: str
    alt: str
    width: float
    height: float
    plot: tuple[float, float, float, float]  # left, top, right, bottom
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    legend: tuple[tuple[str, str], ...] = ()  # (name, colour)
    x_title: str = ""
    narrow: Chart | None = None  # what stands in its place on a phone


@dataclass
class Plot:
    """A frame with its two linear scales, to which marks are added.

    x, y: (lowest, highest) value shown; x_ticks: labels by value; `written` writes the values of the y axis, which are
    y_ticks if given.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    x_ticks: Sequence[tuple[float, str]] = ()
    written: Callable[[float], str] = str
    width: float = WIDTH
    height: float = 190
    y_ticks: Sequence[float] = ()
    marks: list[Mark] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.y = _widened(*self.y)
        self.x = _widened(*self.x)
        self._values = list(self.y_ticks) or nice_ticks(*self.y)
        widest = max((len(self.written(v)) for v in self._values), default=0)
        self.left, self.right = 7.2 * widest + 8, self.width - 8
        self.top, self.bottom = 10, self.height - (24 if self.x_ticks else 8)

    def u(self, x: Any) -> Any:
        """Across, of values of x."""
        return self.left + (np.asarray(x, float) - self.x[0]) / (self.x[1] - self.x[0]) * (self.right - self.left)

    def v(self, y: Any) -> Any:
        """Down, of values of y; kept within the frame."""
        low, high = self.y
        share = np.clip((np.asarray(y, float) - low) / (high - low), 0, 1)
        return self.bottom - share * (self.bottom - self.top)

    def line(self, x: Any, y: Any, colour: str = "accent", kind: str = "line") -> Self:
        """A line through the points, broken where y is NaN."""
        xs, ys = thinned(np.asarray(x, float), np.asarray(y, float))
        return self._add(kind, _path(self.u(xs), self.v(ys), np.isfinite(ys)), colour)

    def band(self, x: Any, low: Any, high: Any, colour: str = "accent") -> Self:
        """The area between two lines over the same finite points."""
        u, known = self.u(x), np.ones(len(x), bool)
        there, back = _path(u, self.v(low), known), _path(u[::-1], self.v(high)[::-1], known)
        return self._add("area", f"{there}L{back[1:]}Z", colour)

    def dots(self, x: Any, y: Any, titles: Sequence[str] = (), colour: str = "accent") -> Self:
        """A dot at each point, with its own words."""
        for i, (u, v) in enumerate(zip(np.atleast_1d(self.u(x)), np.atleast_1d(self.v(y)), strict=True)):
            if math.isfinite(u) and math.isfinite(v):
                self._add("dot", f"M{u:.1f} {v:.1f}h0", colour, titles[i] if titles else "")
        return self

    def whiskers(self, x: Any, low: Any, high: Any, colour: str = "accent") -> Self:
        """A vertical line from low to high at each x."""
        spans = zip(self.u(x), self.v(low), self.v(high), strict=True)
        d = (f"M{u:.1f} {a:.1f}V{b:.1f}" for u, a, b in spans if math.isfinite(a) and math.isfinite(b))
        return self._add("whisker", "".join(d), colour)

    def bars(self, edges: Any, heights: Any, colour: str = "accent") -> Self:
        """Bars from zero between neighbouring edges."""
        u, v, floor = self.u(edges), self.v(heights), float(self.v(0))
        d = "".join(
            f"M{a + 0.5:.1f} {floor:.1f}V{top:.1f}H{b - 0.5:.1f}V{floor:.1f}Z"
            for a, b, top in zip(u[:-1], u[1:], v, strict=True)
        )
        return self._add("bar", d, colour)

    def rule(self, *, x: float | None = None, y: float | None = None, colour: str = "muted") -> Self:
        """A line across at y, or down at x, where that is a number within the frame."""
        if y is not None and self.y[0] <= y <= self.y[1]:
            self._add("rule", f"M{self.left:.1f} {float(self.v(y)):.1f}H{self.right:.1f}", colour)
        if x is not None and self.x[0] <= x <= self.x[1]:
            self._add("rule", f"M{float(self.u(x)):.1f} {self.top}V{self.bottom}", colour)
        return self

    def chart(self, id: str, title: str, reading: str, alt: str, **more: Any) -> Chart:
        """The finished chart."""
        x_ticks = tuple(Tick(round(float(self.u(at)), 1), text) for at, text in self.x_ticks)
        y_ticks = tuple(Tick(round(float(self.v(at)), 1), self.written(at)) for at in self._values)
        frame = (round(self.left, 1), self.top, self.right, self.bottom)
        return Chart(
            id, title, reading, alt, self.width, self.height, frame, x_ticks, y_ticks, tuple(self.marks), **more
        )

    def _add(self, *mark: str) -> Self:
        self.marks += [Mark(*mark)] if mark[1] else []
        return self


def wide(draw: Callable[[float], Chart]) -> Chart:
    """A chart as wide as the page, and once more in the common width for a phone, where its labels would shrink."""
    small = draw(WIDTH)
    return replace(draw(860), narrow=replace(small, id=f"{small.id}-narrow"))


def spanned(*series: Any, zero: bool = False) -> tuple[float, float]:
    """The least and the greatest finite value of all, with a little room; (0, 1) where there is none."""
    values = np.concatenate([np.ravel(np.asarray(each, float)) for each in (*series, [0.0] if zero else [])])
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    room = 0.06 * (high - low)
    return low - room * (not zero or low != 0), high + room * (not zero or high != 0)


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


def date_ticks(index: pd.DatetimeIndex, most: int = 6) -> list[tuple[float, str]]:
    """Labels by bar number at round dates: the finest of years to hours that needs no more than `most`."""
    first, last = index[0], index[-1]
    written = "%Y-%m-%d" if first.date() < last.date() else "%H:%M"
    best = {float(i): f"{index[i]:{written}}" for i in (0, len(index) - 1)}
    for every, written, longest in _CALENDAR:
        if (last - first).days > longest:
            break
        dates = pd.date_range(first.normalize(), last, freq=every)
        dates = dates[dates >= first]
        # Of dates without a bar before the next one that has, the last.
        found = {float(at): f"{date:{written}}" for at, date in zip(index.searchsorted(dates), dates, strict=True)}
        if len(found) > most:
            break
        if len(found) >= 2 and len(set(found.values())) == len(found):
            best = found
    return list(best.items())


# Distance of the labels, how they are written, and the days beyond which that is not clear.
_CALENDAR = [
    *((f"{years}YS", "%Y", 100_000) for years in (20, 10, 5, 4, 2, 1)),
    *((f"{months}MS", "%b %y", 100_000) for months in (6, 3, 2, 1)),
    *((days, "%d %b", 300) for days in ("2W-MON", "W-MON", "2D", "D")),
    *((hours, "%H:%M", 1) for hours in ("6h", "3h", "h")),
]


def number_ticks(low: float, high: float, digits: int = 0, most: int = 6) -> list[tuple[float, str]]:
    """Labels at round numbers."""
    return [(at, number(at, digits)) for at in nice_ticks(*_widened(low, high), most)]


def thinned(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """No more than MOST_POINTS points: of each stretch the lowest and the highest, so that no spike is lost."""
    if len(x) <= MOST_POINTS:
        return x, y
    edges = np.linspace(0, len(x), MOST_POINTS // 2 + 1).astype(int)
    keep: set[int] = {0, len(x) - 1}
    for a, b in itertools.pairwise(edges):
        part = y[a:b]
        if np.isfinite(part).any():
            keep |= {a + int(np.nanargmin(part)), a + int(np.nanargmax(part))}
        if not np.isfinite(part).all():
            keep.add(a + int(np.argmin(np.isfinite(part))))  # keeps the line broken
    order = sorted(keep)
    return x[order], y[order]


def _widened(low: float, high: float) -> tuple[float, float]:
    if high - low > 1e-12 * max(abs(low), abs(high), 1e-9):
        return low, high
    room = abs(low) / 10 if abs(low) > 1e-9 else 1.0
    return low - room, high + room


def _path(u: np.ndarray, v: np.ndarray, there: np.ndarray) -> str:
    """`M…L…` through the points that are there, beginning anew after each gap."""
    began = there & ~np.r_[False, there[:-1]]
    points = zip(u[there], v[there], began[there], strict=True)
    return "".join(f"{'M' if first else 'L'}{a:.1f} {b:.1f}" for a, b, first in points)
