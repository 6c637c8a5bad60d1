"""The Sharpe ratio over the parameters of a sweep: a line for one parameter, a heat map for each two."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rollcast.backtests.sheet.svg import Chart, Plot, number_ticks, spanned
from rollcast.backtests.sheet.words import number
from rollcast.backtests.sweep.judgement import coordinates_of
from rollcast.backtests.sweep.result import SweepResult

MOST_LEVELS = 24  # of an axis of a heat map; more are gathered in bins
MOST_MAPS = 6


@dataclass(frozen=True)
class Cell:
    """A field of a heat map: its path, how strongly it is coloured, and its words."""

    d: str
    strength: float
    title: str
    best: bool


@dataclass(frozen=True)
class HeatMap:
    """A chart without marks, the cells that lie on it, and what is down its side."""

    chart: Chart
    cells: tuple[Cell, ...]
    y_title: str


def surfaces(swept: SweepResult) -> list[Chart | HeatMap]:
    """Of one axis a line; of several, a heat map each pair, the means over all others."""
    axes = swept.sweep.axes
    if len(axes) == 1:
        return [_line(swept)]
    pairs = list(itertools.combinations(range(len(axes)), 2))[:MOST_MAPS]
    return [_map(swept, i, j) for i, j in pairs]


def _line(swept: SweepResult) -> Chart:
    variants, (axis,) = swept.judgement.variants, swept.sweep.axes
    places, names = _levels(variants[axis.column], most=10**9)
    numeric = coordinates_of(variants[axis.column])
    x = numeric if numeric.dtype.kind == "f" else places.astype(float)
    order = np.argsort(x, kind="stable")
    y = variants["sharpe"].to_numpy()
    ticks = number_ticks(float(x.min()), float(x.max()), 0 if np.ptp(x) >= 5 else 3)
    plot = Plot(
        spanned(x), spanned(y), ticks if numeric.dtype.kind == "f" else list(enumerate(names)), lambda v: number(v, 2),
        height=240,
    )  # fmt: skip
    w = swept.judgement.winner
    near = list(swept.judgement.plateau.neighbours)
    plot.rule(y=float(np.nanmedian(y))).line(x[order], y[order])
    if len(near) <= 60:
        plot.dots(x[near], y[near], colour="hold")
    plot.dots([x[w]], [y[w]], [f"{axis.name}={variants[axis.column].iloc[w]}"], "bad")
    reading = "Red the winner, the dashed line the median. A broad hill is an idea, a spike is luck."
    return plot.chart("surface-line", f"Sharpe ratio over {axis.name}", reading, reading, x_title=axis.name)


def _map(swept: SweepResult, i: int, j: int) -> HeatMap:
    """The mean Sharpe ratio over axes i (across) and j (up)."""
    variants, axes = swept.judgement.variants, swept.sweep.axes
    (across, x_names), (up, y_names) = (_levels(variants[axes[k].column]) for k in (i, j))
    table = pd.DataFrame({"x": across, "y": up, "sharpe": variants["sharpe"]}).groupby(["x", "y"])["sharpe"]
    means, counts = table.mean(), table.count()
    low, high = (float(means.min()), float(means.max())) if means.notna().any() else (0.0, 1.0)
    best = (across[swept.judgement.winner], up[swept.judgement.winner])
    plot = Plot(
        (-0.5, len(x_names) - 0.5),
        (-0.5, len(y_names) - 0.5),
        [(k, x_names[k]) for k in range(0, len(x_names), 1 + len(x_names) // 8)],
        lambda value: y_names[int(value)],
        height=max(160.0, min(420.0, 60 + 22 * len(y_names))),
        y_ticks=[float(k) for k in range(0, len(y_names), 1 + len(y_names) // 12)],
    )
    cells = []
    for (x, y), mean in means.items():
        if mean == mean:
            left, right = (round(float(u), 1) for u in plot.u([x - 0.5, x + 0.5]))
            bottom, top = (round(float(v), 1) for v in plot.v([y - 0.5, y + 0.5]))
            several = f", mean of {counts[x, y]}" if counts[x, y] > 1 else ""
            words = f"{axes[i].name} {x_names[x]}, {axes[j].name} {y_names[y]}: {number(mean, 3)}{several}"
            strength = (mean - low) / (high - low) if high > low else 0.5
            d = f"M{left} {bottom}V{top}H{right}V{bottom}Z"
            cells.append(Cell(d, round(0.06 + 0.94 * float(strength), 3), words, (x, y) == best))
    chart = plot.chart(
        f"map-{i}-{j}",
        f"Sharpe ratio over {axes[i].name} and {axes[j].name}",
        f"From {number(low)}, pale, to {number(high)}, full. The frame marks the winner."
        + (" A field is the mean over all other parameters." if len(axes) > 2 else ""),
        f"Highest mean {number(high)}, lowest {number(low)}",
        x_title=f"{axes[i].name} across, {axes[j].name} up",
    )
    return HeatMap(chart, tuple(cells), axes[j].name)


def _levels(texts: pd.Series, most: int = MOST_LEVELS) -> tuple[np.ndarray, list[str]]:
    """The place of each value among all, and the names of the places: bins where there are more than `most`."""
    values = coordinates_of(texts)
    unique, place = np.unique(values, return_inverse=True)
    if len(unique) <= most:
        return place, [f"{value:g}" if values.dtype.kind == "f" else str(value) for value in unique]
    place = place * most // len(unique)
    ends = [values[place == k] for k in range(most)]
    if values.dtype.kind == "f":
        return place, [f"{end.min():.3g}–{end.max():.3g}" for end in ends]
    return place, [f"{min(end)}–{max(end)}" for end in ends]
