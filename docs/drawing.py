"""Figures of the documents: charts and diagrams below one another in one SVG, light or dark as its reader is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

from rollcast.backtests.explain import unit
from rollcast.backtests.sheet.page import asset
from rollcast.backtests.sheet.svg import Chart

WIDTH = 640  # units: at 390 pixels, a phone, a label of 14 is eight pixels high
MARGIN = 16
SHEET = asset("style.css")
COLOURS = SHEET[: SHEET.index("\n*{")]  # the variables, light and dark
MARKS = [line for line in SHEET.splitlines() if re.match(r"\.(k-|line|faint|area|bar\{|dot|whisker|rule)", line)]
STYLE = """
text{font:13px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",Arial,sans-serif;fill:var(--muted);
font-variant-numeric:tabular-nums}
.card{fill:var(--ground);stroke:var(--line)}
.title{font-weight:650;font-size:15px;fill:var(--ink)}
.grid path{stroke:var(--line);fill:none}
.y text{text-anchor:end}.x text,.mid{text-anchor:middle}.end{text-anchor:end}
.strong{fill:var(--ink);font-weight:600}.small{font-size:12px}
.box{fill:var(--raised);stroke:var(--line);stroke-width:1.5}
.wire{stroke:var(--ink);stroke-width:1.5;fill:none}
.op{fill:var(--ground);stroke:var(--fourth);stroke-width:1.8}
"""


@dataclass(frozen=True)
class Panel:
    """A part of a figure: its height in units, and what is drawn in it; the title stands above."""

    title: str
    height: float
    inside: str
    legend: tuple[tuple[str, str], ...] = ()


def panel_of(chart: Chart) -> Panel:
    """A chart of the sheet as a panel."""
    left, _, right, bottom = chart.plot
    lines = "".join(f'<path d="M{left} {t.at}H{right}"/>' for t in chart.y_ticks)
    values = "".join(f'<text x="{left - 6}" y="{t.at + 4}">{t.text}</text>' for t in chart.y_ticks)
    below = "".join(f'<text x="{t.at}" y="{bottom + 18}">{t.text}</text>' for t in chart.x_ticks)
    parts = [
        f'<g class="grid">{lines}</g>',
        *(f'<path class="{m.kind} k-{m.colour}" d="{m.d}"/>' for m in chart.marks),
        f'<g class="y">{values}</g><g class="x">{below}</g>',
    ]
    height = chart.height
    if chart.x_title:
        parts.append(f'<text class="mid" x="{(left + right) / 2}" y="{bottom + 36}">{escape(chart.x_title)}</text>')
        height += 16
    return Panel(chart.title, height, "".join(parts), chart.legend)


def figure(panels: list[Panel], alt: str) -> str:
    """The panels below one another, as the text of an SVG file with a title for readers who do not see it."""
    y, body = MARGIN, []
    for panel in panels:
        if panel.title:
            y += 18
            body.append(f'<text class="title" x="{MARGIN}" y="{y}">{escape(panel.title)}</text>')
            y += 6
        if panel.legend:
            y += 18
            body.append(_legend(panel.legend, y))
            y += 4
        body.append(f'<g transform="translate({MARGIN} {y})">{panel.inside}</g>')
        y += panel.height + 14
    style = "\n".join([COLOURS, *MARKS, STYLE + unit.STYLE])
    width, height = WIDTH + 2 * MARGIN, round(y + 4)
    card = f'<rect class="card" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="10"/>'
    content = "\n".join(body)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img">\n<title>{escape(alt)}</title>\n<style>{style}</style>\n{card}\n{content}\n</svg>\n'
    )


def _legend(legend: tuple[tuple[str, str], ...], y: float) -> str:
    x, parts = float(MARGIN), []
    for name, colour in legend:
        parts.append(f'<path class="line k-{colour}" style="stroke-width:3" d="M{x:.0f} {y - 4}h14"/>')
        parts.append(f'<text x="{x + 20:.0f}" y="{y}">{escape(name)}</text>')
        x += 20 + 7.1 * len(name) + 22
    return "".join(parts)
