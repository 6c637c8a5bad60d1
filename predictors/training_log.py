"""The log of training: what learners record about their fits while a log is open.

Recording changes no forecast, and nothing is recorded where no log is open.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from .bars import log_returns
from .window import Window


@dataclass
class TrainingLog:
    """The records of an open log, in the order in which they were made.

    windows: one record for each net and window: `date` of the fit, `net` (its number from 0), and further values of
             the learner's own. The tear sheet draws `loss`, in the units of the learner's objective, and
             `loss_first`, the loss of the first epoch.
    spreads: standard deviation of the forecasts over the nets of a window, at the bars of its block.
    states:  for recurrent nets, the means of their gates and states over all units of all nets, at the bars of a block.
    """

    windows: list[dict[str, object]] = field(default_factory=list)
    spreads: list[pd.Series] = field(default_factory=list)
    states: list[pd.DataFrame] = field(default_factory=list)

    def extend(self, other: TrainingLog) -> None:
        """Appends the records of another log."""
        self.windows += other.windows
        self.spreads += other.spreads
        self.states += other.states

    def training(self) -> Training | None:
        """The records as tables in order of their dates; None where no window was recorded."""
        if not self.windows:
            return None
        return Training(
            pd.DataFrame(self.windows).sort_values(["date", "net"], ignore_index=True),
            pd.concat(self.spreads).sort_index(kind="stable").rename("spread") if self.spreads else None,
            pd.concat(self.states).sort_index(kind="stable") if self.states else None,
        )


@dataclass(frozen=True)
class Training:
    """How the windows of a learner were trained: the records of a `TrainingLog` as tables.

    windows: one row for each net and window, ordered by `date` and `net`.
    spread:  standard deviation over the nets at every forecast bar; None for a learner of a single net.
    states:  at the same bars, a column for each gate and state: `forget`, `input`, `output` and `cell` of an LSTM; None
             for a learner without states.
    """

    windows: pd.DataFrame
    spread: pd.Series | None = None
    states: pd.DataFrame | None = None


_LOG: ContextVar[TrainingLog | None] = ContextVar("training_log", default=None)


@contextmanager
def recording() -> Iterator[TrainingLog]:
    """Opens a log of all training inside the block."""
    log = TrainingLog()
    token = _LOG.set(log)
    try:
        yield log
    finally:
        _LOG.reset(token)


def current() -> TrainingLog | None:
    """The open log, for a learner to record in; None where no log is open."""
    return _LOG.get()


def record_fit(window: Window, forecast: pd.Series) -> None:
    """Records the fit of a window where a log is open; `forecast` is the fitted model's on `window.model_bars`.

    loss = Σ(y - f)² / Σy² over the training slice, y the next return; the slice's last bar has none.
    """
    log = current()
    if log is None:
        return
    target = log_returns(window.training).shift(-1)
    error = target - forecast.reindex(target.index)
    total = float((target[error.notna()] ** 2).sum())
    loss = float((error**2).sum()) / total if total else np.nan
    log.windows.append({"date": window.date, "net": 0, "loss": loss})
