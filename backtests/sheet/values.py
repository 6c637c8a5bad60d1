"""What the sections of every page share: the types of what they read and of what they hand to a template."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

Metrics = Mapping[str, Any]  # figures by name, some of them nested, as metrics.json and recipe.json hold them
Context = dict[str, object]  # a template's variables by name
Format = Callable[[float | None], str]  # how a figure is written
Cells = tuple[str, ...]  # a row of a table, as text


class Tile(NamedTuple):
    """A figure at the head of a page or a section, with its name above it and a note below."""

    name: str
    value: str
    note: str


def column(rows: Sequence[Metrics], key: str) -> np.ndarray:
    """One figure of every row, (rows,); NaN where it is None."""
    return np.array([row[key] for row in rows], float)


def finite(values: Iterable[float | None]) -> np.ndarray:
    """Those of the values that are finite numbers."""
    numbers = np.array(list(values), float)
    return numbers[np.isfinite(numbers)]
