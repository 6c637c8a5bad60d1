"""A finished sweep."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from rollcast.backtests.data.bars import bars_per_year
from rollcast.backtests.sweep.judgement import Judgement
from rollcast.backtests.sweep.points import Point, Sweep


@dataclass(frozen=True)
class Winner:
    """The best point, run again in backtrader.

    folder: of its run, with the tear sheet.   same: whether its returns are those of the sweep to the last bit.
    apart:  the largest difference of two returns.   luck: what its sheet says of its luck, all points counted.
    """

    point: Point
    folder: Path
    same: bool
    apart: float
    luck: dict[str, Any]


@dataclass(frozen=True)
class SweepResult:
    """A finished sweep: its folder, a row each point in their order, what came of it, and the winner."""

    sweep: Sweep
    folder: Path
    since: pd.Timestamp
    index: pd.DatetimeIndex
    rows: pd.DataFrame
    judgement: Judgement
    winner: Winner

    @property
    def bars_per_year(self) -> int:
        """Bars a year of the window all points are scored on."""
        return bars_per_year(self.index)
