"""The look-ahead gate: no clean tear sheet without an examination on these bars with these parameters.

A fast form of `predictors.checks`, which probes every bar; this probes some bars of the real run, for at most a tenth
of its time where windows are retrained.

Notation: c cut, the number of bars left untouched; a cut of c shows what the forecast at bar c - 1 reads of later bars.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from ...predictors import Predictor, WalkForward
from ...predictors.bars import COLUMNS
from ...predictors.checks.lookahead import SHORTENED, Leak, absolute_difference, find_leak, size_of, tolerance
from ...predictors.checks.perturbations import truncated
from .probing import PERTURBED, SECONDS, absolute_returns, fresh_copy, month_ends
from .verdict import Verdict
from .windows import examine_windows

FORGOTTEN = "cut off, and what was shown to it before forgotten"
FEWEST, MOST = 6, 60  # bars of a predictor that are probed
SLOW = 2.0  # seconds a forecast, from which on a predictor is only cut off


def examine(predictor: Predictor, bars: pd.DataFrame, forecast: pd.Series) -> Verdict:
    """Probes a predictor on the bars it is backtested on; `forecast` is what it forecast there."""
    reference = forecast.to_numpy(float)
    if isinstance(predictor, WalkForward):
        return examine_windows(predictor, bars, reference)
    start = time.perf_counter()
    again = predictor.predict(bars.copy()).to_numpy(float)
    pace = time.perf_counter() - start
    noise = float(np.nanmax(np.abs(again - reference), initial=0.0))
    # What is slow is cut off only, which shows nearly all leaks and is the cheapest.
    perturbations = PERTURBED[:1] if pace > SLOW else PERTURBED
    count = int(np.clip(SECONDS / (len(perturbations) * max(pace, 1e-6)), FEWEST, MOST))
    cuts = _probed_cuts(bars, int(np.argmax(forecast.notna())) + 1, count)
    leak = find_leak(predictor.predict, bars, cuts, perturbations) or _memory_leak(
        predictor, bars, reference, noise, cuts
    )
    return Verdict(len(cuts) * len(perturbations), leak, noise / (size_of(reference) or 1.0))


def _memory_leak(
    predictor: Predictor, bars: pd.DataFrame, reference: np.ndarray, noise: float, cuts: list[int]
) -> Leak | None:
    """A leak that the predictor hides by remembering the bars of the run, which a fresh copy has not read."""
    limit = max(tolerance(reference, noise), SHORTENED * size_of(reference))
    for cut in (cuts[0], cuts[len(cuts) // 2], cuts[-1]):
        try:
            moved = absolute_difference(
                fresh_copy(predictor).predict(truncated(bars, cut)).to_numpy(float), reference[:cut]
            )
        except ValueError:  # too few bars for it
            continue
        if (beyond := moved > limit).any():
            at = int(np.argmax(beyond))
            return Leak(bars.index[at], cut, cut - at, COLUMNS, float(moved.max()), noise, FORGOTTEN)
    return None


def _probed_cuts(bars: pd.DataFrame, first: int, count: int) -> list[int]:
    """`count` cuts from `first` on: there, at the end, at month ends, high volumes and large returns, and at random."""
    last = len(bars) - 1
    months = month_ends(bars.index)
    months = months[(first <= months) & (months <= last)]
    volume = bars["volume"].to_numpy(float)[first - 1 : last]
    share = max(1, count // 6)
    groups = (
        np.array([first, last, last - 1, last - 2]),
        months[np.linspace(0, len(months) - 1, min(share, len(months))).astype(int)],
        np.argsort(volume)[::-1][:share] + first,
        np.argsort(absolute_returns(bars)[first - 1 : last])[::-1][:share] + first,
        np.random.default_rng(0).integers(first, last + 1, count),
    )
    # One of each in turn, so that a short list has some of all.
    turns = [int(group[k]) for k in range(count) for group in groups if k < len(group)]
    return sorted(list(dict.fromkeys(c for c in turns if first <= c <= last))[:count])
