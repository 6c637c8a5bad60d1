"""From windows to training jobs: one job for every net of every window.

Notation: F features, P parameters of a net.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd

from ..bars import log_returns
from ..features import Scale, features
from ..window import Window
from . import random_numbers
from .jobs import Job, Samples
from .settings import RecurrentSettings


@dataclass(frozen=True)
class Inputs:
    """A frame of bars as arrays, computed once for all of its windows.

    rows:    the features of every bar, unscaled, (bars, F).
    returns: the log return of every bar, (bars,).
    """

    rows: np.ndarray
    returns: np.ndarray

    @classmethod
    def of(cls, bars: pd.DataFrame, names: Sequence[str]) -> Self:
        """The named features and the returns of these bars."""
        return cls(np.ascontiguousarray(features(bars, names)), log_returns(bars).to_numpy())


def window_jobs(settings: RecurrentSettings, inputs: Inputs, window: Window, date: pd.Timestamp) -> list[Job]:
    """The job of every net of a window, in order of the nets.

    inputs: of `window.bars`.
    date:   of the fit, from which the nets' seeds are derived.

    Raises ValueError where the training slice is too short for a single sample.
    """
    # The first bar of a slice has no return.
    slice_rows = slice(window.start + 1, window.split)
    scale = Scale.of(np.column_stack([inputs.rows[slice_rows], inputs.returns[slice_rows]]))
    moments = np.column_stack([scale.mean, scale.std])
    if settings.target != "standard":
        moments[-1] = 0.0, 1.0 if settings.target == "raw" else moments[-1, 1]
    bounds = window.start + 1, window.split, window.stop
    window_key = random_numbers.key(settings.seed, date.value)
    jobs = [
        Job(inputs.rows, inputs.returns, moments, *bounds, random_numbers.key(window_key, net), settings.epochs, date)
        for net in range(settings.seeds)
    ]
    if not len(Samples.of(settings.plan(), jobs[0]).training):
        raise ValueError(
            f"lookback={settings.lookback} and validation={settings.validation} leave nothing to train on in "
            f"{window.split - window.start} bars; a lookback without validation needs {settings.lookback + 2} bars"
        )
    return jobs


def walk_forward_jobs(
    settings: RecurrentSettings, windows: Sequence[Window]
) -> tuple[list[tuple[int, int]], list[Job]]:
    """All jobs of a walk-forward in the order of training, and for each its (position in windows, net).

    With `warm`, the jobs of one net over the windows of one series follow one another, and each continues the last.

    Raises ValueError as `window_jobs`.
    """
    frames = {id(window.bars): window.bars for window in windows}
    inputs = {frame: Inputs.of(bars, settings.features) for frame, bars in frames.items()}
    jobs = [window_jobs(settings, inputs[id(window.bars)], window, window.date) for window in windows]
    if not settings.warm:
        order = [(k, net) for k in range(len(windows)) for net in range(settings.seeds)]
        return order, [jobs[k][net] for k, net in order]
    chains = [
        [(k, net) for k, window in enumerate(windows) if id(window.bars) == frame]
        for frame in frames
        for net in range(settings.seeds)
    ]
    chained = [
        replace(jobs[k][net], epochs=settings.warm, continues=True) if (k, net) != chain[0] else jobs[k][net]
        for chain in chains
        for k, net in chain
    ]
    return [place for chain in chains for place in chain], chained
