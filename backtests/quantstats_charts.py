"""How quantstats' charts look: one style for all, and the touches each gets before it is saved."""

from __future__ import annotations

from typing import Any

import numpy as np

# seaborn's darkgrid at quantstats' size, written out because seaborn.set_theme() would leave its mark on the session.
STYLE: Any = {
    "axes.axisbelow": True,
    "axes.edgecolor": "white",
    "axes.facecolor": "white",
    "axes.grid": True,
    "axes.labelsize": 13.2,
    "axes.linewidth": 1.25,
    "axes.titlesize": 13.2,
    "font.family": "DejaVu Sans",  # ships with matplotlib, so the layout is the same on every machine
    "font.size": 13.2,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "legend.fontsize": 12.1,
    "legend.loc": "upper left",  # "best" compares every point of every line with every corner
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "w",
    "patch.force_edgecolor": True,
    "path.simplify_threshold": 0.5,  # half a point of a 576-point chart: the eye sees no difference
    "svg.fonttype": "none",  # text, not outlines: sharp, selectable, right-to-left, and a third smaller
    "svg.hashsalt": "rollcast",
    "text.color": "#333333",
    "text.parse_math": False,  # a $ in a name is a dollar
    "xtick.bottom": False,
    "xtick.color": "#666666",
    "xtick.labelsize": 12.1,
    "ytick.color": "#666666",
    "ytick.labelsize": 12.1,
    "ytick.left": False,
}


def tidy_and_save(fname: Any, **_: Any) -> None:
    """Stands in for pyplot.savefig: tidies the current figure and draws it once, as SVG without a date."""
    import matplotlib.pyplot as plt
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    figure = plt.gcf()
    axes = figure.axes[0]
    _percent_labels(axes)
    if axes.get_yscale() == "symlog":
        _logarithmic(axes)
        figure.tight_layout()
    _ticks_for_data(axes)
    _heatmap_ground(axes)
    _room_for_legend(axes)
    _say_when_empty(axes)
    FigureCanvasSVG(figure).print_svg(fname, metadata={"Date": None, "Creator": None})


def _percent_labels(axes: Any) -> None:
    """Percentages as they are: quantstats truncates 4.99 to 4 % and writes 1,250 % as 1.2K%."""
    from matplotlib.ticker import FuncFormatter

    for axis in (axes.xaxis, axes.yaxis):
        written = getattr(axis.get_major_formatter(), "func", None)
        if getattr(written, "__module__", "").startswith("quantstats"):
            axis.set_major_formatter(FuncFormatter(lambda value, _: _percent(value)))


def _percent(value: float) -> str:
    return f"{round(100 * value, 6) + 0.0:,g}%"  # + 0.0: no negative zero


def _logarithmic(axes: Any) -> None:
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


def _ticks_for_data(axes: Any) -> None:
    """quantstats fixes the ticks of the rolling beta from -1 to 0.5, wherever the beta lies."""
    from matplotlib.ticker import AutoLocator, FixedLocator

    varies = axes.dataLim.height > 1e-9
    if isinstance(axes.yaxis.get_major_locator(), FixedLocator) and not axes.collections and varies:
        axes.yaxis.set_major_locator(AutoLocator())
        axes.autoscale_view(scalex=False)


def _heatmap_ground(axes: Any) -> None:
    from matplotlib.collections import QuadMesh

    for mesh in (each for each in axes.collections if isinstance(each, QuadMesh)):
        axes.grid(False)
        if not np.ptp(np.ma.compressed(np.ma.asarray(mesh.get_array()))):
            mesh.set(cmap="RdYlGn", clim=(-1, 1))  # a flat account is neither green nor red
            for text in axes.texts:
                text.set_color(".15")


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


def _say_when_empty(axes: Any) -> None:
    """A sentence where no curve is defined; quantstats draws a rolling beta of 0."""
    curves = [np.asarray(line.get_ydata(), float) for line in axes.lines if line.get_transform() == axes.transData]
    if axes.figure.get_suptitle().startswith("Rolling") and not any(np.nan_to_num(curve).any() for curve in curves):
        for artist in [*axes.lines, axes.get_legend()]:
            if artist is not None:
                artist.remove()
        axes.set_axis_off()
        axes.text(0.5, 0.5, "too few bars, or none that vary", transform=axes.transAxes, ha="center", va="center")
