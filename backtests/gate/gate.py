"""The gate: no clean tear sheet before the predictor was seen not to look ahead, on these bars with these parameters.

A fast form of `predictors.checks`, which probes every bar; this probes some bars of the real run, for at most a tenth
of its time where windows are retrained.

Notation: c cut, the number of bars left untouched; a cut of c shows what the forecast at bar c - 1 reads of later bars.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from rollcast.predictors import Learner, Predictor, WalkForward, Window
from rollcast.predictors.bars import COLUMNS
from rollcast.predictors.checks.lookahead import (
    SHORTENED,
    Leak,
    absolute_difference,
    find_leak,
    size_of,
    tolerance,
)
from rollcast.predictors.checks.perturbations import changed, truncated
from rollcast.predictors.checks.subject import Subject

TRICKS = ("cut off", "given other prices", "given other volume")
KEPT = "cut off, and what was shown to it before forgotten"
SECONDS = 0.5  # spent on a predictor or learner that is quick
FEWEST, MOST = 6, 60  # bars of a predictor that are probed
SLOW = 2.0  # seconds a forecast, from which on a predictor is only cut off
SHARE = 0.09  # of a slow learner's windows that are trained again
PROBES_PER_WINDOW = 7  # a window is trained as it was, and with the bars after three cuts in its block gone or changed
MOST_WINDOWS = 30
COMPANY = 0.01  # of the forecasts' size: float32 training in batches of another size differs by less


class LookAheadError(ValueError):
    """The predictor looked ahead; `leak` says where."""

    def __init__(self, leak: Leak | Company) -> None:
        super().__init__(
            f"the predictor looks ahead: {leak}. No clean tear sheet can come of it; "
            "`check` says more, and --allow-lookahead prints a marked one"
        )
        self.leak = leak


@dataclass(frozen=True)
class Company:
    """A window whose forecast depends on the windows fitted after it: look-ahead by way of the list of windows.

    date: of its fit.   size: by how much it changed.   noise: by how much re-running alone changes it.
    """

    date: pd.Timestamp
    size: float
    noise: float

    def __str__(self) -> str:
        return (
            f"the window fitted on {self.date:%Y-%m-%d} depends on windows fitted later: its forecast moved by "
            f"{self.size:.3g} when they were not trained beside it (by {self.noise:.3g} when only run again)"
        )


@dataclass(frozen=True)
class Verdict:
    """What the gate found.

    probes: how many times it asked for a forecast on spoilt bars.   leak: what was found, if anything was.
    noise:  by how much re-running alone changes a forecast, relative to the size of the forecasts.
    """

    probes: int
    leak: Leak | Company | None
    noise: float = 0.0

    def __str__(self) -> str:
        if self.leak:
            return str(self.leak)
        hidden = f"; running it again moves a forecast by {self.noise:.0%}, which would hide a smaller look-ahead"
        # Not how many probes: that depends on the machine, and the same run makes the same sheet.
        return f"none found on these bars with these parameters{hidden * (self.noise >= COMPANY)}"


def examine(predictor: Predictor, bars: pd.DataFrame, forecast: pd.Series) -> Verdict:
    """Probes a predictor on the bars it is backtested on; `forecast` is what it forecast there."""
    reference = forecast.to_numpy(float)
    if isinstance(predictor, WalkForward):
        return _examine_windows(predictor, bars, reference)
    started = time.perf_counter()
    again = predictor.predict(bars.copy()).to_numpy(float)
    pace = time.perf_counter() - started
    noise = float(np.nanmax(np.abs(again - reference), initial=0.0))
    # What is slow is cut off only, which shows nearly all leaks and is the cheapest.
    tricks = TRICKS[:1] if pace > SLOW else TRICKS
    count = int(np.clip(SECONDS / (len(tricks) * max(pace, 1e-6)), FEWEST, MOST))
    cuts = _telling_cuts(bars, int(np.argmax(forecast.notna())) + 1, count)
    leak = find_leak(predictor.predict, bars, cuts, tricks) or _remembered(predictor, bars, reference, noise, cuts)
    return Verdict(len(cuts) * len(tricks), leak, noise / (size_of(reference) or 1.0))


def _remembered(
    predictor: Predictor, bars: pd.DataFrame, reference: np.ndarray, noise: float, cuts: list[int]
) -> Leak | None:
    """A leak that the predictor hides by remembering what it was shown in the run: one made afresh does not know it."""
    limit = max(tolerance(reference, noise), SHORTENED * size_of(reference))
    for cut in (cuts[0], cuts[len(cuts) // 2], cuts[-1]):
        try:
            moved = absolute_difference(
                _afresh(predictor).predict(truncated(bars, cut)).to_numpy(float), reference[:cut]
            )
        except ValueError:  # too few bars for it
            continue
        if (beyond := moved > limit).any():
            at = int(np.argmax(beyond))
            return Leak(bars.index[at], cut, cut - at, COLUMNS, float(moved.max()), noise, KEPT)
    return None


def _afresh(model: Predictor | Learner) -> Any:
    """An equal model from a second run of its module, where nothing is remembered."""
    fresh = Subject(model).fresh_copy()
    cls = type(fresh.learner if isinstance(fresh, WalkForward) else fresh)
    return cls(**{f.name: getattr(model, f.name) for f in fields(model) if f.init})  # type: ignore[arg-type]


def _telling_cuts(bars: pd.DataFrame, first: int, count: int) -> list[int]:
    """So many cuts from `first` on: there, after the last bars, month ends, busy and wild bars, and anywhere."""
    last = len(bars) - 1
    months = _month_ends(bars.index)
    months = months[(first <= months) & (months <= last)]
    volume = bars["volume"].to_numpy(float)[first - 1 : last]
    share = max(1, count // 6)
    groups = (
        np.array([first, last, last - 1, last - 2]),
        months[np.linspace(0, len(months) - 1, min(share, len(months))).astype(int)],
        np.argsort(volume)[::-1][:share] + first,
        np.argsort(_moves(bars)[first - 1 : last])[::-1][:share] + first,
        np.random.default_rng(0).integers(first, last + 1, count),
    )
    # One of each in turn, so that a short list has some of all.
    turns = [int(group[k]) for k in range(count) for group in groups if k < len(group)]
    return sorted(list(dict.fromkeys(c for c in turns if first <= c <= last))[:count])


@dataclass(frozen=True)
class _Probe:
    """A window of the run, and the same on bars that are gone or changed after a cut."""

    window: Window
    spoilt: Window
    cut: int
    trick: str

    def moved(self, block: pd.Series, reference: np.ndarray) -> np.ndarray:
        """How far the forecasts before the cut, made on the spoilt bars, are from the run's."""
        first = self.window.split - 1
        return absolute_difference(block.to_numpy(float)[: self.cut - first], reference[first : self.cut])


def _examine_windows(predictor: WalkForward, bars: pd.DataFrame, reference: np.ndarray) -> Verdict:
    """Trains a few windows again: in other company, then with the bars after three cuts in their blocks spoilt."""
    learner, size = predictor.learner, size_of(reference)
    windows = predictor.windows(bars)
    windows = [w for w in windows if w.stop < len(bars)] or windows[:1]
    chosen, company, noise = _untouched(learner, windows, reference)
    if company:
        return Verdict(len(chosen), company, noise / (size or 1.0))
    # Not one of them beside an untouched window, which would bring the future along.
    probes = [probe for turn, window in enumerate(chosen) for probe in _spoilt(window, turn)]
    limit = tolerance(reference, noise)
    # Not by the learner itself either, which may remember what it was shown in the run.
    for k, block in _afresh(learner).forecast([probe.spoilt for probe in probes]):
        probe = probes[k]
        # Fewer bars are another shape, in which float32 rounds otherwise.
        least = max(limit, SHORTENED * size) if probe.trick == "cut off" else limit
        if (beyond := (moved := probe.moved(block, reference)) > least).any():
            at = probe.window.split - 1 + int(np.argmax(beyond))
            columns = () if probe.trick == "cut off" else COLUMNS
            found = Leak(bars.index[at], probe.cut, probe.cut - at, columns, float(moved.max()), noise, probe.trick)
            return Verdict(len(probes), _explained(learner, probe) or found, noise / (size or 1.0))
    return Verdict(len(probes), None, noise / (size or 1.0))


def _untouched(
    learner: Learner, windows: list[Window], reference: np.ndarray
) -> tuple[list[Window], Company | None, float]:
    """Some windows trained again as they were: which, whether they need the others, and the noise of training."""
    count = max(1, int(SHARE * len(windows) / PROBES_PER_WINDOW))
    started = time.perf_counter()
    alone = _blocks(learner, _spread(windows, count))
    quick = int(SECONDS / (PROBES_PER_WINDOW * (time.perf_counter() - started) / count))
    if quick > count:
        count = min(quick, MOST_WINDOWS, len(windows))
        alone = _blocks(learner, _spread(windows, count))
    chosen = _spread(windows, count)
    gaps = [
        float(absolute_difference(block, reference[w.split - 1 : w.stop]).max())
        for w, block in zip(chosen, alone, strict=True)
    ]
    worst = int(np.argmax(gaps))
    if gaps[worst] <= COMPANY * size_of(reference):
        return chosen, None, gaps[worst]
    # Not the run's forecast: because it is random, or because the windows that were beside it are missing?
    again = _blocks(learner, chosen)
    noise = max(float(absolute_difference(a, b).max()) for a, b in zip(again, alone, strict=True))
    if gaps[worst] > 8 * noise:
        return chosen, Company(chosen[worst].date, gaps[worst], noise), noise
    return chosen, None, gaps[worst]


def _blocks(learner: Learner, windows: list[Window]) -> list[np.ndarray]:
    """The forecast of each window."""
    blocks = dict(learner.forecast(windows))
    return [blocks[k].to_numpy(float) for k in range(len(windows))]


def _spread(windows: list[Window], count: int) -> list[Window]:
    return [windows[k] for k in np.linspace(0, len(windows) - 1, count).astype(int)]


def _spoilt(window: Window, turn: int) -> list[_Probe]:
    """A window's probes, cut after its fit, after its block, and after a telling bar between.

    Month ends, busy bars and wild bars take turns over the windows.
    """
    w, bars = window, window.bars
    ends = _month_ends(bars.index)
    ends = ends[(w.split <= ends) & (ends <= w.stop)]
    block = slice(w.split - 1, w.stop)
    telling = (
        int(ends[-1]) if len(ends) else (w.split + w.stop) // 2,
        w.split + int(np.argmax(bars["volume"].to_numpy(float)[block])),
        w.split + int(np.argmax(_moves(bars)[block])),
    )
    probes = []
    for cut in sorted({w.split, telling[turn % 3], w.stop}):
        probes.append(_Probe(w, Window(truncated(bars, cut), w.start, w.split, cut), cut, "cut off"))
        if cut < len(bars):
            other = Window(changed(bars, cut, COLUMNS), w.start, w.split, w.stop)
            probes.append(_Probe(w, other, cut, "given other values"))
    return probes


def _explained(learner: Learner, probe: _Probe) -> Leak | None:
    """The leak as `find_leak` tells it, from this window alone; None where it does not show it."""
    window, start = probe.window, probe.window.start
    width = window.split - start

    def predict(bars: pd.DataFrame) -> pd.Series:
        forecast = pd.Series(np.nan, index=bars.index)
        if len(bars) >= width:
            stop = min(len(bars), window.stop - start)
            ((_, block),) = learner.forecast([Window(bars, 0, width, stop)])
            forecast.iloc[width - 1 : stop] = block.to_numpy(float)
        return forecast

    leak = find_leak(predict, window.bars.iloc[start:], [probe.cut - start], TRICKS)
    return leak and replace(leak, cut=probe.cut)


def _month_ends(index: pd.DatetimeIndex) -> np.ndarray:
    """The cuts after the last bar of every month."""
    return np.flatnonzero(np.diff(index.year * 12 + index.month)) + 1


def _moves(bars: pd.DataFrame) -> np.ndarray:
    """The size of every bar's return."""
    return np.nan_to_num(np.abs(np.diff(np.log(bars["close"].to_numpy(float)), prepend=np.nan)))
