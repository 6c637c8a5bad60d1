"""A diary of training: what learners note of their windows while somebody keeps one.

Keeping one changes no forecast, and nothing is noted where none is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rollcast.predictors.bars import log_returns

if TYPE_CHECKING:
    from rollcast.predictors.walk_forward import Window


@dataclass
class Diary:
    """What was noted.

    windows: one entry a net and window: `date` of the fit, `net` (its number), and whatever else its learner says of
             it; `loss`, in whatever it minimises, is drawn on the sheet, and `loss_first`, that of the first epoch.
    spreads: standard deviation over the nets of a window, at the bars of its block.
    states:  means over the units of all nets of a recurrent net's gates and states, at the bars of a block.
    """

    windows: list[dict[str, Any]] = field(default_factory=list)
    spreads: list[pd.Series] = field(default_factory=list)
    states: list[pd.DataFrame] = field(default_factory=list)

    def add(self, other: Diary) -> None:
        """Puts what another holds behind what is here."""
        self.windows += other.windows
        self.spreads += other.spreads
        self.states += other.states

    def training(self) -> Training | None:
        """All of it in order of the dates; None if no window was noted."""
        if not self.windows:
            return None
        return Training(
            pd.DataFrame(self.windows).sort_values(["date", "net"], ignore_index=True),
            pd.concat(self.spreads).sort_index(kind="stable").rename("spread") if self.spreads else None,
            pd.concat(self.states).sort_index(kind="stable") if self.states else None,
        )


@dataclass(frozen=True)
class Training:
    """How a learner's windows were trained; the fields are those of `Diary`, as tables.

    windows: one row a net and window, ordered by `date` and `net`.
    spread:  at every bar forecast; None for a learner of one net.
    states:  likewise, a column for each gate and state: `forget`, `input`, `output` and `cell` of an LSTM; None for a
             learner that has none.
    """

    windows: pd.DataFrame
    spread: pd.Series | None = None
    states: pd.DataFrame | None = None


_OPEN: ContextVar[Diary | None] = ContextVar("diary", default=None)


@contextmanager
def kept() -> Iterator[Diary]:
    """Keeps a diary of every training inside the block."""
    diary = Diary()
    token = _OPEN.set(diary)
    try:
        yield diary
    finally:
        _OPEN.reset(token)


def current() -> Diary | None:
    """The diary that is kept, for a learner to write in; None if there is none."""
    return _OPEN.get()


def note_fit(window: Window, forecast: pd.Series) -> None:
    """Notes the fit of a window, if a diary is kept; `forecast` is the fitted model's on `window.seen`.

    The loss is Σ(y-f)²/Σy² over the training slice, whose last bar has no outcome in it.
    """
    diary = current()
    if diary is None:
        return
    outcome = log_returns(window.training).shift(-1)
    error = outcome - forecast.reindex(outcome.index)
    total = float((outcome[error.notna()] ** 2).sum())
    loss = float((error**2).sum()) / total if total else np.nan
    diary.windows.append({"date": window.date, "net": 0, "loss": loss})
