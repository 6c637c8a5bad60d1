"""Finds look-ahead: hide or spoil the bars after a cut, and see whether any forecast up to the cut changes.

Notation: c cut, the number of bars left untouched; f[t] the forecast at bar t on the whole of the bars.
An honest predictor's f[t], t < c, cannot depend on bars c, c+1, …: not on their values, nor on how many there are.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Self

import numpy as np
import pandas as pd

from rollcast.predictors.bars import COLUMNS, random_walk

Predict = Callable[[pd.DataFrame], pd.Series]
PRICES, VOLUME = COLUMNS[:4], COLUMNS[4:]
# Relative to the size of the forecasts: the rounding of float64 sums on bars of the same number, and that of float32
# nets whose batches are as long as the data. A change between the two counts only if later values cause it as well.
ROUNDING, SHORTENED = 1e-9, 1e-4


@dataclass(frozen=True)
class Leak:
    """A forecast that changed when only later bars did.

    date:    the bar of the forecast.         cut:     bars left untouched when it changed.
    ahead:   bars after its own it needed.    columns: those whose later values it read; empty if only their number.
    size:    by how much it changed.          noise:   by how much re-running alone changes a forecast.
    trick:   what was done to the later bars.
    """

    date: pd.Timestamp
    cut: int
    ahead: int
    columns: tuple[str, ...]
    size: float
    noise: float
    trick: str

    def __str__(self) -> str:
        read = f"reading {', '.join(self.columns)}" if self.columns else "reading how many bars there are"
        date = self.date.isoformat(sep=" ").removesuffix(" 00:00:00")
        change = f"moved by {self.size:.3g}" if np.isfinite(self.size) else "turned from a number into NaN or back"
        return (
            f"the forecast at {date} looked {self.ahead} bar{'s' * (self.ahead != 1)} ahead, {read}: it {change} "
            f"when the bars after the first {self.cut} were {self.trick} (by {self.noise:.3g} when only run again)"
        )


def eventful(n: int, seed: int = 0) -> pd.DataFrame:
    """A random walk of `n` bars with what leaks hide behind: jumps, busy and quiet bars, missing days, a year's end.

    The turn of the year lies within the last ten bars.
    """
    rng = np.random.default_rng([seed, n])
    bars = random_walk(n, seed)
    jumps = np.exp(np.cumsum(np.where(rng.random(n) < 0.1, rng.normal(0, 0.05, n), 0.0)))
    bars[list(PRICES)] = bars[list(PRICES)].mul(jumps, axis=0)
    bars["volume"] = np.round(bars["volume"] * rng.choice([0.1, 1.0, 8.0], n, p=[0.1, 0.8, 0.1]))
    days = pd.bdate_range(end="2004-01-09", periods=n + n // 8, name="date")
    return bars.set_index(days[np.sort(rng.permutation(len(days))[:n])])


def truncated(bars: pd.DataFrame, cut: int) -> pd.DataFrame:
    """The first `cut` bars."""
    return bars.iloc[:cut].copy()


def changed(bars: pd.DataFrame, cut: int, columns: Sequence[str]) -> pd.DataFrame:
    """Later values of these columns multiplied by random factors around 1; all four prices remain a bar."""

    def spoil(later: np.ndarray) -> np.ndarray:
        spread = [0.5 if column in VOLUME else 0.1 for column in columns]
        other = later * np.exp(np.random.default_rng(cut).normal(0, spread, later.shape))
        if tuple(columns[:4]) == PRICES:
            other[:, 1], other[:, 2] = other[:, :4].max(axis=1), other[:, :4].min(axis=1)
        return other

    return _with(bars, cut, columns, spoil)


def shuffled(bars: pd.DataFrame, cut: int, columns: Sequence[str]) -> pd.DataFrame:
    """Later rows of these columns in another order."""
    order = np.random.default_rng(cut).permutation(len(bars) - cut)
    return _with(bars, cut, columns, lambda later: later[order])


def erased(bars: pd.DataFrame, cut: int, columns: Sequence[str]) -> pd.DataFrame:
    """Later values of these columns replaced by NaN."""
    return _with(bars, cut, columns, lambda later: np.full_like(later, np.nan))


# What is done to the bars after a cut, by the words a report uses for it.
TRICKS: dict[str, Callable[[pd.DataFrame, int], pd.DataFrame]] = {
    "cut off": truncated,
    "given other prices": partial(changed, columns=PRICES),
    "given other volume": partial(changed, columns=VOLUME),
    "given shuffled prices": partial(shuffled, columns=PRICES),
    "given shuffled volume": partial(shuffled, columns=VOLUME),
    "given NaN prices": partial(erased, columns=PRICES),
    "given NaN volume": partial(erased, columns=VOLUME),
}


def noise_floor(predict: Predict, bars: pd.DataFrame, reference: np.ndarray) -> float:
    """The largest change of any forecast when nothing but a second run differs."""
    again = predict(bars.copy()).to_numpy(float)
    both = np.isfinite(again) & np.isfinite(reference)
    return float(np.max(np.abs(again - reference), where=both, initial=0.0))


def tolerance(reference: np.ndarray, noise: float) -> float:
    """A change above this is no rounding: eight times the measured noise, or a billionth of the forecasts' size."""
    return max(8 * noise, ROUNDING * size_of(reference), 1e-15)


def find_leak(
    predict: Predict, bars: pd.DataFrame, cuts: Iterable[int] | None = None, tricks: Iterable[str] = TRICKS
) -> Leak | None:
    """The leak at the earliest bar that these cuts and tricks show, or None.

    cuts: how many bars to leave untouched, each in turn; every number there is unless given.
    """
    probe = _Probe.of(predict, bars)
    cuts = list(range(1, len(bars)) if cuts is None else cuts)
    tricks = list(tricks)
    found = [leak for trick in tricks if (leak := probe.first_moved(trick, cuts))]
    if found and (noisier := probe.run_again()).noise > probe.noise:
        probe = noisier
        found = [leak for trick in tricks if (leak := probe.first_moved(trick, cuts))]
    if not found:
        return None
    at, cut, size, trick = min(found)
    columns = tuple(column for column in COLUMNS if probe.reads(column, at, cut))
    return Leak(bars.index[at], cut, probe.ahead(at), columns, size, probe.noise, trick)


@dataclass(frozen=True)
class _Probe:
    """A predictor's forecasts on untouched bars, and how far from them spoilt bars take it."""

    predict: Predict
    bars: pd.DataFrame
    reference: np.ndarray
    noise: float

    @classmethod
    def of(cls, predict: Predict, bars: pd.DataFrame) -> Self:
        reference = predict(bars.copy()).to_numpy(float)
        return cls(predict, bars, reference, noise_floor(predict, bars, reference))

    def run_again(self) -> Self:
        """The same with the noise of four more runs: before accusing, it is measured well."""
        noises = [noise_floor(self.predict, self.bars, self.reference) for _ in range(4)]
        return replace(self, noise=max(self.noise, *noises))

    def first_moved(self, trick: str, cuts: Sequence[int]) -> tuple[int, int, float, str] | None:
        """(bar, cut, size, trick) of the first forecast before one of the cuts that moves.

        Raises what the predictor raises where it forecasts on bars without NaN at none of the cuts.
        """
        refusal, answered = None, False
        for cut in cuts:
            try:
                moved = self._moved(TRICKS[trick](self.bars, cut))[:cut]
            except Exception as error:
                if not ("NaN" in trick or isinstance(error, ValueError | ArithmeticError)):
                    raise
                refusal = error  # bars that are too few or too strange: a predictor may refuse them
                continue
            answered = True
            leaking = self._leaking(moved, trick, cut)
            if leaking.any():
                at = int(np.argmax(leaking))
                return at, cut, float(moved[at]), trick
        if refusal is not None and not answered and "NaN" not in trick:
            raise refusal
        return None

    def ahead(self, at: int) -> int:
        """The fewest bars after `at` from which on its forecast no longer depends on later ones; 0 if none is found."""
        return self._ahead(at, partial(changed, columns=COLUMNS)) or self._ahead(at, truncated)

    def reads(self, column: str, at: int, cut: int) -> bool:
        """Whether spoiling later values of this one column moves the forecast."""
        spoilt = (spoil(self.bars, c, [column]) for spoil in (changed, shuffled, erased) for c in (at + 1, cut))
        return any(self._moves(at, bars) for bars in spoilt)

    def _ahead(self, at: int, trick: Callable[[pd.DataFrame, int], pd.DataFrame]) -> int:
        # What a cut does not show a later one does not either, so the last that shows it is found by halving.
        low, high = at, len(self.bars)
        while high - low > 1:
            cut = (low + high) // 2
            low, high = (cut, high) if self._moves(at, trick(self.bars, cut)) else (low, cut)
        return low - at

    def _moves(self, at: int, spoilt: pd.DataFrame) -> bool:
        try:
            return bool(self._moved(spoilt)[at] > self._limit)
        except Exception:
            return False  # one column alone may make bars that a predictor refuses

    def _leaking(self, moved: np.ndarray, trick: str, cut: int) -> np.ndarray:
        """Which of these changes are no rounding."""
        beyond = moved > self._limit
        if not beyond.any():
            return beyond
        if "NaN" in trick:
            # 0 · NaN is NaN, and spreads backwards through an honest product of matrices.
            return beyond & np.isfinite(moved)
        if trick != "cut off":
            return beyond
        certain = moved > max(self._limit, SHORTENED * size_of(self.reference))
        return (
            certain if certain.any() else beyond & (self._moved(changed(self.bars, cut, COLUMNS))[:cut] > self._limit)
        )

    @cached_property
    def _limit(self) -> float:
        return tolerance(self.reference, self.noise)

    def _moved(self, spoilt: pd.DataFrame) -> np.ndarray:
        """How far each forecast moved, infinitely where it became or ceased to be a number."""
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")  # an honest predictor may warn of the NaN it is given
            forecast = self.predict(spoilt).to_numpy(float)
        return apart(forecast, self.reference[: len(forecast)])


def apart(forecast: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """|forecast - reference| at every bar, infinite where one is a number and the other not."""
    gone = np.isfinite(forecast) != np.isfinite(reference)
    return np.where(gone, np.inf, np.nan_to_num(np.abs(forecast - reference), nan=0.0))


def size_of(forecast: np.ndarray) -> float:
    """The root mean square of the forecasts that are numbers; 0 where none is."""
    known = forecast[np.isfinite(forecast)]
    return float(np.sqrt(np.mean(known**2))) if len(known) else 0.0


def _with(
    bars: pd.DataFrame, cut: int, columns: Sequence[str], spoil: Callable[[np.ndarray], np.ndarray]
) -> pd.DataFrame:
    values = bars.to_numpy(float, copy=True)
    places = [bars.columns.get_loc(c) for c in columns]
    values[cut:, places] = spoil(values[cut:, places])
    return pd.DataFrame(values, index=bars.index, columns=bars.columns)
