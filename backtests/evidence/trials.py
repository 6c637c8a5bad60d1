"""What was tried on the same market and dates: how much, and what it earned."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Trials:
    """The trials that a run is one of.

    count:           distinct trials, the run included.   runs: all their runs.
    effective:       how many of them are unlike.
    sharpe_variance: of their Sharpe ratios per bar, at least 1/n for more than one trial; 0 for one.
    returns:         simple returns, dates × trials (T, N ≤ count); None where none were kept. The dates are bars of the
                     run: all of them, or the last of each block, of which a row has the compound return. NaN where a
                     trial has no bar. The run itself may be among them; trials without returns count as more of
                     the same kind.
    """

    count: int
    effective: float
    sharpe_variance: float
    runs: int
    returns: pd.DataFrame | None = field(default=None, compare=False, repr=False)


ALONE = Trials(count=1, effective=1, sharpe_variance=0.0, runs=1)
