"""The forecasts of every symbol of a panel, and the gate they pass."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from rollcast.backtests.data.panel import Panel
from rollcast.backtests.gate.gate import SHARE, LookAheadError, Verdict, examine
from rollcast.backtests.gate.pooled import examine_pools
from rollcast.backtests.pipeline.backtest import check_forecast
from rollcast.predictors import Predictor, WalkForward, training_log
from rollcast.predictors.pooled import Pooled
from rollcast.predictors.training_log import Training

SECONDS = 2.0  # spent on probing all symbols of a predictor or learner that is quick


@dataclass(frozen=True)
class PanelForecasts:
    """What a predictor said of the names of a panel before anything was traded on it.

    table:    the forecasts, dates × symbols; NaN while a name warms up and where it has no bar.
    verdict:  what the look-ahead gate found, all symbols probed taken together; `probed` says which they were.
    training: how its windows were trained, means over the symbols.      seconds: what predicting took.
    """

    predictor: Predictor | Pooled
    panel: Panel
    table: pd.DataFrame
    verdict: Verdict
    probed: list[str]
    training: Training | None
    seconds: float

    @property
    def first(self) -> pd.Timestamp:
        """The date of the first forecast. Raises ValueError if there is none, or no date after it to trade on."""
        known = self.table.notna().any(axis=1).to_numpy()
        if not known.any():
            raise ValueError("there is no forecast for any name; use a longer date range")
        first = int(known.argmax())
        if len(known) - first < 2:
            raise ValueError("there is no bar after the first forecast to trade on; use a longer date range")
        return self.table.index[first]

    def since(self, date: pd.Timestamp | None) -> PanelForecasts:
        """The same without those before a date. Raises ValueError if fewer than two dates are left."""
        if date is None:
            return self
        later = replace(self, table=self.table.loc[date:].reindex(self.table.index))
        _ = later.first
        return later


def predict_panel(
    panel: Panel,
    predictor: Predictor | Pooled,
    *,
    pooled: bool = False,
    allow_lookahead: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> PanelForecasts:
    """The first half of `run_panel`: forecasts of every symbol that passed the gate.

    pooled: one model for all symbols, refitted on as many dates; else each symbol's forecasts are those of a run of its
            own. A symbol with fewer bars than the training needs has none.

    Raises LookAheadError for a predictor that looks ahead, TypeError for what cannot be traded or pooled.
    """
    if pooled and isinstance(predictor, Predictor):
        predictor = _pooled(predictor)
    if not isinstance(predictor, Predictor | Pooled):
        raise TypeError(f"expected a Predictor, got {predictor!r}; a Learner is traded as WalkForward(learner)")
    began = time.perf_counter()
    with training_log.recording() as log:
        series = _forecasts(predictor, panel, progress)
    seconds = time.perf_counter() - began
    if isinstance(predictor, Pooled):
        verdict = examine_pools(predictor, panel.bars, series)
        probed = [symbol for symbol, one in series.items() if one.notna().any()]
    else:
        for symbol, one in series.items():
            check_forecast(one, panel.bars[symbol])
        verdict, probed = _examine(predictor, panel, series, max(SECONDS, SHARE * seconds))
    if verdict.leak and not allow_lookahead:
        raise LookAheadError(verdict.leak)
    table = pd.DataFrame(series, index=panel.calendar, columns=panel.symbols, dtype=float)
    return PanelForecasts(predictor, panel, table, verdict, probed, _mean(log.training()), seconds)


def _forecasts(
    predictor: Predictor | Pooled, panel: Panel, progress: Callable[[int, int], None] | None
) -> dict[str, pd.Series]:
    """The forecasts of every symbol that has enough bars for them."""
    if isinstance(predictor, Pooled):
        return predictor.predict(panel.bars, progress)
    if not isinstance(predictor, WalkForward):
        each = {symbol: predictor.predict(bars) for symbol, bars in panel.bars.items()}
        warm = {symbol: series for symbol, series in each.items() if series.notna().iloc[:-1].any()}
        if not warm:
            raise ValueError(f"the predictor warms up longer than any symbol of {panel.name}; use a longer date range")
        return warm
    # A symbol needs a bar after its first forecast to be traded on.
    long = {symbol: bars for symbol, bars in panel.bars.items() if len(bars) > predictor.train}
    if not long:
        most = max(map(len, panel.bars.values()))
        raise ValueError(f"{panel.name}: no symbol has more than train={predictor.train} bars; the longest has {most}")
    return dict(zip(long, predictor.predict_many(list(long.values()), progress), strict=True))


def _examine(
    predictor: Predictor, panel: Panel, series: dict[str, pd.Series], seconds: float
) -> tuple[Verdict, list[str]]:
    """Probes one symbol after another, in an order drawn by lot, until the time is spent; one at least."""
    began = time.perf_counter()
    probes, noise, probed = 0, 0.0, []
    for symbol in np.random.default_rng(0).permutation(list(series)).tolist():
        verdict = examine(predictor, panel.bars[symbol], series[symbol])
        probes, noise = probes + verdict.probes, max(noise, verdict.noise)
        probed.append(symbol)
        if verdict.leak:
            return replace(verdict, probes=probes), probed
        if time.perf_counter() - began > seconds:
            break
    return replace(verdict, probes=probes, noise=noise), probed


def _pooled(predictor: Predictor) -> Pooled:
    if not isinstance(predictor, WalkForward):
        raise TypeError(f"{type(predictor).__name__} is never trained, so there is nothing to pool")
    return Pooled(predictor.learner, predictor.train, predictor.every)


def _mean(training: Training | None) -> Training | None:
    """The training of many symbols as that of one: means by date, and by net."""
    if training is None:
        return None
    windows = training.windows.groupby(["date", "net"], as_index=False).mean(numeric_only=True)
    spread, states = (None if t is None else t.groupby(level=0).mean() for t in (training.spread, training.states))
    return Training(windows, spread, states)
