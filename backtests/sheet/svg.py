"""Small charts as SVG paths: a frame with two scales and its marks; `macros.html` sets them, `style.css` colours them.

Notation: x, y a point in the values of the axes; u, v the same point in the chart's units, u to the right and v down.
Colours are the names of variables in `style.css`, so that a chart follows the page from light to dark.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .scales import Range, date_ticks, log_ticks, nice_ticks, number_ticks, padded_range, widen
from .words import number

WIDTH, WIDE = 420, 860  # units: at 390 pixels, a phone, a label of 12 is ten pixels high; the page is 860 wide
MOST_POINTS = 640  # of a line; more than the eye or the screen has


class Tick(NamedTuple):
    """A label and where it stands."""

    at: float
    text: str


@dataclass(frozen=True)
class Mark:
    """A path, its kind (line, area, bar, dot, rule), its colour, and the words shown where a pointer rests on it."""

    kind: str
    d: str
    colour: str = "accent"
    title: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart ready to be set.

    alt:     the same in words, for readers who do not see it.
    plot:    left, top, right and bottom of the frame, in units.
    legend:  (name, colour) of what is drawn.
    narrow:  what stands in its place on a phone.
    """

    id: str
    title: str
    reading: str
    alt: str
    width: float
    height: float
    plot: tuple[float, float, float, float]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    legend: tuple[tuple[str, str], ...] = ()
    x_title: str = ""
    narrow: Chart | None = None


@dataclass
class Plot:
    """A frame with its two linear scales, to which marks are added.

    x, y:     the range of each axis.
    x_ticks:  labels by value; y_format writes the values of the y axis, which are y_ticks where they are given.
    """

    x: Range
    y: Range
    x_ticks: Sequence[tuple[float, str]] = ()
    y_format: Callable[[float], str] = str
    width: float = WIDTH
    height: float = 190
    y_ticks: Sequence[float] = ()
    marks: list[Mark] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.x, self.y = widen(*self.x), widen(*self.y)
        self.y_ticks = list(self.y_ticks) or nice_ticks(*self.y)
        widest = max((len(self.y_format(v)) for v in self.y_ticks), default=0)
        self.left, self.right = 7.2 * widest + 8, self.width - 8
        self.top, self.bottom = 10, self.height - (24 if self.x_ticks else 8)

    def u(self, x: ArrayLike) -> np.ndarray:
        """The units to the right of values of x."""
        return self.left + (np.asarray(x, float) - self.x[0]) / (self.x[1] - self.x[0]) * (self.right - self.left)

    def v(self, y: ArrayLike) -> np.ndarray:
        """The units down of values of y, which are clipped to the frame."""
        low, high = self.y
        share = np.clip((np.asarray(y, float) - low) / (high - low), 0, 1)
        return self.bottom - share * (self.bottom - self.top)

    def line(self, x: ArrayLike, y: ArrayLike, colour: str = "accent", kind: str = "line") -> Self:
        """A line through the points, broken where y is NaN."""
        xs, ys = thin(np.asarray(x, float), np.asarray(y, float))
        return self._add(kind, _path(self.u(xs), self.v(ys), np.isfinite(ys)), colour)

    def curve(self, y: ArrayLike, colour: str = "accent", kind: str = "line") -> Self:
        """A line through a value for every bar."""
        return self.line(np.arange(len(np.asarray(y))), y, colour, kind)

    def band(self, x: np.ndarray, low: ArrayLike, high: ArrayLike, colour: str = "accent", kind: str = "area") -> Self:
        """The area between two lines over the same finite points."""
        u, known = self.u(x), np.ones(len(x), bool)
        there, back = _path(u, self.v(low), known), _path(u[::-1], self.v(high)[::-1], known)
        return self._add(kind, f"{there}L{back[1:]}Z", colour)

    def dots(self, x: ArrayLike, y: ArrayLike, titles: Sequence[str] = (), colour: str = "accent") -> Self:
        """A dot at each point, with its own words."""
        for i, (u, v) in enumerate(zip(self.u(x), self.v(y), strict=True)):
            if math.isfinite(u) and math.isfinite(v):
                self._add("dot", f"M{u:.1f} {v:.1f}h0", colour, titles[i] if titles else "")
        return self

    def whiskers(self, x: ArrayLike, low: ArrayLike, high: ArrayLike, colour: str = "accent") -> Self:
        """A vertical line from low to high at each x."""
        spans = zip(self.u(x), self.v(low), self.v(high), strict=True)
        d = (f"M{u:.1f} {a:.1f}V{b:.1f}" for u, a, b in spans if math.isfinite(a) and math.isfinite(b))
        return self._add("whisker", "".join(d), colour)

    def bars(self, edges: ArrayLike, heights: ArrayLike, colour: str = "accent") -> Self:
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

    def chart(
        self, id: str, title: str, reading: str, alt: str, x_title: str = "", legend: Sequence[tuple[str, str]] = ()
    ) -> Chart:
        """The chart as it stands, with the words around it."""
        x_ticks = tuple(Tick(round(float(self.u(at)), 1), text) for at, text in self.x_ticks)
        y_ticks = tuple(Tick(round(float(self.v(at)), 1), self.y_format(at)) for at in self.y_ticks)
        frame, size = (round(self.left, 1), self.top, self.right, self.bottom), (self.width, self.height)
        return Chart(id, title, reading, alt, *size, frame, x_ticks, y_ticks, tuple(self.marks), tuple(legend), x_title)

    def _add(self, kind: str, d: str, colour: str, title: str = "") -> Self:
        self.marks += [Mark(kind, d, colour, title)] if d else []
        return self


def dated_plot(
    index: pd.Index, y: Range, y_format: Callable[[float], str], width: float = WIDTH, height: float = 190,
    y_ticks: Sequence[float] = (), most: int = 6,
) -> Plot:  # fmt: skip
    """A plot over the bars of an index: x is the number of a bar, and at most `most` labels stand at round dates."""
    dates = pd.DatetimeIndex(index)
    return Plot((0, max(len(dates) - 1, 1)), y, date_ticks(dates, most), y_format, width, height, y_ticks)


def growth_plot(index: pd.Index, y: Range, width: float, height: float, digits: int) -> Plot:
    """A plot over bars of the common logarithm of growth since the first, whose labels are multiples of the start."""
    height, most = (height, 6) if width > WIDTH else (220, 4)
    return dated_plot(index, y, lambda v: f"{number(10**v, digits)} ×", width, height, log_ticks(*y), most)


def histogram(
    values: np.ndarray, references: Sequence[float | None], bins: int, digits: int, most: int = 6,
    width: float = WIDTH, height: float = 190,
) -> Plot:  # fmt: skip
    """A plot of how many of the values lie in each of so many bins, whose range includes the references."""
    x = padded_range(values, np.array(references, float))
    counts, edges = np.histogram(values, bins=bins, range=x)
    y = (0, max(float(counts.max()) * 1.08, 1))
    plot = Plot(x, y, number_ticks(*x, digits, most), lambda count: number(count, 0), width, height)
    return plot.bars(edges, counts, "muted")


def wide_chart(draw: Callable[..., Chart], *values: object) -> Chart:
    """The chart `draw(*values, width)` as wide as the page, and drawn anew for a phone, so that no label shrinks."""
    narrow = draw(*values, WIDTH)
    return replace(draw(*values, WIDE), narrow=replace(narrow, id=f"{narrow.id}-narrow"))


def thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """No more than MOST_POINTS points: of each stretch the lowest and the highest, so that no spike is lost."""
    if len(x) <= MOST_POINTS:
        return x, y
    edges = np.linspace(0, len(x), MOST_POINTS // 2 + 1).astype(int)
    places: set[int] = {0, len(x) - 1}
    for a, b in itertools.pairwise(edges):
        stretch = y[a:b]
        if np.isfinite(stretch).any():
            places |= {a + int(np.nanargmin(stretch)), a + int(np.nanargmax(stretch))}
        if not np.isfinite(stretch).all():
            places.add(a + int(np.argmin(np.isfinite(stretch))))  # a gap stays a gap
    order = sorted(places)
    return x[order], y[order]


def _path(u: np.ndarray, v: np.ndarray, known: np.ndarray) -> str:
    """`M…L…` through the known points, beginning anew after each gap."""
    begins = known & ~np.r_[False, known[:-1]]
    points = zip(u[known], v[known], begins[known], strict=True)
    return "".join(f"{'M' if first else 'L'}{a:.1f} {b:.1f}" for a, b, first in points)
