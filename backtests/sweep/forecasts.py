"""The forecasts of a sweep: one for each predictor, shared by all strategy variants, and examined for look-ahead."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from ...predictors import Predictor, WalkForward
from ...predictors.isolation import isolated
from ..data.bars import digest
from ..pipeline.cache_key import code_of, key_of
from ..pipeline.forecasts import check_forecast, predict
from .factory import Factory
from .forecast_cache import CachedForecast, ForecastCache
from .points import ModelKey, Point

QUICK = 0.2  # seconds; a forecast that takes longer is cached on disk, and its predictor always examined by the gate
SAMPLE = 3  # quick predictors that the gate examines: the first, the last and evenly spaced ones between
MEMORY = 1 << 30  # bytes of forecasts in memory; beyond it quick ones are computed again


@dataclass
class Forecaster:
    """Computes the forecast of every predictor of a sweep once, and holds it in memory or in the cache.

    bars:         what the predictors read.
    gated_models: the predictors, by `Point.model`, in which the gate found no look-ahead.
    quick:        whether a forecast takes less than QUICK seconds.
    """

    factory: Factory
    bars: pd.DataFrame
    cache: ForecastCache
    gated_models: set[ModelKey] = field(default_factory=set)
    quick: bool = True
    _memory: dict[ModelKey, CachedForecast] = field(default_factory=dict)
    _sample: set[ModelKey] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._sha256 = digest(self.bars)

    def plan(self, points: Sequence[Point], quick: bool | None = None) -> None:
        """Chooses the predictors to examine, and times the first one unless `quick` is known already."""
        models = _one_per_model(points)
        self.quick = self._is_quick(models[0]) if quick is None else quick
        self._sample = {models[k].model for k in np.linspace(0, len(models) - 1, SAMPLE).astype(int)}

    def prepare(self, points: Sequence[Point], progress: Callable[[int, int], None]) -> pd.Timestamp:
        """Computes the forecasts of all points; returns the first date on which all of them have one.

        progress: called with (forecasts computed, forecasts in all).

        Raises ValueError, with the point's name, for a predictor that looks ahead, a forecast that breaks the contract,
        and a point whose warm-up takes more than half of the bars.
        """
        models = _one_per_model(points)
        latest, slowest = 0, models[0]
        for count, point in enumerate(models, start=1):
            warm_up = int(np.isnan(self._forecast(point).values).sum())  # `check_forecast` allows NaN at the start only
            if warm_up > latest:
                latest, slowest = warm_up, point
            progress(count, len(models))
        if latest > len(self.bars) // 2:
            raise ValueError(
                f"{slowest} needs {latest:,} of the {len(self.bars):,} bars to warm up, and all points are scored on "
                "the bars after the last warm-up; leave it out or use a longer date range"
            )
        return self.bars.index[latest]

    def series(self, point: Point) -> pd.Series:
        """The forecast of a point at every bar; raises as `prepare` does."""
        return pd.Series(self._forecast(point).values, index=self.bars.index, name="forecast")

    def _forecast(self, point: Point) -> CachedForecast:
        forecast = self._memory.get(point.model) or self._compute(point)
        if (len(self._memory) + 1) * forecast.values.nbytes <= MEMORY:
            self._memory[point.model] = forecast
        if forecast.probes >= 0:
            self.gated_models.add(point.model)
        return forecast

    def _compute(self, point: Point) -> CachedForecast:
        predictor = self.factory.predictor(point)
        try:
            if self.quick:
                return self._predict(predictor, point.model in self._sample and point.model not in self.gated_models)
            return self._through_cache(predictor)
        except ValueError as error:
            raise ValueError(f"{point}: {error}") from error

    def _through_cache(self, predictor: Predictor) -> CachedForecast:
        """A slow forecast, from the cache where it is there; else computed, examined by the gate and cached."""
        code = code_of(predictor)
        key = code and key_of(predictor, self._sha256, code)
        forecast = self.cache.get(key) if key else None
        if forecast is None:
            forecast = self._predict(predictor, gate=True)
            # The key does not cover code that predicting has imported.
            if key and code_of(predictor) == code:
                self.cache.put(key, forecast)
        return forecast

    def _predict(self, predictor: Predictor, gate: bool) -> CachedForecast:
        if gate:
            forecasts = predict(self.bars, predictor, symbol=self.factory.sweep.base.symbol)
            verdict = forecasts.verdict
            return CachedForecast(forecasts.series.to_numpy(float), verdict.probes, verdict.noise, forecasts.seconds)
        start = time.perf_counter()
        with isolated():
            series = predictor.predict(self.bars)
        check_forecast(series, self.bars)
        return CachedForecast(series.to_numpy(float), seconds=time.perf_counter() - start)

    def _is_quick(self, point: Point) -> bool:
        predictor = self.factory.predictor(point)
        if isinstance(predictor, WalkForward):
            return False
        with isolated():
            predictor.predict(self.bars)  # the first call may import modules and fill caches
            start = time.perf_counter()
            predictor.predict(self.bars)
        return time.perf_counter() - start < QUICK


def _one_per_model(points: Sequence[Point]) -> list[Point]:
    """One point for each predictor among them, the last."""
    return list({point.model: point for point in points}.values())
