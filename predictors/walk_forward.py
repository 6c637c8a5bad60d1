"""Walk-forward: a learner refitted on a rolling past becomes a predictor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .base import Learner, Predictor
from .executor import Work, execute
from .validation import at_least
from .window import Window


@dataclass(frozen=True)
class WalkForward(Predictor):
    """A learner refitted every `every` bars on the last `train` bars.

    learner: the model; copied before every fit, so that this instance stays unfitted.
    train:   bars of a training slice; the first forecast is made at bar number `train`.
    every:   bars from one fit to the next.

    The schedule is anchored at the first bar: appending bars never moves an earlier refit date.

    Raises TypeError where `learner` is no `Learner`, and ValueError for `train` below 2 or `every` below 1.

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
        """The refits over these bars, oldest first.

        Raises ValueError where there are fewer than `train` bars.
        """
        if len(bars) < self.train:
            raise ValueError(
                f"walk-forward needs at least train={self.train} bars before its first forecast; got {len(bars)}. "
                "Use a longer date range or a smaller train"
            )
        splits = range(self.train, len(bars) + 1, self.every)
        return [Window(bars, k - self.train, k, min(k + self.every - 1, len(bars))) for k in splits]

    def predict(self, bars: pd.DataFrame, progress: Callable[[int, int], None] | None = None) -> pd.Series:
        """As `Predictor.predict`; `progress(done, total)` is called after every refit, and once before the first.

        Raises ValueError where there are fewer than `train` bars or the learner forecasts NaN, and what its `fit`
        raises.
        """
        return self.predict_many([bars], progress)[0]

    def predict_many(
        self, frames: Sequence[pd.DataFrame], progress: Callable[[int, int], None] | None = None
    ) -> list[pd.Series]:
        """The forecasts of `predict` for the bars of each symbol; the windows of all symbols are one list of work.

        Raises what `predict` raises.
        """
        windows = [(series, window) for series, bars in enumerate(frames) for window in self.windows(bars)]
        forecasts = [np.full(len(bars), np.nan) for bars in frames]
        report = progress or (lambda done, total: None)
        report(0, len(windows))
        chains = [series for series, _ in windows] if self.learner.chained else None
        device = getattr(self.learner, "device", None)
        work = Work(self.learner.forecast, [window for _, window in windows], chains, device)
        for done, (position, block) in enumerate(execute(work), start=1):
            series, window = windows[position]
            if block.isna().any():
                raise ValueError(f"{self.learner!r} fitted on {window.date:%Y-%m-%d} forecast NaN")
            forecasts[series][window.split - 1 : window.stop] = block
            report(done, len(windows))
        return [pd.Series(f, index=bars.index, name="forecast") for f, bars in zip(forecasts, frames, strict=True)]
