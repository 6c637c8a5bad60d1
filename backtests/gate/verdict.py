"""What the look-ahead gate concludes."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ...predictors.checks.lookahead import Leak

NEGLIGIBLE = 0.01  # of the forecasts' size: float32 training in batches of another size differs by less


class LookAheadError(ValueError):
    """The predictor looked ahead; `leak` says where."""

    def __init__(self, leak: Leak | WindowDependence) -> None:
        super().__init__(
            f"the predictor looks ahead: {leak}. No clean tear sheet can come of it; "
            "`check` says more, and --allow-lookahead prints a marked one"
        )
        self.leak = leak


@dataclass(frozen=True)
class WindowDependence:
    """A window whose forecast depends on the windows fitted after it: look-ahead by way of the list of windows.

    date: of its fit.   size: by how much it changed.   noise: by how much re-running alone changes it.
    """

    date: pd.Timestamp
    size: float
    noise: float

    def __str__(self) -> str:
        return (
            f"the window fitted on {self.date:%Y-%m-%d} depends on windows fitted later: its forecast moved by "
            f"{self.size:.3g} when they were not trained beside it (by {self.noise:.3g} when only run again)"
        )


@dataclass(frozen=True)
class Verdict:
    """What the gate concludes.

    probes: how many forecasts were made on perturbed bars.   leak: the look-ahead found, or None.
    noise:  by how much re-running alone changes a forecast, relative to the size of the forecasts.
    """

    probes: int
    leak: Leak | WindowDependence | None
    noise: float = 0.0

    def __str__(self) -> str:
        if self.leak:
            return str(self.leak)
        hidden = f"; running it again moves a forecast by {self.noise:.0%}, which would hide a smaller look-ahead"
        # Not how many probes: that depends on the machine, and the same run makes the same sheet.
        return f"none found on these bars with these parameters{hidden * (self.noise >= NEGLIGIBLE)}"
