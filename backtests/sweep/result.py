"""A finished sweep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..data.bars import bars_per_year
from .judgement import Judgement
from .points import Point, Sweep


@dataclass(frozen=True)
class Winner:
    """The run of the best point in backtrader.

    folder:     of the run, with its tear sheet.
    same:       whether its returns equal those of the sweep to the last bit.
    difference: the largest absolute difference of a return from the sweep's.
    luck:       the metrics of luck, with all points counted as trials, and of the excess `p_best`, `dsr` and `dsr_all`;
                NaN where undefined.
    """

    point: Point
    folder: Path
    same: bool
    difference: float
    luck: dict[str, float]


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep.

    folder:    its own, in the workspace.
    since:     the date from which all points are scored; index: the dates of the bars from it on, (n,).
    rows:      one row for each point, in their order: values, seed and scores.
    judgement: of the variants.   winner: the run of the best point.
    """

    sweep: Sweep
    folder: Path
    since: pd.Timestamp
    index: pd.DatetimeIndex
    rows: pd.DataFrame
    judgement: Judgement
    winner: Winner

    @property
    def bars_per_year(self) -> int:
        """Bars per year of the window on which all points are scored."""
        return bars_per_year(self.index)
