"""The forecasts of a sweep: one for each predictor in it, shared by all strategy variants, and gated."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from rollcast.backtests.data.bars import digest
from rollcast.backtests.pipeline.cache_key import code_of, key_of
from rollcast.backtests.pipeline.forecasts import check_forecast, predict
from rollcast.backtests.sweep.forecast_cache import ForecastCache, Kept
from rollcast.backtests.sweep.points import Maker, Point
from rollcast.predictors import Predictor, WalkForward

QUICK = 0.2  # seconds a forecast; what takes longer is kept on disk, and always gated
SAMPLE = 3  # of the quick predictors that are gated: the first, the last and those between
MEMORY = 1 << 30  # bytes of forecasts held; beyond it quick ones are made again


@dataclass
class Forecaster:
    """Makes each forecast once: from memory, from the cache, or from the predictor.

    gated: the predictors, by `Point.model`, that were seen not to look ahead.
    quick: whether a forecast takes less than QUICK seconds.
    """

    maker: Maker
    bars: pd.DataFrame
    cache: ForecastCache
    gated: set[object] = field(default_factory=set)
    _held: dict[object, Kept] = field(default_factory=dict)
    _sample: set[object] = field(default_factory=set)
    quick: bool = True

    def __post_init__(self) -> None:
        self._sha256 = digest(self.bars)

    def begin(self, points: Sequence[Point], quick: bool | None = None) -> None:
        """Says which points there are, and whether their predictor is quick where that is known."""
        models = _models(points)
        self.quick = self._is_quick(models[0]) if quick is None else quick
        self._sample = {models[k].model for k in np.linspace(0, len(models) - 1, SAMPLE).astype(int)}

    def prepare(self, points: Sequence[Point], progress: Callable[[int, int], None]) -> pd.Timestamp:
        """Makes the forecasts of all points, and returns the date on which the last of them begins.

        Raises ValueError, with the point's name, for a predictor that looks ahead, a forecast that breaks the contract,
        and a point that is still warming up after half of the bars.
        """
        models = _models(points)
        latest, slowest = 0, models[0]
        for done, point in enumerate(models, start=1):
            first = int(np.isnan(self._kept(point).values).sum())  # all at the start: it was checked when made
            if first > latest:
                latest, slowest = first, point
            progress(done, len(models))
        if latest > len(self.bars) // 2:
            raise ValueError(
                f"{slowest} needs {latest:,} of the {len(self.bars):,} bars to warm up, and all points are scored on "
                "the bars after the last warm-up; leave it out or use a longer date range"
            )
        return self.bars.index[latest]

    def series(self, point: Point) -> pd.Series:
        """The forecast of a point at every bar."""
        return pd.Series(self._kept(point).values, index=self.bars.index, name="forecast")

    def _kept(self, point: Point) -> Kept:
        found = self._held.get(point.model) or self._made(point)
        if (len(self._held) + 1) * found.values.nbytes <= MEMORY:
            self._held[point.model] = found
        if found.probes >= 0:
            self.gated.add(point.model)
        return found

    def _made(self, point: Point) -> Kept:
        model = self.maker.predictor(point)
        try:
            if self.quick:
                return self._asked(model, gate=point.model in self._sample and point.model not in self.gated)
            return self._cached(model)
        except ValueError as error:
            raise ValueError(f"{point}: {error}") from error

    def _cached(self, model: Predictor) -> Kept:
        """A slow forecast, which is gated when it is made, and kept."""
        code = code_of(model)
        key = code and key_of(model, self._sha256, code)
        found = self.cache.get(key) if key else None
        if found is None:
            found = self._asked(model, gate=True)
            # Code that was loaded on the way was not in the key.
            if key and code_of(model) == code:
                self.cache.put(key, found)
        return found

    def _asked(self, model: Predictor, gate: bool) -> Kept:
        if gate:
            said = predict(self.bars, model, symbol=self.maker.sweep.base.symbol)
            return Kept(said.series.to_numpy(float), said.verdict.probes, said.verdict.noise, said.seconds)
        began = time.perf_counter()
        series = model.predict(self.bars)
        check_forecast(series, self.bars)
        return Kept(series.to_numpy(float), seconds=time.perf_counter() - began)

    def _is_quick(self, point: Point) -> bool:
        model = self.maker.predictor(point)
        if isinstance(model, WalkForward):
            return False
        model.predict(self.bars)  # imports and caches are not its speed
        began = time.perf_counter()
        model.predict(self.bars)
        return time.perf_counter() - began < QUICK


def _models(points: Sequence[Point]) -> list[Point]:
    """One point for each predictor among them."""
    return list({point.model: point for point in points}.values())
