"""What the look-ahead gate concludes."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ...predictors.checks.lookahead import Leak

NEGLIGIBLE = 0.01  # of the forecasts' size: float32 training in batches of another size differs by less


class LookAheadError(ValueError):
    """The predictor looked ahead; `leak` says where."""

    def __init__(self, leak: Leak | WindowDependence | Unrepeatable) -> None:
        shown = "may look ahead" if isinstance(leak, Unrepeatable) else "looks ahead"
        super().__init__(
            f"the predictor {shown}: {leak}. No clean tear sheet can come of it; "
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
class Unrepeatable:
    """Forecasts that are others when they are made again: a look-ahead of their first making would not show.

    date: where they changed most.   size: by how much.   way: what was done beside making them again.
    """

    date: pd.Timestamp
    size: float
    way: str

    def __str__(self) -> str:
        change = f"moved by {self.size:.3g}" if self.size < float("inf") else "turned from a number into NaN or back"
        return f"the forecast at {self.date:%Y-%m-%d} does not repeat: it {change} when {self.way}"


@dataclass(frozen=True)
class Verdict:
    """What the gate concludes.

    probes: how many forecasts were made on perturbed bars.   leak: the look-ahead found, or None.
    noise:  by how much re-running alone changes a forecast, relative to the size of the forecasts.
    bars:   how many forecasts were probed, of `of`; both 0 where that was not counted.
    hidden: the change below which a dependence on later values would not have shown, at the median bar, relative to
        the size of the forecasts. On the number of bars alone, it is `SHORTENED`.
    fits:   with how many fitted models of a walk-forward, of `windows`.
    elsewhere: whether the forecasts came from a file, so that nothing could be probed.
    """

    probes: int
    leak: Leak | WindowDependence | Unrepeatable | None
    noise: float = 0.0
    bars: int = 0
    of: int = 0
    hidden: float = 0.0
    fits: int = 0
    windows: int = 0
    elsewhere: bool = False

    def __str__(self) -> str:
        if self.elsewhere:
            return "made elsewhere: how they were made cannot be examined"
        if self.leak:
            return str(self.leak)
        noise = f"; running it again moves a forecast by {self.noise:.0%}, which would hide a smaller look-ahead"
        share = "at every bar" if self.bars == self.of else f"at {self.bars:,} of {self.of:,} bars"
        share += f" with {self.fits:,} of {self.windows:,} fits" if self.windows else ""
        hidden = f"a look-ahead below {max(self.hidden, 1e-15):.0e} of the forecasts' size would not have shown"
        probed = f", probed {share}; {hidden}" if self.of else ""
        return f"none found on these bars with these parameters{probed}{noise * (self.noise >= NEGLIGIBLE)}"
