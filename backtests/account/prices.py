"""The prices that many accounts are traded at. Notation: T bars, N markets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...predictors.bars import check_bars
from ...strategies.actions import actions_of


@dataclass(frozen=True)
class Prices:
    """The opens and closes of one market, (T,), or of N markets on the same dates, (T, N).

    actions: `dividend` and `split` of every bar, for prices as traded; of all N alike.
    """

    index: pd.DatetimeIndex
    open: np.ndarray
    close: np.ndarray
    actions: pd.DataFrame | None = None

    @classmethod
    def of(cls, bars: pd.DataFrame) -> Prices:
        """The prices of one symbol's bars; raises as `check_bars` does."""
        check_bars(bars)
        index = pd.DatetimeIndex(bars.index)
        return cls(index, bars["open"].to_numpy(float), bars["close"].to_numpy(float), actions_of(bars))

    def __post_init__(self) -> None:
        if self.open.shape != self.close.shape or self.open.ndim not in (1, 2) or len(self.open) != len(self.index):
            raise ValueError(
                f"open and close must both be ({len(self.index)},) or ({len(self.index)}, N); "
                f"got {self.open.shape} and {self.close.shape}"
            )
        if not all(np.isfinite(x).all() and (x > 0).all() for x in (self.open, self.close)):
            raise ValueError("a price is missing or not positive")

    def worth(self) -> np.ndarray:
        """What a unit held at the close before has become at every close: C·R + D."""
        if self.actions is None:
            return self.close
        dividend, split = (self.actions[name].to_numpy() for name in ("dividend", "split"))
        return (self.close.T * split + dividend).T
