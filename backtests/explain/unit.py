"""The diagram of an LSTM's unit, with the values that one unit of a fitted net had at one bar.

The layout is that of the literature: the cell state C runs through the top as a conveyor belt, the gates stand below.

Reference: Hochreiter and Schmidhuber (1997), Neural Computation 9(8); Gers, Schmidhuber and Cummins (2000).
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

SIZE = (640, 372)
# What a value is called in a diagram, its subscript, and where its text stands.
PLACES = {
    "c_before": ("C", "t−1", 6, 62),
    "c": ("C", "t", 556, 62),
    "f": ("f", "t", 163, 168),
    "i": ("i", "t", 194, 206),
    "candidate": ("C̃", "t", 353, 178),
    "o": ("o", "t", 372, 210),
    "h_before": ("h", "t−1", 6, 270),
    "h": ("h", "t", 556, 270),
    "kept": ("f∗C", "", 174, 62),
    "news": ("i∗C̃", "", 312, 128),
    "squashed": ("tanh C", "", 398, 162),
}
STYLE = """
.u-frame{fill:var(--raised);stroke:var(--line);stroke-width:1.5}
.u-belt{stroke:var(--accent);stroke-width:6;fill:none;stroke-linecap:round}
.u-wire{stroke:var(--ink);stroke-width:1.6;fill:none;stroke-linejoin:round}
.u-gate{fill:var(--ground);stroke:var(--hold);stroke-width:2}
.u-op{fill:var(--ground);stroke:var(--fourth);stroke-width:2}
.u-sign{font-size:17px;text-anchor:middle;fill:var(--ink)}
.u-name{font-size:14px;fill:var(--muted)}
.u-value{font-weight:650;fill:var(--ink)}
.u-caption{font-size:13px;text-anchor:middle;fill:var(--muted)}
"""


def lstm_unit(values: Mapping[str, float], alt: str) -> str:
    """The diagram as the inside of an `<svg>` of `SIZE` units; `STYLE` has its rules, on the colours of the sheet.

    values: by the keys of `PLACES`; each text has its key in `data-k`, so that a script can show another bar.
    """
    wires = (
        "M6 282H436",  # [h, x] below the gates
        "M110 350V290Q110 282 118 282",
        "M155 282V254M258 282V254M345 282V254M436 282V254",
        "M155 222V117",  # f to the belt
        "M258 222V152H279M345 222V152H325M302 137V117",  # i and the candidate meet, and join the belt
        "M510 94V113M510 137V171M436 222V194H487M510 209V282H616",  # o and tanh C make h
    )
    heads = ("M626 282l-11 -5v10z", "M302 108l-5 11h10z", "M155 108l-5 11h10z", "M288 152l-11 -5v10z",
             "M316 152l11 -5v10z", "M496 194l-11 -5v10z", "M510 180l-5 -11h10z")  # fmt: skip
    gates = {"σ": (155, 258, 436), "tanh": (345,)}
    circles = ((155, 94, "×"), (302, 94, "+"), (302, 152, "×"), (510, 194, "×"))
    captions = ((155, "forget gate"), (258, "input gate"), (345, "candidate"), (436, "output gate"))
    return "".join(
        [
            f"<title>{escape(alt)}</title>",
            '<rect class="u-frame" x="98" y="28" width="450" height="272" rx="14"/>',
            '<path class="u-belt" d="M14 94H612"/><path d="M630 94l-20 -11v22z" fill="var(--accent)"/>',
            *(f'<path class="u-wire" d="{wire}"/>' for wire in wires),
            *(f'<path d="{head}" fill="var(--ink)"/>' for head in heads),
            *(_box(x, sign) for sign, places in gates.items() for x in places),
            *(_circle(*place) for place in circles),
            '<rect class="u-op" x="484" y="113" width="52" height="24" rx="12"/>',
            '<text class="u-sign" x="510" y="130" style="font-size:14px">tanh</text>',
            *(_caption(*c) for c in captions),
            '<text class="u-name" x="120" y="346">x<tspan dy="3" font-size="10">t</tspan></text>',
            *(_value(key, values[key]) for key in PLACES),
        ]
    )


def shown(value: float) -> str:
    """A value of the diagram: three decimals and a true minus sign."""
    return f"{value:.3f}".replace("-", "−")


def _box(x: float, sign: str) -> str:
    return (
        f'<rect class="u-gate" x="{x - 26}" y="222" width="52" height="32" rx="6"/>'
        f'<text class="u-sign" x="{x}" y="244">{sign}</text>'
    )


def _circle(x: float, y: float, sign: str) -> str:
    return f'<circle class="u-op" cx="{x}" cy="{y}" r="14"/><text class="u-sign" x="{x}" y="{y + 6}">{sign}</text>'


def _caption(x: float, text: str) -> str:
    return f'<text class="u-caption" x="{x}" y="318">{text}</text>'


def _value(key: str, value: float) -> str:
    name, index, x, y = PLACES[key]
    below = f'<tspan dy="3" font-size="10">{index}</tspan><tspan dy="-3"> </tspan>' if index else " "
    number = f'<tspan class="u-value" data-k="{key}">{shown(value)}</tspan>'
    return f'<text class="u-name" x="{x}" y="{y}">{name}{below}{number}</text>'
