"""What a check looks at: a predictor, or a learner in a walk-forward loop, and the markets it is probed on."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import pandas as pd

from rollcast.predictors.bars import random_walk
from rollcast.predictors.base import Learner, Predictor
from rollcast.predictors.checks.lookahead import Leak, Predict, eventful, noise_floor, tolerance
from rollcast.predictors.walk_forward import WalkForward

PROBED = 30  # bars with a forecast, every one of which is probed
LATER = 500  # bars after the warm-up of the longer market, on which a few bars are probed
LONGEST = 4000  # bars after which a predictor that is still warming up is given up on
EVERY, BLOCKS = 5, 2  # a learner is refitted as often, and every bar of as many blocks is probed
LATER_EVERY, LATER_BLOCKS = 40, 3  # on the longer market


class CheckFailed(AssertionError):
    """A check's finding: one plain sentence, and where it is a leak, the leak and the probe that shows it."""

    def __init__(self, finding: str, leak: Leak | None = None, probe: Probe | None = None) -> None:
        super().__init__(finding)
        self.leak, self.probe = leak, probe


@dataclass(frozen=True)
class Probe:
    """A predictor, the bars it is shown, and where their later part is spoilt.

    predictor: its expression, where `model` is what is checked.   bars: their expression.
    """

    predict: Predict
    market: pd.DataFrame
    cuts: Sequence[int]
    predictor: str
    bars: str


@dataclass(frozen=True)
class Subject:
    """What is checked: a predictor, or a learner in a walk-forward loop short enough to be probed at every bar."""

    model: Predictor | Learner

    @property
    def written(self) -> Predictor | Learner:
        """What somebody wrote: the model, without its loop."""
        return self.model.learner if isinstance(self.model, WalkForward) else self.model

    @cached_property
    def learner(self) -> Learner | None:
        """The learner, in its small form where it has one."""
        if not isinstance(self.written, Learner):
            return None
        return self.written.tiny() if hasattr(self.written, "tiny") else self.written

    @cached_property
    def train(self) -> int:
        """The shortest training slice tried that the learner accepts."""
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
        """What is asked for forecasts."""
        return self.looped(EVERY)

    @cached_property
    def warm_up(self) -> int:
        """Bars before the first forecast on a random walk."""
        return self.train - 1 if self.learner is not None else self._first_forecast[1]

    @cached_property
    def bars(self) -> pd.DataFrame:
        """A market as long as the warm-up and the probed range."""
        return eventful(self._length)

    @cached_property
    def forecast(self) -> np.ndarray:
        """The forecast on `bars`."""
        return self.predict(self.bars.copy()).to_numpy(float)

    @cached_property
    def limit(self) -> float:
        """Changes up to this are rounding or the measured noise of re-running."""
        return tolerance(self.forecast, noise_floor(self.predict, self.bars, self.forecast))

    @cached_property
    def probes(self) -> tuple[Probe, Probe]:
        """A short market, every bar of which is probed, and a longer one, for leaks that begin late."""
        if self.learner is None:
            later = self.warm_up + LATER
            cuts = np.linspace(self.warm_up + 1, later - 1, 6).astype(int).tolist()
        else:
            later = self.train + LATER_EVERY * LATER_BLOCKS
            cuts = [
                self.train + LATER_EVERY * k - k for k in range(1, LATER_BLOCKS + 1)
            ]  # in, and at the end of, blocks
        return (
            Probe(self.predict, self.bars, range(self.warm_up + 1, len(self.bars)), *self._told(EVERY, self._length)),
            Probe(self.predict_later, eventful(later), cuts, *self._told(LATER_EVERY, later)),
        )

    def looped(self, every: int, model: Predictor | Learner | None = None) -> Predictor:
        """The model, or another like it, as a predictor: a learner refitted after so many bars."""
        model = model or self.learner or self.model
        return WalkForward(model, self.train, every) if isinstance(model, Learner) else model

    def afresh(self) -> Predictor:
        """The predictor from a second run of its module, where there is nothing an earlier call left behind.

        A class without a file of its own is copied instead.
        """
        model = self.learner or self.model
        kept = {f.name: getattr(model, f.name) for f in fields(model) if f.init}  # type: ignore[arg-type]
        try:
            spec = sys.modules[type(model).__module__].__spec__
            assert spec is not None
            assert spec.origin is not None
            # Never put into sys.modules, so that nobody else meets it.
            again = importlib.util.spec_from_file_location(spec.name, spec.origin)
            assert again is not None
            assert again.loader is not None
            module = importlib.util.module_from_spec(again)
            again.loader.exec_module(module)
            return self.looped(EVERY, getattr(module, type(model).__name__)(**kept))
        except Exception:
            return self.looped(EVERY, replace(model))  # type: ignore[type-var]

    def predict(self, bars: pd.DataFrame) -> pd.Series:
        """The forecast, all NaN where a walk-forward has not begun."""
        return self._unless_short(self.predictor, bars)

    def predict_later(self, bars: pd.DataFrame) -> pd.Series:
        """As `predict`, with fewer refits."""
        return self._unless_short(self.looped(LATER_EVERY), bars)

    def moved(self, other: pd.Series, reference: np.ndarray | None = None) -> float:
        """The largest difference from the reference forecast; infinite where one is a number and the other not."""
        reference = self.forecast if reference is None else reference
        values = other.to_numpy(float)
        if (np.isfinite(values) != np.isfinite(reference)).any():
            return float("inf")
        return float(np.max(np.abs(values - reference), where=np.isfinite(reference), initial=0.0))

    @cached_property
    def _first_forecast(self) -> tuple[int, int]:
        """The length of the shortest random walk tried that has a forecast, and the bar of its first."""
        length = 32
        while length <= LONGEST:
            known = np.isfinite(self.predict(random_walk(length)).to_numpy(float))
            if known.any():
                return length, int(known.argmax())
            length *= 2
        raise CheckFailed(f"no forecast after {length // 2} bars of a random walk")

    @cached_property
    def _length(self) -> int:
        if self.learner is not None:
            return self.train + EVERY * BLOCKS
        # Not less than has a forecast: a filled-back warm-up has none of its own.
        length, first = self._first_forecast
        return max(length, first + PROBED)

    def _unless_short(self, predictor: Predictor, bars: pd.DataFrame) -> pd.Series:
        if self.learner is not None and len(bars) < self.train:
            return pd.Series(np.nan, index=bars.index)
        return predictor.predict(bars)

    def _told(self, every: int, n: int) -> tuple[str, str]:
        name = "model.learner" if isinstance(self.model, WalkForward) else "model"
        if self.learner is not None:
            tiny = ".tiny()" if hasattr(self.learner, "tiny") else ""
            name = f"WalkForward({name}{tiny}, train={self.train}, every={every})"
        return name, f"eventful({n})"
