"""One refit of a walk-forward: the bars it is fitted on, and those it forecasts."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, eq=False)
class Window:
    """A training slice and the block of bars that is forecast with the model fitted on it.

    The fit reads `bars[start:split]`. The block is `bars[split - 1:stop]`: its first forecast is made at the close of
    the training slice's last bar, bar number `split - 1`, and its last at bar number `stop - 1`.

    bars:  all bars of the symbol, later ones included; a learner must not read beyond `stop`.
    start: position of the first bar of the training slice.
    split: position after the last bar of the training slice.
    stop:  position after the last bar of the block.
    """

    bars: pd.DataFrame
    start: int
    split: int
    stop: int

    @property
    def training(self) -> pd.DataFrame:
        """The training slice: the bars the model is fitted on."""
        return self.bars.iloc[self.start : self.split]

    @property
    def model_bars(self) -> pd.DataFrame:
        """The bars the fitted model reads to forecast: the training slice and the rest of the block."""
        return self.bars.iloc[self.start : self.stop]

    @property
    def seen(self) -> pd.DataFrame:
        """`model_bars`, under its name before 0.2."""
        return self.model_bars

    @property
    def block_index(self) -> pd.DatetimeIndex:
        """The dates of the block, one for each forecast."""
        return self.bars.index[self.split - 1 : self.stop]

    @property
    def block(self) -> int:
        """The number of forecasts, the length of the block."""
        return self.stop - self.split + 1

    @property
    def date(self) -> pd.Timestamp:
        """The date of the fit: the last bar of the training slice, and the first of the block."""
        return self.bars.index[self.split - 1]
