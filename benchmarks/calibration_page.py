"""The tables and figures of docs/calibration.md, from the markets that were judged."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rollcast.backtests.evidence.skill import wilson
from rollcast.backtests.explain.nets import BLUE, RED, STYLE, WIDTH, svg

DOCS = Path(__file__).parent.parent / "docs"
PAGE, METRICS, FIGURES = DOCS / "calibration.md", DOCS / "metrics.md", DOCS / "figures"
ORACLES = ("oracle, IC 0.05", "oracle, IC 0.1", "oracle, IC 0.2")
LINES = ("forecast", "timing", "deflation", "holding", "costs")
SHOWN = (*LINES, "more than luck", "every check")
MARK = "<!-- {} -->"  # before and after each table of the page


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """The share of "yes" to every line, and of the headlines that say more than luck, with 95 % intervals (Wilson).

    One row for each family, in the order of the first market of each; columns (shown, share/low/high), and `markets`.
    """
    hits = table[list(LINES)].eq("yes")
    hits["more than luck"] = table["headline"].isin(["more", "all_passed"])
    hits["every check"] = table["headline"].eq("all_passed")
    rows = {}
    for name in table["family"].unique():
        some = hits[table["family"] == name]
        cells: dict[tuple[str, str], float] = {("markets", ""): len(some)}
        for key in SHOWN:
            bounds = wilson(int(some[key].sum()), len(some))
            cells |= dict(
                zip([(key, end) for end in ("share", "low", "high")], [some[key].mean(), *bounds], strict=True)
            )
        rows[name] = cells
    return pd.DataFrame.from_dict(rows, orient="index")


def markdown(found: pd.DataFrame) -> str:
    """A table of shares in per cent, each with its interval."""
    lines = ["| | markets | " + " | ".join(SHOWN) + " |", "|---" * (len(SHOWN) + 2) + "|"]
    for name, row in found.iterrows():
        cells = [
            f"{100 * row[key, 'share']:.1f} ({100 * row[key, 'low']:.1f}–{100 * row[key, 'high']:.1f})" for key in SHOWN
        ]
        lines.append(f"| {name} | {int(row['markets', '']):,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def each_line(found: pd.DataFrame, edge: np.ndarray) -> str:
    """A table of the lines: the range of their levels over all kinds of market without an edge, and some powers."""
    lines = ["| | level, % | " + " | ".join(f"power at IC {name.split()[-1]}, %" for name in ORACLES) + " |"]
    lines.append("|---" * (len(ORACLES) + 2) + "|")
    for key in SHOWN:
        share = 100 * found[key, "share"]
        powers = " | ".join(f"{share[name]:.0f}" if name in share else "" for name in ORACLES)
        lines.append(f"| {key} | {share[~edge].min():.1f}–{share[~edge].max():.1f} | {powers} |")
    return "\n".join(lines)


def levels_figure(found: pd.DataFrame) -> Figure:
    """A dot for each line on each kind of market without an edge, with its interval; dashed at the nominal 5 %."""
    return _figure(found, "where there is nothing to find: yes, %", 0.12, 0.05)


def power_figure(found: pd.DataFrame) -> Figure:
    """The same where there is an edge; dashed at 80 %."""
    return _figure(found, "where there is an edge: yes, %", 1.0, 0.8)


def _figure(found: pd.DataFrame, title: str, top: float, nominal: float) -> Figure:
    figure = Figure(figsize=(WIDTH, 0.36 * len(found) + 0.9), layout="constrained")
    shown = SHOWN[:-1]
    panels = figure.subplots(1, len(shown), sharex=True, sharey=True)
    y = np.arange(len(found))[::-1]
    for ax, key in zip(panels, shown, strict=True):
        share, low, high = (100 * found[key, end].to_numpy(float) for end in ("share", "low", "high"))
        colour = RED if key == "more than luck" else BLUE
        ax.hlines(y, low, high, color=colour, linewidth=1.5)
        ax.plot(share, y, "o", color=colour, markersize=3.5)
        ax.axvline(100 * nominal, color="#888888", linestyle="--", linewidth=0.8)
        ax.set_title(key, fontsize=8)
        ax.set_xlim(0, 100 * top)
        ax.tick_params(labelsize=7)
    panels[0].set_yticks(y, found.index, fontsize=7)
    figure.suptitle(title, fontsize=9, x=0.01, ha="left")
    return figure


def write(table: pd.DataFrame, edges: set[str]) -> None:
    """Puts the tables into docs/calibration.md and docs/metrics.md, and the figures into docs/figures."""
    found = summary(table)
    edge = found.index.isin(list(edges))
    _put(PAGE, "level", markdown(found[~edge]))
    _put(PAGE, "power", markdown(found[edge]))
    _put(METRICS, "level and power", each_line(found, edge))
    with matplotlib.rc_context(STYLE):
        for name, figure in (("level", levels_figure(found[~edge])), ("power", power_figure(found[edge]))):
            (FIGURES / f"calibration-{name}.svg").write_text(svg(figure), encoding="utf-8")


def _put(page: Path, name: str, table: str) -> None:
    """Puts a table between its marks."""
    before, mark, rest = page.read_text(encoding="utf-8").partition(MARK.format(name) + "\n")
    after = rest.partition(MARK.format("end"))[2]
    page.write_text(f"{before}{mark}\n{table}\n\n{MARK.format('end')}{after}", encoding="utf-8")
