"""The contract every predictor keeps: one question, one method, one unit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

import pandas as pd

from rollcast.predictors import training_log

if TYPE_CHECKING:
    from rollcast.predictors.walk_forward import Window


class Predictor(ABC):
    """Forecasts the next bar's log return at every close.

    A subclass is a frozen dataclass; its fields are its hyper-parameters, and it checks them in `__post_init__`.
    Classes are abstract or final: to change a predictor, wrap it.
    """

    @abstractmethod
    def predict(self, bars: pd.DataFrame) -> pd.Series:
        """Expected `log(close[t+1] / close[t])` at every bar t, as a float Series on `bars.index`.

        Value t uses bars up to and including t. NaN while warming up, and never again after the first number.
        """


class Learner(ABC):
    """A model that must see the past before it can forecast; not tradable until wrapped in `WalkForward`.

    A subclass is a dataclass (not frozen): its fields are hyper-parameters, and `fit` writes only attributes whose
    names end in an underscore. A random model derives its seed from its `seed` field and the last date it is fitted
    on, never from global random state.
    """

    @abstractmethod
    def fit(self, bars: pd.DataFrame) -> Self:
        """Learns from these bars alone, forgetting any earlier fit; returns itself.

        The last bar's target (its next return) lies outside the slice, so it cannot leak into the fit.
        """

    @abstractmethod
    def predict(self, bars: pd.DataFrame) -> pd.Series:
        """As `Predictor.predict`, with the fitted weights."""

    @property
    def chained(self) -> bool:
        """Whether a fit goes on from that of the window before, so that the windows of one series are done together."""
        return False

    def forecast(self, windows: Sequence[Window]) -> Iterator[tuple[int, pd.Series]]:
        """Fits and forecasts every window; yields `(position in windows, forecast of its block)` as each is done.

        This is the slow, readable twin: one window after another. A learner that can train many at once overrides
        this one method with an equal result; a window's forecast never depends on the other windows.
        """
        for k, window in enumerate(windows):
            fitted = replace(self).fit(window.training)  # type: ignore[type-var]
            forecast = fitted.predict(window.seen)
            training_log.note_fit(window, forecast)
            yield k, forecast.iloc[-window.block :]
