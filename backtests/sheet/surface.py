"""The Sharpe ratio over the parameters of a sweep: a line for one parameter, a heat map for each pair of several.

Drawn from the variants of a judgement: the points of a sweep with their seeds taken together. Sharpe ratios are a year.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..sweep.axes import Axis
from ..sweep.result import SweepResult
from .scales import number_ticks, padded_range
from .svg import Chart, Plot
from .words import number

MOST_LEVELS = 24  # of an axis of a heat map; more are gathered in bins
MOST_MAPS = 6
MOST_NEIGHBOURS = 60  # marked by a dot


@dataclass(frozen=True)
class Cell:
    """A field of a heat map: its path, the opacity of its colour from 0 to 1, and its words."""

    d: str
    strength: float
    title: str
    best: bool


@dataclass(frozen=True)
class HeatMap:
    """A chart without marks, and the cells that lie on it."""

    chart: Chart
    cells: tuple[Cell, ...]


def surfaces(result: SweepResult) -> list[Chart | HeatMap]:
    """Of one axis a line; of several, a heat map for each pair, of means over all others."""
    axes = result.sweep.axes
    if len(axes) == 1:
        return [_line(result, axes[0])]
    pairs = itertools.combinations(range(len(axes)), 2)
    return [_heat_map(result, i, j) for i, j in itertools.islice(pairs, MOST_MAPS)]


def _line(result: SweepResult, axis: Axis) -> Chart:
    """The Sharpe ratio of every variant over the value of the one axis; the winner and its neighbours as dots."""
    variants, winner = result.judgement.variants, result.judgement.winner
    values = result.judgement.coordinates(axis.column)
    places, levels = _levels(values, most=len(values))
    numeric = values.dtype.kind == "f"
    x, y = values if numeric else places.astype(float), variants["sharpe"].to_numpy()
    ticks = number_ticks(float(x.min()), float(x.max()), 0 if np.ptp(x) >= 5 else 3)
    plot = Plot(padded_range(x), padded_range(y), ticks if numeric else list(enumerate(levels)),
                lambda v: number(v, 2), height=240)  # fmt: skip
    order = np.argsort(x, kind="stable")
    plot.rule(y=float(np.nanmedian(y))).line(x[order], y[order])
    neighbours = list(result.judgement.plateau.neighbours)
    if len(neighbours) <= MOST_NEIGHBOURS:
        plot.dots(x[neighbours], y[neighbours], colour="hold")
    plot.dots([x[winner]], [y[winner]], [f"{axis.name}={variants[axis.column].iloc[winner]}"], "bad")
    reading = "Red the winner, the dashed line the median. A broad hill is an idea, a spike is luck."
    return plot.chart("surface-line", f"Sharpe ratio over {axis.name}", reading, reading, axis.name)


def _heat_map(result: SweepResult, i: int, j: int) -> HeatMap:
    """The mean Sharpe ratio over axes i (across) and j (up)."""
    variants, axes, winner = result.judgement.variants, result.sweep.axes, result.judgement.winner
    (columns, x_names), (rows, y_names) = (_levels(result.judgement.coordinates(axes[k].column)) for k in (i, j))
    table = pd.DataFrame({"x": columns, "y": rows, "sharpe": variants["sharpe"]}).groupby(["x", "y"])["sharpe"]
    means, counts = table.mean(), table.count()
    low, high = (float(means.min()), float(means.max())) if means.notna().any() else (0.0, 1.0)
    plot = Plot(
        (-0.5, len(x_names) - 0.5),
        (-0.5, len(y_names) - 0.5),
        [(k, x_names[k]) for k in range(0, len(x_names), 1 + len(x_names) // 8)],
        lambda value: y_names[int(value)],
        height=max(160.0, min(420.0, 60 + 22 * len(y_names))),
        y_ticks=[float(k) for k in range(0, len(y_names), 1 + len(y_names) // 12)],
    )
    cells = []
    for (x, y), mean in means.dropna().items():
        several = f", mean of {counts[x, y]}" if counts[x, y] > 1 else ""
        words = f"{axes[i].name} {x_names[x]}, {axes[j].name} {y_names[y]}: {number(mean, 3)}{several}"
        share = (mean - low) / (high - low) if high > low else 0.5
        best = (x, y) == (columns[winner], rows[winner])
        cells.append(Cell(_square(plot, x, y), round(0.06 + 0.94 * float(share), 3), words, best))
    chart = plot.chart(
        f"map-{i}-{j}",
        f"Sharpe ratio over {axes[i].name} and {axes[j].name}",
        f"From {number(low)}, pale, to {number(high)}, full. The frame marks the winner."
        + (" A field is the mean over all other parameters." if len(axes) > 2 else ""),
        f"Highest mean {number(high)}, lowest {number(low)}",
        f"{axes[i].name} across, {axes[j].name} up",
    )
    return HeatMap(chart, tuple(cells))


def _square(plot: Plot, x: int, y: int) -> str:
    """The path around the field one unit wide and high about a point."""
    left, right = (round(float(u), 1) for u in plot.u([x - 0.5, x + 0.5]))
    bottom, top = (round(float(v), 1) for v in plot.v([y - 0.5, y + 0.5]))
    return f"M{left} {bottom}V{top}H{right}V{bottom}Z"


def _levels(values: np.ndarray, most: int = MOST_LEVELS) -> tuple[np.ndarray, list[str]]:
    """The place of each value among all, and the names of the places: bins where there are more than `most`."""
    unique, place = np.unique(values, return_inverse=True)
    if len(unique) <= most:
        return place, [f"{value:g}" if values.dtype.kind == "f" else str(value) for value in unique]
    place = place * most // len(unique)
    bins = [values[place == k] for k in range(most)]
    if values.dtype.kind == "f":
        return place, [f"{values.min():.3g}–{values.max():.3g}" for values in bins]
    return place, [f"{min(values)}–{max(values)}" for values in bins]
