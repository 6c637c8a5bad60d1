"""Look-ahead tests: the bars after a cut are removed or perturbed, and no forecast up to the cut may change.

Notation: c cut, the number of bars left as they are; f[t] the forecast at bar t on the unchanged bars.
Without look-ahead f[t], t < c, depends neither on the values of bars c, c+1, … nor on their number.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Self

import numpy as np
import pandas as pd

from ..bars import COLUMNS
from .perturbations import PERTURBATIONS, changed, erased, shuffled, truncated

Predict = Callable[[pd.DataFrame], pd.Series]
# Relative to the size of the forecasts. ROUNDING is that of float64 sums over equally many bars; SHORTENED that of
# float32 nets, whose batches change with the number of bars. A change between the two counts as a leak only if
# changing later values causes it as well.
ROUNDING, SHORTENED = 1e-9, 1e-4


@dataclass(frozen=True)
class Leak:
    """A forecast that changed although only later bars were changed.

    date:         the bar of the forecast.
    cut:          number of bars left as they were.
    ahead:        how many bars after its own the forecast needs.
    columns:      the columns whose later values it reads; empty if it depends on the number of bars only.
    size:         the change of the forecast, in log return.
    noise:        the largest change of a forecast between two runs on the same bars.
    perturbation: what was done to the later bars, a key of PERTURBATIONS.
    """

    date: pd.Timestamp
    cut: int
    ahead: int
    columns: tuple[str, ...]
    size: float
    noise: float
    perturbation: str

    def __str__(self) -> str:
        read = f"reading {', '.join(self.columns)}" if self.columns else "reading how many bars there are"
        date = self.date.isoformat(sep=" ").removesuffix(" 00:00:00")
        change = f"moved by {self.size:.3g}" if np.isfinite(self.size) else "turned from a number into NaN or back"
        return (
            f"the forecast at {date} looked {self.ahead} bar{'s' * (self.ahead != 1)} ahead, {read}: it {change} "
            f"when the bars after the first {self.cut} were {self.perturbation} (by {self.noise:.3g} when only run "
            "again)"
        )


def find_leak(
    predict: Predict,
    bars: pd.DataFrame,
    cuts: Iterable[int] | None = None,
    perturbations: Iterable[str] = PERTURBATIONS,
) -> Leak | None:
    """The leak at the earliest bar that these cuts and perturbations show, or None.

    cuts:          numbers of bars to leave as they are; all of them by default.
    perturbations: keys of PERTURBATIONS.

    Raises what `predict` raises on these bars, or on the perturbed bars of every cut unless they hold NaN.
    """
    probe = _Probe.of(predict, bars)
    cuts = list(range(1, len(bars)) if cuts is None else cuts)
    names = list(perturbations)
    changes = [change for name in names if (change := probe.first_change(name, cuts))]
    if changes and (rerun := probe.with_more_runs()).noise > probe.noise:
        probe = rerun
        changes = [change for name in names if (change := probe.first_change(name, cuts))]
    if not changes:
        return None
    at, cut, size, name = min(changes)
    columns = tuple(column for column in COLUMNS if probe.reads(column, at, cut))
    return Leak(bars.index[at], cut, probe.bars_ahead(at), columns, size, probe.noise, name)


def find_unguarded_leak(
    predict: Predict, bars: pd.DataFrame, cuts: Iterable[int], perturbations: Iterable[str] = PERTURBATIONS
) -> Leak | None:
    """As `find_leak`, but no forecast at all on bars that a predictor deems too few is no leak.

    That is its right, as raising a ValueError is, where no value of a later bar changes any forecast.
    """
    cuts, perturbations = list(cuts), list(perturbations)

    def forecasts(cut: int) -> bool:
        return bool(predict(truncated(bars, cut)).notna().any())

    leak = find_leak(predict, bars, cuts, perturbations)
    if leak is None or np.isfinite(leak.size) or forecasts(leak.cut):
        return leak
    values = find_leak(predict, bars, cuts, ("given other prices", "given other volume"))
    if values:
        return values if values.perturbation in perturbations else leak
    return find_leak(predict, bars, [cut for cut in cuts if forecasts(cut)], perturbations)


def absolute_difference(forecast: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """|forecast - reference| at every bar; infinite where only one of them is finite, 0 where neither is."""
    mismatch = np.isfinite(forecast) != np.isfinite(reference)
    return np.where(mismatch, np.inf, np.nan_to_num(np.abs(forecast - reference), nan=0.0))


def size_of(forecast: np.ndarray) -> float:
    """The size of forecasts: the root mean square of the finite ones, 0 where there are none."""
    finite = forecast[np.isfinite(forecast)]
    return float(np.sqrt(np.mean(finite**2))) if len(finite) else 0.0


def noise_floor(predict: Predict, bars: pd.DataFrame, reference: np.ndarray) -> float:
    """The largest change of a forecast between the reference and a second run on the same bars."""
    again = predict(bars.copy()).to_numpy(float)
    both = np.isfinite(again) & np.isfinite(reference)
    return float(np.max(np.abs(again - reference), where=both, initial=0.0))


def tolerance(reference: np.ndarray, noise: float) -> float:
    """The largest change that counts as rounding: eight times the noise, or a billionth of the forecasts' size."""
    return max(8 * noise, ROUNDING * size_of(reference), 1e-15)


def retraining_tolerance(forecast: np.ndarray) -> float:
    """The largest difference between two trainings of the same net in float32, after a few epochs."""
    return 1e-4 * size_of(forecast) + 1e-15


@dataclass(frozen=True)
class _Probe:
    """A predictor, its forecasts on the unchanged bars and their noise."""

    predict: Predict
    bars: pd.DataFrame
    reference: np.ndarray
    noise: float

    @classmethod
    def of(cls, predict: Predict, bars: pd.DataFrame) -> Self:
        reference = predict(bars.copy()).to_numpy(float)
        return cls(predict, bars, reference, noise_floor(predict, bars, reference))

    def with_more_runs(self) -> Self:
        """The probe with its noise measured in four more runs, before a leak is reported."""
        noises = [noise_floor(self.predict, self.bars, self.reference) for _ in range(4)]
        return replace(self, noise=max(self.noise, *noises))

    def first_change(self, name: str, cuts: Sequence[int]) -> tuple[int, int, float, str] | None:
        """(bar, cut, size, name) of the first forecast before one of the cuts that this perturbation changes.

        Raises what the predictor raises, unless it forecasts at another cut or the perturbed bars hold NaN.
        """
        refusal, any_forecast = None, False
        for cut in cuts:
            try:
                change = self._change(PERTURBATIONS[name](self.bars, cut))[:cut]
            except Exception as error:
                if not ("NaN" in name or isinstance(error, ValueError | ArithmeticError)):
                    raise
                refusal = error  # a predictor may refuse bars that are too few or not finite
                continue
            any_forecast = True
            leaks = self._leaks(change, name, cut)
            if leaks.any():
                at = int(np.argmax(leaks))
                return at, cut, float(change[at]), name
        if refusal is not None and not any_forecast and "NaN" not in name:
            raise refusal
        return None

    def bars_ahead(self, at: int) -> int:
        """How many bars after its own the forecast at bar `at` depends on; 0 if none is found."""
        return self._bars_ahead(at, partial(changed, columns=COLUMNS)) or self._bars_ahead(at, truncated)

    def reads(self, column: str, at: int, cut: int) -> bool:
        """Whether perturbing later values of this one column changes the forecast at bar `at`."""
        markets = (perturb(self.bars, c, [column]) for perturb in (changed, shuffled, erased) for c in (at + 1, cut))
        return any(self._changes(at, bars) for bars in markets)

    def _bars_ahead(self, at: int, perturb: Callable[[pd.DataFrame, int], pd.DataFrame]) -> int:
        # If a cut changes nothing, neither does a later one, so the last that changes it is found by bisection.
        low, high = at, len(self.bars)
        while high - low > 1:
            cut = (low + high) // 2
            low, high = (cut, high) if self._changes(at, perturb(self.bars, cut)) else (low, cut)
        return low - at

    def _changes(self, at: int, bars: pd.DataFrame) -> bool:
        """Whether the forecast at bar `at` is another on these bars; False where the predictor refuses them."""
        try:
            return bool(self._change(bars)[at] > self._tolerance)
        except Exception:
            return False  # with one column perturbed, the bars need not be valid

    def _leaks(self, change: np.ndarray, name: str, cut: int) -> np.ndarray:
        """Which of these changes are leaks and not rounding."""
        beyond = change > self._tolerance
        if not beyond.any():
            return beyond
        if "NaN" in name:
            # 0 · NaN is NaN, so a product of matrices spreads it to earlier bars without look-ahead.
            return beyond & np.isfinite(change)
        if name != "cut off":
            return beyond
        certain = change > max(self._tolerance, SHORTENED * size_of(self.reference))
        if certain.any():
            return certain
        return beyond & (self._change(changed(self.bars, cut, COLUMNS))[:cut] > self._tolerance)

    @cached_property
    def _tolerance(self) -> float:
        return tolerance(self.reference, self.noise)

    def _change(self, bars: pd.DataFrame) -> np.ndarray:
        """The absolute difference between the forecasts on perturbed bars and the reference."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # NaN in its bars may cause warnings in a correct predictor
            forecast = self.predict(bars).to_numpy(float)
        return absolute_difference(forecast, self.reference[: len(forecast)])
