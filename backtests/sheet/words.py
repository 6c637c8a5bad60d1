"""Numbers and dates as the page writes them: a true minus sign, and an en dash where there is no number.

`FILTERS` are these functions under the names that templates call them by.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from .tables import printable

DASH = "–"
THIN = "\u202f"  # a narrow space at which no line breaks


def number(value: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """`value` with thousands separated.

    >>> number(-1234.567), number(None), number(0.5, 1, signed=True)
    ('−1,234.57', '–', '+0.5')
    """
    if value is None or not math.isfinite(value):
        return "∞" if value is not None and value == math.inf else DASH
    text = f"{value:{'+' if signed else ''},.{digits}f}"
    if not text.strip("+-0.,"):  # no signed zero
        text = text.lstrip("+-")
    return text.replace("-", "−")


def percent(value: float | None, digits: int = 1, *, signed: bool = False) -> str:
    """A fraction in percent.

    >>> percent(-0.0123), percent(float("nan"))
    ('−1.2\u202f%', '–')
    """
    text = number(None if value is None else 100 * value, digits, signed=signed)
    return text if text in (DASH, "∞") else f"{text}{THIN}%"


def basis_points(value: float | None, digits: int = 0) -> str:
    """A number that is in basis points already."""
    text = number(value, digits)
    return text if text in (DASH, "∞") else f"{text}{THIN}bp"


def cost(bps: float | None) -> str:
    """Basis points of the equity a year, from a hundred on in percent.

    >>> cost(26.2), cost(3372.0)
    ('26\\u202fbp', '33.7\\u202f%')
    """
    return basis_points(bps) if bps is None or not abs(bps) >= 100 else percent(bps / 1e4)


def prose(sentence: str) -> str:
    """A sentence of the evidence with the signs and units of the page.

    >>> prose("10.4% against -0.3, p-value 0.2")
    '10.4\\u202f% against −0.3, p-value 0.2'
    """
    return re.sub(r"(?<![\w.])-(?=\d)", "−", re.sub(r"(?<=\d) ?%", f"{THIN}%", printable(sentence)))


def probability(value: float | None) -> str:
    """A p-value or probability in three places; `< 0.001` and `> 0.999` at the ends."""
    if value is None or math.isnan(value):
        return DASH
    if value < 0.001:
        return "< 0.001"
    return "> 0.999" if value > 0.999 else f"{value:.3f}"


def interval(bounds: Sequence[float | None] | None, digits: int = 2, *, of: str = "number") -> str:
    """`low to high`, of numbers or of fractions in percent."""
    if bounds is None:
        return DASH
    write = percent if of == "percent" else number
    low, high = (write(bound, digits) for bound in bounds)
    return DASH if DASH in (low, high) else f"{low.removesuffix(THIN + '%')} to {high}"


def day(value: pd.Timestamp | None) -> str:
    """A date, with its time of day unless that is midnight; a dash for no date."""
    if value is None or pd.isna(value):
        return DASH
    moment = pd.Timestamp(value)
    return f"{moment:%Y-%m-%d}" if moment == moment.normalize() else f"{moment:%Y-%m-%d %H:%M}"


def text(value: object) -> str:
    """Anything a user can name, without the characters that would change how it is read; see `printable`."""
    return printable(str(value))


def signs(value: str) -> str:
    """A number written by quantstats, with a true minus and no signed zero.

    >>> signs("-1.5%"), signs("-0.0"), signs("-")
    ('−1.5%', '0.0', '–')
    """
    if not value.startswith("-"):
        return value
    return f"−{value[1:]}" if value.strip("-0.%") else value[1:] or DASH


def sort_key(value: object) -> str:
    """The value that sort.js sorts a cell by: a number in seven digits, a date as on the page, nothing for neither."""
    if value is None or (isinstance(value, float) and math.isnan(value)) or value is pd.NaT:
        return ""
    if isinstance(value, pd.Timestamp):
        return day(value)
    return f"{value:.7g}" if isinstance(value, (float, np.floating)) else str(value)


FILTERS = {
    "number": number,
    "percent": percent,
    "bp": basis_points,
    "p": probability,
    "interval": interval,
    "day": day,
    "text": text,
    "prose": prose,
    "signs": signs,
    "sort_key": sort_key,
}
