"""The look-ahead gate: no clean tear sheet without an examination on these bars with these parameters.

A fixed plan, the same on every machine: a forecast is made again, bars are cut off and changed at notable places, and
a comb of changed bars probes every bar, or as many as a budget of calls allows. Of a walk-forward, as many windows are
trained again as cost at most a tenth of the run.

Notation: c cut, the number of bars left untouched; a cut of c shows what the forecast at bar c - 1 reads of later bars.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass

import numpy as np
import pandas as pd

from ...predictors import Predictor, WalkForward
from ...predictors.bars import COLUMNS
from ...predictors.checks.comb import comb
from ...predictors.checks.lookahead import SHORTENED, Leak, absolute_difference, find_unguarded_leak, size_of, tolerance
from ...predictors.checks.perturbations import truncated
from .probing import FEWEST, MOST, PERTURBED, WORK, fresh_copy, notable_bars, work_of
from .verdict import Unrepeatable, Verdict
from .windows import examine_windows

FORGOTTEN = "cut off, and what was shown to it before forgotten"
CUTS = 24


def examine(
    predictor: Predictor, bars: pd.DataFrame, forecast: pd.Series, nearest: np.ndarray | None = None
) -> Verdict:
    """Probes a predictor on the bars it is backtested on; `forecast` is what it forecast there.

    nearest: how far it is at each bar to the nearest forecast of another name of the portfolio (T,).
    """
    reference = forecast.to_numpy(float)
    if isinstance(predictor, WalkForward):
        return examine_windows(predictor, bars, reference, nearest)
    size = size_of(reference) or 1.0
    noise, unrepeatable = _repeats(predictor, bars, reference)
    if unrepeatable:
        return Verdict(0, unrepeatable, noise / size)
    work = work_of(lambda: predictor.predict(bars.copy())) + len(bars)
    calls = int(np.clip(WORK / work, FEWEST, MOST))
    count = int(np.clip(calls / len(PERTURBED) / 4, FEWEST, CUTS))
    cuts = _probed_cuts(bars, reference, count)
    leak = find_unguarded_leak(predictor.predict, bars, cuts, PERTURBED)
    leak = leak or _memory_leak(predictor, bars, reference, noise, cuts)
    probes, known = len(cuts) * len(PERTURBED), int(np.isfinite(reference[:-1]).sum())
    if leak:
        return Verdict(probes, leak, noise / size, len(cuts), known)
    combed = comb(predictor.predict, bars, reference, noise, calls, nearest)
    probed = combed.probed.copy()
    probed[np.array(cuts) - 1] = True
    hidden = float(np.median(combed.limit)) / size
    probes += combed.calls
    return Verdict(
        probes, combed.leak, noise / size, int(probed[:-1][np.isfinite(reference[:-1])].sum()), known, hidden
    )


def nearest_names(series: Mapping[str, pd.Series]) -> dict[str, np.ndarray]:
    """How far each name's forecast is at its bars from the nearest of the others on that date; a tie counts as none."""
    table = pd.DataFrame(dict(enumerate(series.values())))  # names may be any text
    values = table.to_numpy(float)
    order = np.argsort(values, axis=1)  # NaN last
    steps = np.diff(np.take_along_axis(values, order, axis=1), axis=1)
    steps[~(steps > 0)] = np.inf
    edge = np.full((len(values), 1), np.inf)
    nearest = np.empty_like(values)
    np.put_along_axis(nearest, order, np.minimum(np.hstack([edge, steps]), np.hstack([steps, edge])), axis=1)
    rows = {name: table.index.get_indexer(one.index) for name, one in series.items()}
    return {name: nearest[rows[name], k] for k, name in enumerate(series)}


def _repeats(predictor: Predictor, bars: pd.DataFrame, reference: np.ndarray) -> tuple[float, Unrepeatable | None]:
    """By how much a forecast moves when it is made again, after other bars, and by a fresh copy of the module."""
    noise, half = 0.0, truncated(bars, max(len(bars) // 2, 2))
    # A class without fields cannot be made again by them.
    fresh = fresh_copy(predictor) if is_dataclass(predictor) else predictor
    for way, again in (
        ("it was made again", lambda: predictor.predict(bars.copy())),
        ("it was made after other bars", lambda: (_refused(predictor, half), predictor.predict(bars.copy()))[1]),
        ("its module was run afresh", lambda: fresh.predict(bars.copy())),
    ):
        change = absolute_difference(again().to_numpy(float), reference)
        worst = float(change.max(initial=0.0))
        if worst > SHORTENED * size_of(reference):
            return worst, Unrepeatable(bars.index[int(np.argmax(change))], worst, way)
        noise = max(noise, worst)
    return noise, None


def _refused(predictor: Predictor, bars: pd.DataFrame) -> bool:
    """Whether the predictor refuses these bars, which may be too few for it."""
    try:
        predictor.predict(bars)
    except ValueError:
        return True
    return False


def _memory_leak(
    predictor: Predictor, bars: pd.DataFrame, reference: np.ndarray, noise: float, cuts: list[int]
) -> Leak | None:
    """A leak that the predictor hides by remembering the bars of the run, which a fresh copy has not read."""
    limit = max(tolerance(reference, noise), SHORTENED * size_of(reference))
    for cut in (cuts[0], cuts[len(cuts) // 2], cuts[-1]):
        try:
            again = fresh_copy(predictor).predict(truncated(bars, cut)).to_numpy(float)
        except ValueError:  # too few bars for it
            continue
        if np.isnan(again).all():  # too few likewise, as `find_unguarded_leak` has found
            continue
        moved = absolute_difference(again, reference[:cut])
        if (beyond := moved > limit).any():
            at = int(np.argmax(beyond))
            return Leak(bars.index[at], cut, cut - at, COLUMNS, float(moved.max()), noise, FORGOTTEN)
    return None


def _probed_cuts(bars: pd.DataFrame, reference: np.ndarray, count: int) -> list[int]:
    """`count` cuts: at the first and last forecasts, before and after notable bars in turn, and evenly between."""
    first, last = int(np.argmax(np.isfinite(reference))) + 1, len(bars) - 1
    turns = [first, last, last - 1, last - 2]
    notable = notable_bars(bars, reference)
    for k in range(count):
        turns += [int(kind[k]) + after for kind in notable if k < len(kind) for after in (0, 1)]
    chosen = list(dict.fromkeys(c for c in turns if first <= c <= last))[: count - count // 4]
    return sorted({*chosen, *np.linspace(first, last, count // 4, dtype=int).tolist()})
