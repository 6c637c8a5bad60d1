"""One model for many symbols: it is refitted on the past of all of them, and forecasts each.

Notation: D refit date, J symbols, n bars of a slice; μ, σ mean and standard deviation of a slice's next returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self, runtime_checkable

import numpy as np
import pandas as pd

from . import training_log
from .base import Learner
from .executor import Work, execute
from .features import Scale, features, next_returns
from .ols import OLSFeatures
from .validation import at_least
from .window import Window


@runtime_checkable
class FitsMany(Protocol):
    """A learner that can be fitted to the training slices of several symbols at once.

    `fit_many` returns a fitted copy for each slice, in their order. The estimated parameters are common to all copies;
    means and standard deviations that scale a symbol are those of its slice. With a single slice it equals `fit`.
    """

    def fit_many(self, slices: Sequence[pd.DataFrame]) -> list[Self]: ...


@dataclass(frozen=True, eq=False)
class Pool:
    """One refit: its date, and the window of every symbol that is in it.

    A window's first forecast is made at its symbol's last bar up to `date`, and is used only if that bar is on `date`.
    """

    date: pd.Timestamp
    windows: Mapping[str, Window]


@dataclass(frozen=True)
class Pooled:
    """A learner refitted every `every` dates on the last `train` bars of every symbol together.

    learner: a `FitsMany` or `OLSFeatures`; copied before every fit.
    train:   bars of each symbol's training slice; a symbol is in the refits from its bar number `train` on, as long as
             it is traded.
    every:   dates between two refits, on the union of all calendars; the first is the first date on which a symbol has
             `train` bars.

    Slices end at the refit's date in every calendar, so no fit reads a later bar. Each slice has a scale of its own.

    Raises TypeError for a learner of another kind, and ValueError for `train` below 2 or `every` below 1.

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
        """The refits, oldest first.

        Raises ValueError where no symbol has `train` bars.
        """
        calendar = pd.DatetimeIndex(sorted(set().union(*(bars.index for bars in frames.values()))))
        first_dates = [bars.index[self.train - 1] for bars in frames.values() if len(bars) >= self.train]
        if not first_dates:
            longest = max(map(len, frames.values()))
            raise ValueError(f"no symbol has train={self.train} bars; the longest has {longest}. Use a smaller train")
        refits = range(calendar.get_loc(min(first_dates)), len(calendar), self.every)
        return [pool for k in refits if (pool := self._pool(frames, calendar, k)).windows]

    def predict(
        self, frames: Mapping[str, pd.DataFrame], progress: Callable[[int, int], None] | None = None
    ) -> dict[str, pd.Series]:
        """Every symbol's forecasts on its own bars; NaN before its first refit, and after a pause until its next.

        `progress(done, total)` is called after every refit, and once before the first.

        Raises ValueError where no symbol has `train` bars or the learner forecasts NaN, and what its fit raises.
        """
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
        """The forecasts of one refit: of each symbol, at its bars from the refit's date on.

        Raises ValueError where the learner forecasts NaN, and what its fit raises.
        """
        windows = list(pool.windows.values())
        models = fit_many(self.learner, [window.training for window in windows])
        blocks = {}
        for symbol, window, model in zip(pool.windows, windows, models, strict=True):
            block = _block(model, window)
            if block.isna().any():
                raise ValueError(f"{self.learner!r} fitted on {pool.date:%Y-%m-%d} forecast NaN for {symbol}")
            blocks[symbol] = block[block.index >= pool.date]
        return blocks

    def _pool(self, frames: Mapping[str, pd.DataFrame], calendar: pd.DatetimeIndex, k: int) -> Pool:
        """The refit on date number k of the calendar."""
        previous, date = calendar[max(k - self.every, 0)], calendar[k]
        end = calendar[k + self.every] if k + self.every < len(calendar) else None
        windows = {}
        for symbol, bars in frames.items():
            split = int(bars.index.searchsorted(date, side="right"))
            stop = len(bars) if end is None else int(bars.index.searchsorted(end))
            if split >= self.train and bars.index[split - 1] > previous:
                windows[symbol] = Window(bars, split - self.train, split, max(stop, split))
        return Pool(date, windows)


def fit_many(learner: Learner, slices: Sequence[pd.DataFrame]) -> list[Learner]:
    """A copy of the learner for each slice, fitted to all slices together.

    Raises TypeError for a learner that has no `fit_many`, and what its fit raises.
    """
    if isinstance(learner, FitsMany):
        return list(learner.fit_many(slices))
    if isinstance(learner, OLSFeatures):
        return list(_regress(learner, slices))
    raise TypeError(f"{type(learner).__name__} has no fit_many")


def _regress(learner: OLSFeatures, slices: Sequence[pd.DataFrame]) -> list[OLSFeatures]:
    """One regression of (y - μ)/σ on the scaled features of all slices; a slice's forecast is μ + σ · the fitted value.

    Least squares with a constant is equivariant to shifts and scales of y, so with a single slice this equals `fit`.
    """
    designs, targets, moments, copies = [], [], [], []
    complete = slice(1, -1)  # row 0 has no return, and the last row no target yet
    for bars in slices:
        copy = replace(learner)
        rows = features(bars, learner.features)
        copy.scale_ = Scale.of(rows)
        y = next_returns(bars)[learner.lags - 1 :][complete]
        mean, std = float(y.mean()), float(y.std()) or 1.0
        designs.append(copy._design(rows)[complete])
        targets.append((y - mean) / std)
        moments.append((mean, std))
        copies.append(copy)
    design = np.vstack(designs)
    if not np.isfinite(design).all():
        raise ValueError("the bars to train on hold a price or volume that is not a number")
    coefficients = np.linalg.lstsq(design, np.concatenate(targets), rcond=None)[0]
    for copy, (mean, std) in zip(copies, moments, strict=True):
        copy.coefficients_ = coefficients * std
        copy.coefficients_[0] += mean
    return copies


def _block(model: Learner, window: Window) -> pd.Series:
    """The fitted model's forecasts of the block, recorded in the training log."""
    if hasattr(model, "predict_block"):
        return model.predict_block(window)
    forecast = model.predict(window.model_bars)
    training_log.record_fit(window, forecast)
    return forecast.iloc[-window.block :]
