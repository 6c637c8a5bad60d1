"""The contract of predictors and learners: one question, one method, one unit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Self

import pandas as pd

from . import training_log
from .window import Window


class Predictor(ABC):
    """Forecasts the next bar's log return at every close.

    A subclass is a frozen dataclass; its fields are its hyper-parameters, and it checks them in `__post_init__`.
    Classes are abstract or final: to change a predictor, wrap it.
    """

    @abstractmethod
    def predict(self, bars: pd.DataFrame) -> pd.Series:
        """Expected `log(close[t+1] / close[t])` at every bar t, as a float Series on `bars.index`.

        Value t uses bars up to and including t. Values are NaN during the warm-up, and finite from the first number on.

        Raises ValueError where the predictor needs more bars than these.
        """


class Learner(ABC):
    """A model that must be fitted to past bars before it can forecast; it cannot be traded until it is wrapped in
    `WalkForward`.

    A subclass is a dataclass (not frozen): its fields are hyper-parameters, and `fit` writes only attributes whose
    names end in an underscore. A random model derives its seed from its `seed` field and the last date it is fitted
    on, never from global random state.
    """

    @abstractmethod
    def fit(self, bars: pd.DataFrame) -> Self:
        """Estimates the model on these bars alone, independently of any earlier fit; returns itself.

        The last bar's target, its next return, lies outside the slice, so it cannot leak into the fit.

        Raises ValueError where the model needs more bars than these.
        """

    @abstractmethod
    def predict(self, bars: pd.DataFrame) -> pd.Series:
        """As `Predictor.predict`, with the fitted parameters."""

    @property
    def chained(self) -> bool:
        """Whether a fit starts from that of the window before, so that the windows of one series are one task."""
        return False

    def forecast(self, windows: Sequence[Window]) -> Iterator[tuple[int, pd.Series]]:
        """Fits and forecasts every window; yields `(position in windows, forecast of its block)` as each one ends.

        This is the reference implementation: one window after another. A learner that can train many at once overrides
        this method with equal results. A window's forecast never depends on the other windows.

        Raises what `fit` and `predict` raise.
        """
        for position, window in enumerate(windows):
            model = replace(self).fit(window.training)  # type: ignore[type-var]
            forecast = model.predict(window.model_bars)
            training_log.record_fit(window, forecast)
            yield position, forecast.iloc[-window.block :]
