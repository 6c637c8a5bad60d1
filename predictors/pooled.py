"""One model for many symbols: refitted on a rolling past of all of them, it forecasts each.

Notation: D refit date, J symbols, n bars of a slice; μ, σ mean and standard deviation of a slice's next returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd

from rollcast.predictors import training_log
from rollcast.predictors.base import Learner
from rollcast.predictors.executor import Work, execute
from rollcast.predictors.features import Scale, features, next_returns
from rollcast.predictors.ols import OLSFeatures
from rollcast.predictors.validation import at_least
from rollcast.predictors.window import Window


@runtime_checkable
class FitsMany(Protocol):
    """A learner that can learn from the slices of several symbols at once.

    `fit_many` returns a fitted copy for each slice, in their order: what was learned is common to all, what only scales
    a symbol is its slice's own. Of one slice, it is what `fit` gives.
    """

    def fit_many(self, slices: Sequence[pd.DataFrame]) -> list[Self]: ...


@dataclass(frozen=True, eq=False)
class Pool:
    """One refit: its date, and the window of every symbol that takes part.

    A window's first forecast is at its symbol's last bar before or on `date`, and counts only where it is on it.
    """

    date: pd.Timestamp
    windows: Mapping[str, Window]


@dataclass(frozen=True)
class Pooled:
    """A learner refitted every `every` dates on the last `train` bars of every symbol together.

    learner: a `FitsMany` or `OLSFeatures`; copied before every fit.
    train:   bars of each symbol seen by a fit; a symbol takes part from its bar number `train` on, while it is traded.
    every:   dates of all symbols' calendar between two refits, the first of which is when any symbol has `train` bars.

    No symbol's future is in a fit: slices end by date, whatever the calendars. Each is scaled by itself.

    Reference: Fischer & Krauss (2018), European Journal of Operational Research 270(2), section 3.2.
    """

    learner: Learner
    train: int = 1000
    every: int = 21

    def __post_init__(self) -> None:
        if not isinstance(self.learner, FitsMany | OLSFeatures):
            raise TypeError(
                f"{type(self.learner).__name__} cannot be trained on several symbols at once: it has no fit_many; "
                "train it per symbol"
            )
        at_least("train", self.train, 2)
        at_least("every", self.every, 1)

    def pools(self, frames: Mapping[str, pd.DataFrame]) -> list[Pool]:
        """The refits, oldest first. Raises ValueError if no symbol has `train` bars."""
        calendar = pd.DatetimeIndex(sorted(set().union(*(bars.index for bars in frames.values()))))
        ready = [bars.index[self.train - 1] for bars in frames.values() if len(bars) >= self.train]
        if not ready:
            longest = max(map(len, frames.values()))
            raise ValueError(f"no symbol has train={self.train} bars; the longest has {longest}. Use a smaller train")
        refits = range(calendar.get_loc(min(ready)), len(calendar), self.every)
        return [pool for k in refits if (pool := self._pool(frames, calendar, k)).windows]

    def predict(
        self, frames: Mapping[str, pd.DataFrame], progress: Callable[[int, int], None] | None = None
    ) -> dict[str, pd.Series]:
        """Every symbol's forecasts on its own bars; NaN before it takes part, and for a block in which it rejoins."""
        pools = self.pools(frames)
        forecasts = {symbol: pd.Series(np.nan, index=bars.index, name="forecast") for symbol, bars in frames.items()}
        report = progress or (lambda done, total: None)
        report(0, len(pools))
        for done, (_, blocks) in enumerate(execute(Work.map(self.forecast, pools)), start=1):
            for symbol, block in blocks.items():
                forecasts[symbol].loc[block.index] = block
            report(done, len(pools))
        return forecasts

    def forecast(self, pool: Pool) -> dict[str, pd.Series]:
        """The forecasts of one refit, of each symbol at its bars from the refit's date on."""
        windows = list(pool.windows.values())
        fitted = fit_many(self.learner, [window.training for window in windows])
        blocks = {}
        for symbol, window, model in zip(pool.windows, windows, fitted, strict=True):
            block = _block(model, window)
            if block.isna().any():
                raise ValueError(f"{self.learner!r} fitted on {pool.date:%Y-%m-%d} forecast NaN for {symbol}")
            blocks[symbol] = block[block.index >= pool.date]
        return blocks

    def _pool(self, frames: Mapping[str, pd.DataFrame], calendar: pd.DatetimeIndex, k: int) -> Pool:
        """The refit on date number k."""
        before, date = calendar[max(k - self.every, 0)], calendar[k]
        end = calendar[k + self.every] if k + self.every < len(calendar) else None
        windows = {}
        for symbol, bars in frames.items():
            split = int(bars.index.searchsorted(date, side="right"))
            stop = len(bars) if end is None else int(bars.index.searchsorted(end))
            if split >= self.train and bars.index[split - 1] > before:
                windows[symbol] = Window(bars, split - self.train, split, max(stop, split))
        return Pool(date, windows)


def fit_many(learner: Learner, slices: Sequence[pd.DataFrame]) -> list[Learner]:
    """A fitted copy of the learner for each slice, all of them taught by all slices."""
    if isinstance(learner, FitsMany):
        return list(learner.fit_many(slices))
    if isinstance(learner, OLSFeatures):
        return list(_regress(learner, slices))
    raise TypeError(f"{type(learner).__name__} has no fit_many")


def _regress(learner: OLSFeatures, slices: Sequence[pd.DataFrame]) -> list[OLSFeatures]:
    """One regression of (y - μ)/σ on the scaled features of all slices; a slice's forecast is μ + σ · that.

    Least squares with a constant does not mind shifting and scaling y, so one slice gives what `fit` gives.
    """
    designs, targets, laws, copies = [], [], [], []
    known = slice(1, -1)  # row 0 has no return and the last bar no target yet
    for bars in slices:
        copy = replace(learner)
        rows = features(bars, learner.features)
        copy.scale_ = Scale.of(rows)
        y = next_returns(bars)[learner.lags - 1 :][known]
        mean, std = float(y.mean()), float(y.std()) or 1.0
        designs.append(copy._design(rows)[known])
        targets.append((y - mean) / std)
        laws.append((mean, std))
        copies.append(copy)
    design = np.vstack(designs)
    if not np.isfinite(design).all():
        raise ValueError("the bars to train on hold a price or volume that is not a number")
    coefficients = np.linalg.lstsq(design, np.concatenate(targets), rcond=None)[0]
    for copy, (mean, std) in zip(copies, laws, strict=True):
        copy.coefficients_ = coefficients * std
        copy.coefficients_[0] += mean
    return copies


def _block(model: Learner, window: Window) -> pd.Series:
    """The fitted model's forecasts of its block, noted in the diary."""
    if hasattr(model, "predict_block"):
        return model.predict_block(window)
    forecast = model.predict(window.model_bars)
    training_log.record_fit(window, forecast)
    return forecast.iloc[-window.block :]
