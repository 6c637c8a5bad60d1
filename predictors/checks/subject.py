"""The subject of the checks: a predictor, or a learner in a walk-forward, with the markets it is tested on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..bars import random_walk
from ..base import Learner, Predictor
from ..walk_forward import WalkForward
from .fresh import fresh_class
from .lookahead import Leak, Predict, noise_floor, tolerance
from .perturbations import RECURRING, calm_and_wild_market, eventful_market, provoking_market

PROBED = 30  # bars with a forecast after which the short market is cut, one by one
LATER = 500  # bars after the warm-up of the long market, which is cut at a few bars
COMBED = 1000  # bars after the warm-up of the market that is combed
LONGEST = 4000  # bars without a forecast after which the warm-up is taken to be endless
EVERY, BLOCKS = 5, 2  # bars between two refits of a learner, and the blocks cut at every bar
LATER_EVERY, LATER_BLOCKS = 40, 3  # the same on the long market


class CheckFailed(AssertionError):
    """A failed check: its finding in one sentence and, for look-ahead, the leak and the probe that shows it."""

    def __init__(self, finding: str, leak: Leak | None = None, probe: Probe | None = None) -> None:
        super().__init__(finding)
        self.leak, self.probe = leak, probe


@dataclass(frozen=True)
class Probe:
    """A predictor, a market, and the cuts after which the market is perturbed.

    predictor: a Python expression of the predictor, in which `model` is what is checked.
    bars:      a Python expression of the market.
    """

    predict: Predict
    market: pd.DataFrame
    cuts: Sequence[int]
    predictor: str
    bars: str


@dataclass(frozen=True)
class Subject:
    """A predictor, or a learner in a walk-forward that is short enough to be cut at every bar."""

    model: Predictor | Learner

    @property
    def unwrapped(self) -> Predictor | Learner:
        """The model without its walk-forward."""
        return self.model.learner if isinstance(self.model, WalkForward) else self.model

    @cached_property
    def learner(self) -> Learner | None:
        """The learner, as its `tiny()` instance where it has one; None for a predictor."""
        if not isinstance(self.unwrapped, Learner):
            return None
        return self.unwrapped.tiny() if hasattr(self.unwrapped, "tiny") else self.unwrapped

    @cached_property
    def train(self) -> int:
        """The first of a few lengths of the training slice that the learner accepts.

        Raises CheckFailed where it accepts none.
        """
        assert self.learner is not None
        for train in (60, 120, 250, 500, 1000):
            try:
                replace(self.learner).fit(random_walk(train, seed=1))  # type: ignore[type-var]
            except ValueError as error:
                refusal = error
                continue
            return train
        raise CheckFailed(f"fit refuses even 1000 bars: {refusal}")

    @cached_property
    def predictor(self) -> Predictor:
        """The predictor that the checks call."""
        return self.walk_forward(EVERY)

    @cached_property
    def warm_up(self) -> int:
        """The number of bars before the first forecast on a random walk."""
        return self.train - 1 if self.learner is not None else self._first_forecast[1]

    @cached_property
    def bars(self) -> pd.DataFrame:
        """The short market: the warm-up and the bars that are cut one by one."""
        return eventful_market(self._length)

    @cached_property
    def forecast(self) -> np.ndarray:
        """The forecast on `bars`."""
        return self.predict(self.bars.copy()).to_numpy(float)

    @cached_property
    def tolerance(self) -> float:
        """The largest change of a forecast that counts as rounding or as noise between runs."""
        return tolerance(self.forecast, noise_floor(self.predict, self.bars, self.forecast))

    @cached_property
    def probes(self) -> tuple[Probe, Probe]:
        """The short market cut at every bar, and the long one cut at a few, for leaks that begin late."""
        if self.learner is None:
            later = self.warm_up + LATER
            cuts = np.linspace(self.warm_up + 1, later - 1, 6).astype(int).tolist()
        else:
            later = self.train + LATER_EVERY * LATER_BLOCKS
            # Inside blocks and at the end of one.
            cuts = [self.train + LATER_EVERY * k - k for k in range(1, LATER_BLOCKS + 1)]
        short_cuts = range(self.warm_up + 1, len(self.bars))
        return (
            Probe(self.predict, self.bars, short_cuts, *self._expressions(EVERY, f"eventful_market({self._length})")),
            Probe(
                *(self.predict_later, eventful_market(later), cuts),
                *self._expressions(LATER_EVERY, f"eventful_market({later})"),
            ),
        )

    @property
    def combed_probe(self) -> Probe:
        """A market long enough for what is rare, whose bars are changed one by one."""
        n = self.warm_up + COMBED
        return Probe(*(self.predict, calm_and_wild_market(n), ()), *self._expressions(0, f"calm_and_wild_market({n})"))

    @cached_property
    def provoking_probes(self) -> tuple[Probe, Probe]:
        """The provoking markets, by day and by second, cut at each of their last bars, twice the ten that recur."""
        n = self._length
        cuts = range(max(self.warm_up + 1, n - 2 * RECURRING), n)
        by_day, by_second = (
            Probe(
                *(self.predict, provoking_market(n, kind), cuts),
                *self._expressions(EVERY, f'provoking_market({n}, "{kind}")'),
            )
            for kind in ("by day", "by second")
        )
        return by_day, by_second

    def walk_forward(self, every: int, model: Predictor | Learner | None = None) -> Predictor:
        """The model, or another of its class, as a predictor: a learner is refitted after `every` bars."""
        model = model or self.learner or self.model
        return WalkForward(model, self.train, every) if isinstance(model, Learner) else model

    def fresh_copy(self) -> Predictor:
        """An equal predictor whose class comes from a second execution of its module, without state of earlier calls.

        Where the class has no file, a copy.
        """
        model = self.learner or self.model
        values = {f.name: getattr(model, f.name) for f in fields(model) if f.init}  # type: ignore[arg-type]
        return self.walk_forward(EVERY, fresh_class(type(model))(**values))

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        """The forecast; all NaN on fewer bars than a first training slice."""
        return self._predict(self.predictor, bars)

    def predict_later(self, bars: pd.DataFrame) -> pd.Series:
        """As `predict`, with the refits of the long market."""
        return self._predict(self.walk_forward(LATER_EVERY), bars)

    def largest_change(self, forecast: pd.Series, reference: np.ndarray | None = None) -> float:
        """The largest absolute difference from the reference, by default `self.forecast`.

        Infinite where at some bar only one of them is finite.
        """
        reference = self.forecast if reference is None else reference
        values = forecast.to_numpy(float)
        if (np.isfinite(values) != np.isfinite(reference)).any():
            return float("inf")
        return float(np.max(np.abs(values - reference), where=np.isfinite(reference), initial=0.0))

    @cached_property
    def _first_forecast(self) -> tuple[int, int]:
        """The length of the first random walk of growing length with a forecast, and the position of its first."""
        length = 32
        while length <= LONGEST:
            finite = np.isfinite(self.predict(random_walk(length)).to_numpy(float))
            if finite.any():
                return length, int(finite.argmax())
            length *= 2
        last = random_walk(length // 2).index[-1]
        raise CheckFailed(
            f"no forecast after {length // 2} bars of a random walk, from 2000-01-03 to {last:%Y-%m-%d}: it needs more "
            "bars, or another series or file that has nothing on these dates"
        )

    @cached_property
    def _length(self) -> int:
        if self.learner is not None:
            return self.train + EVERY * BLOCKS
        # At least the length that has a forecast: a warm-up filled backwards shortens the apparent warm-up.
        length, first = self._first_forecast
        return max(length, first + PROBED)

    def _predict(self, predictor: Predictor, bars: pd.DataFrame) -> pd.Series:
        if self.learner is not None and len(bars) < self.train:
            return pd.Series(np.nan, index=bars.index)
        return predictor.predict(bars)

    def _expressions(self, every: int, bars: str) -> tuple[str, str]:
        """The fields `predictor` and `bars` of a probe."""
        name = "model.learner" if isinstance(self.model, WalkForward) else "model"
        if self.learner is not None:
            tiny = ".tiny()" if hasattr(self.learner, "tiny") else ""
            name = f"WalkForward({name}{tiny}, train={self.train}, every={every})"
        return name, bars


class Sentenced:
    """What has a function whose name and first sentence are those of a check."""

    function: Any

    @property
    def name(self) -> str:
        """The name of the check, as in `expected_failures`."""
        return self.function.__name__

    @property
    def sentence(self) -> str:
        """The requirement in one sentence."""
        return (self.function.__doc__ or "").splitlines()[0]
