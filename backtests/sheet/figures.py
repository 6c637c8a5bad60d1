"""How quantstats' charts look: one style for all, the touches each gets before it is saved, and the page's colours."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:  # matplotlib is loaded when the first report is drawn
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# seaborn's darkgrid at quantstats' size, written out because seaborn.set_theme() would leave its mark on the session.
STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": "none",
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelsize": 12,
    "axes.linewidth": 1.25,
    "axes.titlesize": 12,
    "figure.facecolor": "none",
    "font.family": "DejaVu Sans",  # ships with matplotlib, so the layout is the same on every machine
    "font.size": 12,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "legend.fontsize": 12,
    "legend.loc": "upper left",  # "best" compares every point of every line with every corner
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "white",
    "patch.force_edgecolor": True,
    "path.simplify_threshold": 0.5,  # half a point of a 576-point chart: the eye sees no difference
    "svg.fonttype": "none",  # text, not outlines: sharp, selectable, right-to-left, and a third smaller
    "svg.hashsalt": "rollcast",
    "text.color": "#333333",
    "text.parse_math": False,  # a $ in a name is a dollar
    "xtick.bottom": False,
    "xtick.color": "#666666",
    "xtick.labelsize": 12,
    "ytick.color": "#666666",
    "ytick.labelsize": 12,
    "ytick.left": False,
}

# What quantstats draws in → the variable of style.css that has it in light and in dark.
_COLOURS = {
    "#348dc1": "--accent",
    "#fedd78": "--hold",
    "#ba516b": "--third",
    "#4fa487": "--fourth",
    "#9b59b6": "--fifth",
    # Boxes, which seaborn draws a little greyer and quantstats in five colours, though all are the strategy's.
    **dict.fromkeys(("#4688af", "#edd589", "#ad5e72", "#5a9984", "#9665aa"), "--accent"),
    "#494949": "--muted",
    "#ff0000": "--bad",
    "#000000": "--ink",
    "#333333": "--ink",
    "#666666": "--muted",
    "#808080": "--muted",
    "#dddddd": "--line",
    "#ffffff": "--ground",
}
_COLOUR = re.compile("|".join(_COLOURS))
_SHARED = re.compile(r' (?:style|clip-path)="[^"]*"')
MOST_POINTS = 8_000  # of an area's outline or a crowd of dots, which matplotlib draws whole
WIDTH = 5.8  # inches, 418 points: at 390 pixels the labels are still ten pixels high


def apply_theme(svg: str, name: str) -> str:
    """A chart as SVG in the page's colours, without what only a file of its own needs; its ids begin with `name`.

    Several charts stand in one page, so an id must be the chart's own; those nothing refers to are removed.
    """
    svg = svg[svg.index("<svg ") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    needed = set(re.findall(r'(?:xlink:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]+)"', lambda match: f' id="{name}-{match[1]}"' if match[1] in needed else "", svg)
    svg = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{name}-", svg)
    return _COLOUR.sub(lambda match: f"var({_COLOURS[match[0]]})", _light(svg))


def _light(svg: str) -> str:
    """The same picture with a tenth of a point for six decimals, and no dot drawn upon itself."""
    svg = re.sub(r"(?<= d=)\"[^\"]*\"", lambda match: re.sub(r"\s*([MLCQZ\"])\s*", r"\1", _short(match[0])), svg)
    svg = re.sub(r"<use [^>]*/>", lambda match: _short(match[0]), re.sub(r"\n\s*", "\n", svg))
    return re.sub(r"<use .*/>(\n<use .*/>)*", lambda match: _dots(match[0].splitlines()), svg)


def _short(numbers: str) -> str:
    return re.sub(r"-?\d+\.\d+", lambda match: f"{float(match[0]):.1f}".removesuffix(".0"), numbers)


def _dots(uses: list[str]) -> str:
    """Dots that follow one another: each place once, and what they share said once."""
    groups = itertools.groupby(dict.fromkeys(uses), _SHARED.findall)
    return "\n".join(
        f"<g{''.join(shared)}>{''.join(_SHARED.sub('', use) for use in same)}</g>" for shared, same in groups
    )


def tidy_and_save(fname: str | Path | BinaryIO, **_: object) -> None:
    """Stands in for pyplot.savefig: tidies the current figure and draws it once, as SVG without a date."""
    import matplotlib.pyplot as plt
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    figure = plt.gcf()
    axes = figure.axes[0]
    rolling = figure.get_suptitle().startswith("Rolling")
    figure.suptitle("")  # the page has its titles in HTML
    figure.set_size_inches(WIDTH, 0.8 * figure.get_figheight())
    for patch in (figure.patch, axes.patch):
        patch.set_visible(False)
    _percent_labels(axes)
    if axes.get_yscale() == "symlog":
        _logarithmic(axes)
    _few_ticks(axes)
    _bars_of_any_size(axes)
    _ticks_for_data(axes)
    _margins(figure, axes)
    _room_for_legend(axes)
    _margins(figure, axes)  # again, since with the legend's room the axis may have other labels
    if rolling:
        _message_if_empty(axes)
    _thin(axes)
    FigureCanvasSVG(figure).print_svg(fname, metadata={"Date": None, "Creator": None})


def _margins(figure: Figure, axes: Axes) -> None:
    """Room for the labels by their number of characters: a third of tight_layout's time, which draws them first."""
    width, height = 72 * figure.get_size_inches()
    level = all(not text.get_rotation() for text in axes.get_xticklabels())
    figure.subplots_adjust(right=1 - 6 / width, top=1 - 4 / height, bottom=(26 if level else 46) / height)
    for _ in range(2):  # a narrower frame may have other labels
        labels = axes.yaxis.get_major_formatter().format_ticks(list(axes.get_yticks()))
        figure.subplots_adjust(left=(10 + 7.7 * max(map(len, labels), default=0)) / width)


def _few_ticks(axes: Axes) -> None:
    """As many dates as have room; few labels stand level."""
    from matplotlib.dates import AutoDateFormatter, AutoDateLocator, DateConverter

    if isinstance(axes.xaxis.get_converter(), DateConverter) or isinstance(
        axes.xaxis.get_major_locator(), AutoDateLocator
    ):
        locator = AutoDateLocator(minticks=2, maxticks=6)  # with 3, two and a half years have no interval
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(AutoDateFormatter(locator))
    for text in axes.get_xticklabels() if len(axes.get_xticks()) <= 8 else ():
        text.set(rotation=0, ha="center")


def _bars_of_any_size(axes: Axes) -> None:
    """quantstats calls every bar a day."""
    names = [text.get_text() for text in axes.get_xticklabels()]
    if names[:1] == ["Daily"]:
        axes.set_xticks(axes.get_xticks(), ["Bar", *names[1:]], rotation=0, ha="center")


def _percent_labels(axes: Axes) -> None:
    """Percentages as they are: quantstats truncates 4.99 to 4 % and writes 1,250 % as 1.2K%."""
    from matplotlib.ticker import FuncFormatter

    for axis in (axes.xaxis, axes.yaxis):
        function = getattr(axis.get_major_formatter(), "func", None)
        if getattr(function, "__module__", "").startswith("quantstats"):
            axis.set_major_formatter(FuncFormatter(lambda value, _: _percent(value)))


def _percent(value: float) -> str:
    """A fraction in percent, with as many decimals as it has."""
    return f"{round(100 * value, 6) + 0.0:,g}%"  # + 0.0: no negative zero


def _logarithmic(axes: Axes) -> None:
    """Growth on a logarithmic axis, labelled with the return; quantstats' "log" axis is linear up to 200 %."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    for line in axes.lines:
        line.set_ydata(np.asarray(line.get_ydata(), dtype=float) + 1)
    axes.relim()
    axes.set_yscale("log")
    axes.autoscale_view()
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if high > 5 * low else MaxNLocator(6))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda growth, _: _percent(growth - 1)))


def _ticks_for_data(axes: Axes) -> None:
    """quantstats fixes the ticks of the rolling beta from -1 to 0.5, wherever the beta lies."""
    from matplotlib.ticker import AutoLocator, FixedLocator

    varies = axes.dataLim.height > 1e-9
    if isinstance(axes.yaxis.get_major_locator(), FixedLocator) and not axes.collections and varies:
        axes.yaxis.set_major_locator(AutoLocator())
        axes.autoscale_view(scalex=False)


def _room_for_legend(axes: Any) -> None:
    """One row above the data, instead of a box over it."""
    legend = axes.get_legend()
    if legend is None:
        return
    names = [text.get_text() for text in legend.get_texts()]
    axes.legend(legend.legend_handles, names, ncols=2, frameon=False)
    points = axes.get_window_extent().height * 72 / axes.figure.dpi
    top = axes.transAxes.transform((0, 1 + 30 / points))
    axes.set_ylim(top=axes.transData.inverted().transform(top)[1])


def _message_if_empty(axes: Axes) -> None:
    """A sentence where no curve is defined; quantstats draws a rolling beta of 0."""
    curves = [np.asarray(line.get_ydata(), float) for line in axes.lines if line.get_transform() == axes.transData]
    if not any(np.nan_to_num(curve).any() for curve in curves):
        for artist in [*axes.lines, axes.get_legend()]:
            if artist is not None:
                artist.remove()
        axes.set_axis_off()
        axes.text(0.5, 0.5, "too few bars, or none that vary", transform=axes.transAxes, ha="center", va="center")


def _thin(axes: Any) -> None:
    """Leaves of long outlines the extremes, and of many dots those that can be told apart."""
    for area in axes.collections:
        outlines = [path.vertices for path in area.get_paths()]
        if any(len(outline) > MOST_POINTS for outline in outlines):
            area.set_verts([outline[_extremes(outline[:, 1])] for outline in outlines])
    for line in axes.lines:
        points = np.asarray(line.get_xydata(), float)
        if line.get_linestyle() == "None" and len(points) > MOST_POINTS // 100:
            cells = np.round(points / np.ptp(points, axis=0).clip(1e-300) * 250)
            line.set_data(*points[np.unique(cells, axis=0, return_index=True)[1]].T)


def _extremes(values: np.ndarray) -> np.ndarray:
    """Places of the first, least, greatest and last of each stretch, so that MOST_POINTS / 5 remain at most."""
    if len(values) <= MOST_POINTS:
        return np.arange(len(values))
    stretches = np.array_split(np.arange(len(values)), MOST_POINTS // 20)
    ends = [(s[0], s[values[s].argmin()], s[values[s].argmax()], s[-1]) for s in stretches]
    return np.unique(ends)
