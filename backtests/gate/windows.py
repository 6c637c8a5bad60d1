"""The gate of a walk-forward: some of its windows trained again, on bars that are gone or changed after a cut.

Notation: c cut, the number of bars left untouched; a cut of c shows what the forecast at bar c - 1 reads of later bars.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ...predictors import Learner, WalkForward, Window
from ...predictors.bars import COLUMNS
from ...predictors.checks.lookahead import SHORTENED, Leak, absolute_difference, find_leak, size_of, tolerance
from ...predictors.checks.perturbations import changed, truncated
from .blocks import comb_blocks
from .probing import PERTURBED, absolute_returns, fresh_copy, month_ends, quarter_ends
from .second_process import fitted_elsewhere
from .verdict import NEGLIGIBLE, Unrepeatable, Verdict, WindowDependence

SHARE = 0.09  # of the windows that are trained again
PROBES_PER_WINDOW = 7  # a window is trained as it was, and with the bars after three cuts in its block gone or changed
MOST_WINDOWS = 30


@dataclass(frozen=True)
class _Probe:
    """A window of the run, and the same on bars that are gone or changed after a cut."""

    window: Window
    perturbed: Window
    cut: int
    perturbation: str

    def moved(self, block: pd.Series, reference: np.ndarray) -> np.ndarray:
        """How far the forecasts before the cut, made on the perturbed bars, are from the run's."""
        first = self.window.split - 1
        return absolute_difference(block.to_numpy(float)[: self.cut - first], reference[first : self.cut])


def examine_windows(
    predictor: WalkForward, bars: pd.DataFrame, reference: np.ndarray, nearest: np.ndarray | None = None
) -> Verdict:
    """Trains a few windows again: as they were, then with the bars after three cuts in their blocks perturbed."""
    learner, size = predictor.learner, size_of(reference)
    all_windows = predictor.windows(bars)
    windows = [w for w in all_windows if w.stop < len(bars)] or all_windows[:1]
    chosen, dependence, noise = _retrained(learner, windows, reference)
    if dependence:
        return Verdict(len(chosen), dependence, noise / (size or 1.0))
    # Not one of them beside an untouched window, which would bring the future along.
    probes = [probe for turn, window in enumerate(chosen) for probe in _probes(window, turn)]
    limit = tolerance(reference, noise)
    # Not by the learner itself either, which may remember what it was shown in the run.
    for k, block in fresh_copy(learner).forecast([probe.perturbed for probe in probes]):
        probe = probes[k]
        # Fewer bars are another shape, in which float32 rounds otherwise.
        least = max(limit, SHORTENED * size) if probe.perturbation == "cut off" else limit
        if (beyond := (moved := probe.moved(block, reference)) > least).any():
            at = probe.window.split - 1 + int(np.argmax(beyond))
            columns = () if probe.perturbation == "cut off" else COLUMNS
            leak = Leak(
                bars.index[at], probe.cut, probe.cut - at, columns, float(moved.max()), noise, probe.perturbation
            )
            return Verdict(len(probes), _explained(learner, probe) or leak, noise / (size or 1.0))
    return _combed(learner, all_windows, reference, nearest, probes, noise, limit)


def _combed(
    learner: Learner,
    windows: list[Window],
    reference: np.ndarray,
    nearest: np.ndarray | None,
    probes: list[_Probe],
    noise: float,
    limit: float,
) -> Verdict:
    """The verdict of these probes, which showed nothing, and of combs inside the blocks."""
    size, chosen = size_of(reference) or 1.0, {probe.window.split for probe in probes}
    models = max(1, int(SHARE * len(windows)) - PROBES_PER_WINDOW * len(chosen))
    blocks = comb_blocks(learner, windows, reference, models, nearest)
    probed, limits = blocks.probed, blocks.limits
    for probe in probes:
        limits[probe.cut - 1] = limits[probe.cut - 1] if probed[probe.cut - 1] else limit
        probed[probe.cut - 1] = True
    known = np.isfinite(reference[:-1])
    probed = probed[:-1] & known
    hidden = float(np.median(limits[:-1][probed])) / size if probed.any() else limit / size
    leak: Leak | Unrepeatable | None = blocks.leak
    if leak is None and blocks.again > NEGLIGIBLE * size and not learner.chained:
        leak = Unrepeatable(blocks.date, blocks.again, "a fresh copy of its module was fitted again")
    leak = leak or _elsewhere(learner, windows[0], reference)
    return Verdict(
        len(probes) + blocks.calls,
        leak,
        noise / size,
        int(probed.sum()),
        int(known.sum()),
        hidden,
        len(chosen) + blocks.fits,
        len(windows),
    )


def _retrained(
    learner: Learner, windows: list[Window], reference: np.ndarray
) -> tuple[list[Window], WindowDependence | Unrepeatable | None, float]:
    """Some windows trained again, the last first: which, whether they need the others, and the noise of training."""
    count = int(np.clip(SHARE * len(windows) / PROBES_PER_WINDOW, 1, MOST_WINDOWS))
    chosen = _spread(windows, count)
    alone = _blocks(learner, chosen[::-1])[::-1]
    gaps = [
        float(absolute_difference(block, reference[w.split - 1 : w.stop]).max())
        for w, block in zip(chosen, alone, strict=True)
    ]
    worst = int(np.argmax(gaps))
    if gaps[worst] <= NEGLIGIBLE * size_of(reference):
        return chosen, None, gaps[worst]
    # Not the run's forecast: because it is random, or because the windows that were beside it are missing?
    again = _blocks(learner, chosen[::-1])[::-1]
    noise = max(float(absolute_difference(a, b).max()) for a, b in zip(again, alone, strict=True))
    if gaps[worst] > 8 * noise:
        return chosen, WindowDependence(chosen[worst].date, gaps[worst], noise), noise
    return chosen, Unrepeatable(chosen[worst].date, gaps[worst], "its window was trained again"), noise


def _elsewhere(learner: Learner, window: Window, reference: np.ndarray) -> Unrepeatable | None:
    """Whether fresh processes fit a window as the run did, within `NEGLIGIBLE` of the forecasts' size."""
    for block in fitted_elsewhere(learner, window):
        change = float(absolute_difference(block, reference[window.split - 1 : window.stop]).max())
        if change > NEGLIGIBLE * size_of(reference):
            return Unrepeatable(window.date, change, "its window was trained in a fresh process")
    return None


def _blocks(learner: Learner, windows: list[Window]) -> list[np.ndarray]:
    """The forecast of each window."""
    blocks = dict(learner.forecast(windows))
    return [blocks[k].to_numpy(float) for k in range(len(windows))]


def _spread(windows: list[Window], count: int) -> list[Window]:
    return [windows[k] for k in np.linspace(0, len(windows) - 1, count).astype(int)]


def _probes(window: Window, turn: int) -> list[_Probe]:
    """A window's probes, cut after its fit, after its block, and after a notable bar between.

    Ends of months and quarters, busy bars and wild bars take turns over the windows.
    """
    w, bars = window, window.bars
    ends = np.concatenate([month_ends(bars.index), quarter_ends(bars.index)])  # that of a quarter before others
    ends = ends[(w.split <= ends) & (ends <= w.stop)]
    block = slice(w.split - 1, w.stop)
    notable = (
        int(ends[-1]) if len(ends) else (w.split + w.stop) // 2,
        w.split + int(np.argmax(bars["volume"].to_numpy(float)[block])),
        w.split + int(np.argmax(absolute_returns(bars)[block])),
    )
    probes = []
    for cut in sorted({w.split, notable[turn % 3], w.stop}):
        probes.append(_Probe(w, Window(truncated(bars, cut), w.start, w.split, cut), cut, "cut off"))
        if cut < len(bars):
            other = Window(changed(bars, cut, COLUMNS), w.start, w.split, w.stop)
            probes.append(_Probe(w, other, cut, "given other values"))
    return probes


def _explained(learner: Learner, probe: _Probe) -> Leak | None:
    """The leak as `find_leak` reports it, from this window alone; None where this window does not show it."""
    window, start = probe.window, probe.window.start
    width = window.split - start

    def predict(bars: pd.DataFrame) -> pd.Series:
        forecast = pd.Series(np.nan, index=bars.index)
        if len(bars) >= width:
            stop = min(len(bars), window.stop - start)
            ((_, block),) = learner.forecast([Window(bars, 0, width, stop)])
            forecast.iloc[width - 1 : stop] = block.to_numpy(float)
        return forecast

    leak = find_leak(predict, window.bars.iloc[start:], [probe.cut - start], PERTURBED)
    return leak and replace(leak, cut=probe.cut)
