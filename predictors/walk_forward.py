"""Walk-forward: a learner refitted on a rolling past becomes a predictor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rollcast.predictors.base import Learner, Predictor
from rollcast.predictors.executor import Work, share
from rollcast.predictors.validation import at_least


@dataclass(frozen=True, eq=False)
class Window:
    """One training slice and the block of bars forecast with it.

    `bars[start:split]` is what the fit sees. The block's first forecast is made at the close of the slice's last bar,
    `split - 1`, and its last at bar `stop - 1`: all of `bars[split - 1:stop]`, `block` forecasts in total.
    """

    bars: pd.DataFrame
    start: int
    split: int
    stop: int

    @property
    def training(self) -> pd.DataFrame:
        """The bars the fit sees."""
        return self.bars.iloc[self.start : self.split]

    @property
    def seen(self) -> pd.DataFrame:
        """The bars the fitted model forecasts on: the training slice, then the rest of the block."""
        return self.bars.iloc[self.start : self.stop]

    @property
    def block(self) -> int:
        """How many forecasts the window makes."""
        return self.stop - self.split + 1

    @property
    def date(self) -> pd.Timestamp:
        """When the window is fitted: the last bar of the training slice, which is the first one forecast at."""
        return self.bars.index[self.split - 1]


@dataclass(frozen=True)
class WalkForward(Predictor):
    """A learner refitted every `every` bars on the last `train` bars.

    learner: the model; copied before every fit, so the one passed in stays unfitted.
    train:   bars seen by each fit; the first forecast is made at bar number `train`.
    every:   bars forecast before the next fit.

    The schedule is anchored at the first bar: appending bars never moves an earlier refit date.

    >>> from rollcast.predictors.ols import OLSFeatures
    >>> from rollcast.predictors.bars import random_walk
    >>> [str(w.date.date()) for w in WalkForward(OLSFeatures(), train=100, every=21).windows(random_walk(150))]
    ['2000-05-19', '2000-06-19', '2000-07-18']
    """

    learner: Learner
    train: int = 1000
    every: int = 21

    def __post_init__(self) -> None:
        if not isinstance(self.learner, Learner):
            raise TypeError(f"WalkForward wraps a Learner; got {self.learner!r}, which needs no wrapping")
        at_least("train", self.train, 2)
        at_least("every", self.every, 1)

    def windows(self, bars: pd.DataFrame) -> list[Window]:
        """The refits over these bars, oldest first. Raises ValueError if there are fewer than `train` bars."""
        if len(bars) < self.train:
            raise ValueError(
                f"walk-forward needs at least train={self.train} bars before its first forecast; got {len(bars)}. "
                "Use a longer date range or a smaller train"
            )
        splits = range(self.train, len(bars) + 1, self.every)
        return [Window(bars, k - self.train, k, min(k + self.every - 1, len(bars))) for k in splits]

    def predict(self, bars: pd.DataFrame, progress: Callable[[int, int], None] | None = None) -> pd.Series:
        """As `Predictor.predict`; `progress(done, total)` is called after every refit, and once before the first."""
        return self.predict_many([bars], progress)[0]

    def predict_many(
        self, frames: Sequence[pd.DataFrame], progress: Callable[[int, int], None] | None = None
    ) -> list[pd.Series]:
        """What `predict` gives for each symbol's bars; all windows of all symbols are shared out as one list."""
        places = [(i, window) for i, bars in enumerate(frames) for window in self.windows(bars)]
        forecasts = [np.full(len(bars), np.nan) for bars in frames]
        report = progress or (lambda done, total: None)
        report(0, len(places))
        chains = [i for i, _ in places] if self.learner.chained else None
        device = getattr(self.learner, "device", None)
        work = Work(self.learner.forecast, [window for _, window in places], chains, device)
        for done, (k, block) in enumerate(share(work), start=1):
            i, window = places[k]
            if block.isna().any():
                raise ValueError(f"{self.learner!r} fitted on {window.date:%Y-%m-%d} forecast NaN")
            forecasts[i][window.split - 1 : window.stop] = block
            report(done, len(places))
        return [pd.Series(f, index=bars.index, name="forecast") for f, bars in zip(forecasts, frames, strict=True)]
