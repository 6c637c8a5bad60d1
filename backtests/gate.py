"""The gate: no clean tear sheet before the predictor was seen not to look ahead, on these bars with these parameters.

A fast form of `predictors.checks`, which probes every bar; this probes some bars of the real run, for at most a tenth
of its time where windows are retrained.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from predictors import Learner, Predictor, WalkForward, Window
from predictors.bars import COLUMNS
from predictors.lookahead import Leak, changed, find_leak, tolerance, truncated

TRICKS = ("cut off", "given other prices", "given other volume")
# A window is trained again on its own, and cut off and changed after three bars of its block.
PROBES_PER_WINDOW = 7
SHARE = 0.09  # of the windows that are trained again
SECONDS = 1.0  # spent on a predictor that is not retrained, unless a few probes alone take longer
FEWEST, MOST = 6, 120  # bars of it that are probed


class LookAheadError(ValueError):
    """The predictor looked ahead; `leak` says where."""

    def __init__(self, leak: Leak) -> None:
        super().__init__(
            f"the predictor looks ahead: {leak}. No clean tear sheet can come of it; "
            "`check` says more, and --allow-lookahead prints a marked one"
        )
        self.leak = leak


@dataclass(frozen=True)
class Verdict:
    """What the gate found: how many times it asked for a forecast on spoilt bars, and the leak, if there was one."""

    probes: int
    leak: Leak | None

    def __str__(self) -> str:
        return f"{self.leak}" if self.leak else f"none found in {self.probes} probes of these bars and parameters"


def examine(predictor: Predictor, bars: pd.DataFrame, forecast: pd.Series) -> Verdict:
    """Probes a predictor on the bars it is backtested on; `forecast` is what it forecast there."""
    if isinstance(predictor, WalkForward):
        return _examine_windows(predictor, bars, forecast.to_numpy(float))
    started = time.perf_counter()
    predictor.predict(bars.copy())
    pace = time.perf_counter() - started
    count = int(np.clip(SECONDS / (len(TRICKS) * max(pace, 1e-6)), FEWEST, MOST))
    cuts = _telling_cuts(bars, int(np.argmax(forecast.notna())) + 1, count)
    return Verdict(len(cuts) * len(TRICKS), find_leak(predictor.predict, bars, cuts, TRICKS))


def _telling_cuts(bars: pd.DataFrame, first: int, count: int) -> list[int]:
    """Where to cut: after month ends, the busiest and the wildest bars and the last ones, and anywhere else.

    A cut of c shows what the forecast at bar c - 1 reads of the bars after it.
    """
    last = len(bars) - 1
    months = np.flatnonzero(np.diff(bars.index.month)) + 1
    volume = bars["volume"].to_numpy(float)
    moves = np.abs(np.diff(np.log(bars["close"].to_numpy(float)), prepend=np.nan))
    share = max(1, count // 6)
    groups: Iterable[np.ndarray] = (
        np.arange(last - 2, last + 1),
        months[np.linspace(0, len(months) - 1, min(share, len(months))).astype(int)] if len(months) else months,
        np.argsort(volume)[-share:] + 1,
        np.argsort(np.nan_to_num(moves))[-share:] + 1,
        np.random.default_rng(0).integers(first, last + 1, count),
    )
    cuts = dict.fromkeys(int(c) for group in groups for c in group if first <= c <= last)
    return sorted(list(cuts)[:count])


def _examine_windows(predictor: WalkForward, bars: pd.DataFrame, reference: np.ndarray) -> Verdict:
    """Trains a few windows again: as they were, and with the bars after three cuts in their blocks gone or changed."""
    windows = [w for w in predictor.windows(bars) if w.stop < len(bars)] or predictor.windows(bars)[:1]
    count = max(1, int(SHARE * len(windows) / PROBES_PER_WINDOW))
    chosen = [windows[k] for k in np.linspace(0, len(windows) - 1, count).astype(int)]
    probes: list[tuple[Window, int]] = []
    for w in chosen:
        probes.append((w, w.stop))
        for cut in sorted({w.split, (w.split + w.stop) // 2, w.stop}):
            probes.append((Window(truncated(bars, cut), w.start, w.split, cut), cut))
            if cut < len(bars):
                probes.append((Window(changed(bars, cut, COLUMNS), w.start, w.split, w.stop), cut))
    blocks = dict(predictor.learner.forecast([window for window, _ in probes]))
    moved = {k: _moved(probes[k], blocks[k], reference) for k in blocks}
    noise = max(float(moved[k].max()) for k, (window, _) in enumerate(probes) if window in chosen)
    limit = tolerance(reference, noise)
    for k, (window, cut) in enumerate(probes):
        if (moved[k] > limit).any():
            at = window.split - 1 + int(np.argmax(moved[k] > limit))
            found = Leak(bars.index[at], cut, cut - at, (), float(moved[k].max()), noise, "cut off or changed")
            return Verdict(len(probes), _explained(predictor.learner, bars, window) or found)
    return Verdict(len(probes), None)


def _moved(probe: tuple[Window, int], block: pd.Series, reference: np.ndarray) -> np.ndarray:
    """How far the forecasts of a block before the cut moved from the run's."""
    window, cut = probe
    return np.abs(block.to_numpy(float)[: cut - window.split + 1] - reference[window.split - 1 : cut])


def _explained(learner: Learner, bars: pd.DataFrame, window: Window) -> Leak | None:
    """The leak as `find_leak` tells it, from this window's bars alone; None where they do not show it."""
    width = window.split - window.start

    def predict(slice_: pd.DataFrame) -> pd.Series:
        forecast = pd.Series(np.nan, index=slice_.index)
        if len(slice_) >= width:
            stop = min(len(slice_), window.stop - window.start)
            ((_, block),) = learner.forecast([Window(slice_, 0, width, stop)])
            forecast.iloc[width - 1 : stop] = block.to_numpy(float)
        return forecast

    near = bars.iloc[window.start : window.stop + 10]
    return find_leak(predict, near, range(width, len(near)), TRICKS)
