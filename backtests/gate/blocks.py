"""The comb inside the blocks of a walk-forward: within a block the fitted model is fixed, so a probe costs no training.

A few models, fitted evenly over the run, forecast the blocks up to the fit of the next of them, on bars that are
changed one by one. Where a learner is slow (it trains many windows at once, or has a `tiny` form), they forecast fewer
bars, so that all combs together forecast a small share of the bars that the run forecast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from ...predictors import Learner, Window
from ...predictors.checks.comb import comb
from ...predictors.checks.lookahead import Leak, absolute_difference
from .probing import FEWEST, MOST, WORK, fresh_copy, work_of

MODELS = 3
SLOW_SHARE = 0.008  # of the bars that the run's windows forecast, those of the combs of a slow learner's one model
SLOW_CALLS = 24  # of its combs


@dataclass(frozen=True)
class Blocks:
    """What the combs of some fitted models show.

    probed: whether each bar was probed (T,).   limits: what could have gone unseen there, in log return.
    fits:   how many models there were.   again: by how much their own blocks differ from the run's, most
    in the window fitted at `date`.
    """

    leak: Leak | None
    probed: np.ndarray
    limits: np.ndarray
    calls: int
    fits: int
    again: float
    date: pd.Timestamp


def comb_blocks(
    learner: Learner, windows: list[Window], reference: np.ndarray, models: int, nearest: np.ndarray | None = None
) -> Blocks:
    """Combs the blocks of a run with this many models; `reference` is what the run forecast (T,).

    nearest: how far that is from the nearest forecast of another name (T,).
    """
    slow = hasattr(learner, "tiny") or type(learner).forecast is not Learner.forecast
    models = min(models, len(windows), 1 if slow else MODELS)
    firsts = np.linspace(0, len(windows), models + 1).astype(int)
    segments = [(windows[a], windows[b - 1].stop) for a, b in pairwise(firsts)]
    if slow:
        bars = SLOW_SHARE * sum(w.stop - w.start for w in windows) / SLOW_CALLS
        segments = [(w, min(stop, w.split + max(int(bars), w.block))) for w, stop in segments]
    # A bar more, so that the last forecast of a block has one after it.
    segments = [(w, min(stop + 1, len(reference))) for w, stop in segments]
    total = sum(stop - w.start for w, stop in segments)
    probed, limits = np.zeros(len(reference), bool), np.full(len(reference), np.nan)
    calls, again = 0, (0.0, windows[0].date)
    for done, (w, stop) in enumerate(segments, start=1):
        model = fresh_copy(learner).fit(w.training)
        predict, rows = _predicting(model, w, stop, windows[0].bars)
        own = predict(rows).to_numpy(float)
        block = reference[w.split - 1 : w.stop]
        first = len(rows) - (stop - w.split + 1)
        again = max(again, (float(absolute_difference(own[first : first + len(block)], block).max()), w.date))
        noise = float(absolute_difference(predict(rows).to_numpy(float), own).max())
        most = SLOW_CALLS
        if not slow:
            work = work_of(lambda: predict(rows)) * len(segments) + total  # noqa: B023
            most = int(np.clip(WORK / work, FEWEST, MOST))
        at = slice(stop - len(rows), stop)
        combed = comb(predict, rows, own, noise, most, None if nearest is None else nearest[at])
        calls += combed.calls
        probed[at] |= combed.probed
        limits[at] = np.where(combed.probed, combed.limit, limits[at])
        if combed.leak:
            leak = replace(combed.leak, cut=combed.leak.cut + stop - len(rows))
            return Blocks(leak, probed, limits, calls, done, *again)
    return Blocks(None, probed, limits, calls, len(segments), *again)


def _predicting(
    model: Learner, window: Window, stop: int, bars: pd.DataFrame
) -> tuple[Callable[[pd.DataFrame], pd.Series], pd.DataFrame]:
    """A fitted model as a function of the bars of a window whose block goes on to `stop`, NaN before the block."""
    rows = bars.iloc[window.start : stop]
    split = window.split - window.start
    of_block = getattr(model, "predict_block", None)

    def predict(changed: pd.DataFrame) -> pd.Series:
        if of_block is not None:
            block = of_block(Window(changed, 0, split, len(changed)))
        else:
            block = model.predict(changed.copy()).iloc[split - 1 :]
        return block.reindex(changed.index)

    return predict, rows
