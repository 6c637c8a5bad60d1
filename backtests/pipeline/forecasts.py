"""The forecasts of every name of a market, and the gate they pass before they are traded.

Notation: T dates, N names.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ...predictors import Predictor, WalkForward, training_log
from ...predictors.bars import check_bars
from ...predictors.isolation import isolated
from ...predictors.pooled import Pooled
from ...predictors.training_log import Training
from ..gate.audit import Opened, watching
from ..gate.gate import examine, nearest_names
from ..gate.pooled import examine_pools
from ..gate.verdict import LookAheadError, Verdict
from ..gate.windows import PROBES_PER_WINDOW, SHARE
from ..market.market import Market
from ..market.panel import Panel
from .forecast_file import ForecastFile

NAMES = 8  # of a portfolio that are probed, of a predictor that is never trained

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Forecasts:
    """The forecasts of a market before anything was traded on them.

    table:    the forecast of each name's next log return, dates × symbols (T, N); NaN while a name warms up and where
              it has no bar.
    verdict:  what the look-ahead gate concluded, of all names probed; `probed` lists them.
    training: how the windows were trained, means over the names; None for a predictor that is never trained.
    seconds:  what predicting took.
    opened:   the files and hosts that were opened meanwhile, and when a plugin was imported from its file.
    """

    predictor: Predictor | Pooled
    market: Market
    table: pd.DataFrame
    verdict: Verdict
    probed: list[str]
    training: Training | None
    seconds: float
    opened: Opened

    @property
    def series(self) -> pd.Series:
        """The forecasts of the one name; of a portfolio the mean of the names' latest forecasts. NaN while warming up.

        A name's latest forecast counts until its last bar.
        """
        if not self.market.portfolio:
            return self.table.iloc[:, 0].rename("forecast")
        return mean_forecast(self.table, self.market.model_panel)

    @property
    def first(self) -> pd.Timestamp:
        """The date of the first forecast. Raises ValueError if there is none, or no date after it to trade on."""
        if not self.market.portfolio:
            return self.table.index[check_forecast(self.series, self.market.model_bars)]
        known = self.table.notna().any(axis=1).to_numpy()
        if not known.any():
            raise ValueError("there is no forecast for any name; use a longer date range")
        first = int(known.argmax())
        if len(known) - first < 2:
            raise ValueError("there is no bar after the first forecast to trade on; use a longer date range")
        return self.table.index[first]

    def since(self, date: pd.Timestamp | None) -> Forecasts:
        """The same without those before a date, so that predictors with different warm-ups are traded on the same bars.

        Raises ValueError if fewer than two dates are left.
        """
        if date is None:
            return self
        later = replace(self, table=self.table.where(self.table.index.to_series() >= date))
        _ = later.first
        return later


def predict(
    market: Market | Panel | pd.DataFrame,
    predictor: Predictor | Pooled,
    *,
    symbol: str = "bars",
    pooled: bool = False,
    allow_lookahead: bool = False,
    progress: Progress | None = None,
) -> Forecasts:
    """The first half of `run`: the forecasts of every name, once they have passed the gate.

    pooled: of a portfolio, one model for all names, refitted on as many dates; by default the forecasts of each name
        are those of a run of its own. A name with fewer bars than the training needs has none.

    Raises LookAheadError for a predictor that looks ahead, TypeError for what cannot be traded or pooled, ValueError
    for bars that are not in order, too few bars, or a forecast that breaks the contract.
    """
    market = Market.of(market, symbol)
    if pooled and market.portfolio and isinstance(predictor, Predictor):
        predictor = _pooled(predictor)
    if not isinstance(predictor, Predictor | Pooled) or (isinstance(predictor, Pooled) and not market.portfolio):
        raise TypeError(f"expected a Predictor, got {predictor!r}; a Learner is traded as WalkForward(learner)")
    frames = {name: one.model_bars for name, one in market.loaded.items()}
    for name, bars in frames.items():
        check_bars(bars, name)
    start = time.perf_counter()
    with isolated(), training_log.recording() as log, watching() as opened:
        series = _series(predictor, market, frames, progress)
    seconds = time.perf_counter() - start
    if isinstance(predictor, ForecastFile):
        verdict, probed = Verdict(0, None, elsewhere=True), list[str]()
        for name, one in series.items():
            check_forecast(one, frames[name])
    else:
        with isolated():
            verdict, probed = _examine(predictor, frames, series)
    if verdict.leak and not allow_lookahead:
        raise LookAheadError(verdict.leak)
    table = pd.DataFrame(np.nan, index=market.bars.index, columns=market.columns)
    for name, one in series.items():
        table[name] = one.reindex(table.index).astype(float)
    training = log.training()
    return Forecasts(
        *(predictor, market, table, verdict, probed, _means(training) if market.portfolio else training, seconds),
        opened=opened,
    )


def mean_forecast(table: pd.DataFrame, panel: Panel) -> pd.Series:
    """The mean over the names of each one's latest forecast, until its last bar; NaN before the first, and 0 where none
    has one any more.
    """
    latest = table.ffill()
    for symbol, bars in panel.bars.items():
        latest.loc[latest.index > bars.index[-1], symbol] = np.nan
    begun = table.notna().any(axis=1).cummax()
    return latest.where(latest.notna().any(axis=1) | ~begun, 0.0).mean(axis=1).rename("forecast")


def check_forecast(forecast: pd.Series, bars: pd.DataFrame) -> int:
    """The position of the first forecast.

    Raises ValueError unless the forecast keeps the contract of `Predictor.predict` and leaves a bar to trade on.
    """
    if not isinstance(forecast, pd.Series) or not forecast.index.equals(bars.index):
        raise ValueError("predict must return a Series on the index of its bars")
    if not pd.api.types.is_float_dtype(forecast.dtype):
        raise ValueError(f"predict must return floats; got {forecast.dtype}")
    known = forecast.notna().to_numpy()
    if not known.any():
        raise ValueError(f"the predictor is still warming up after all {len(bars)} bars; use a longer date range")
    first = int(known.argmax())
    if not known[first:].all():
        gap = bars.index[first + int((~known[first:]).argmax())]
        raise ValueError(f"the forecast is NaN on {gap}, after its warm-up; it must stay a number once it has begun")
    if not pd.Series(forecast[known]).abs().lt(float("inf")).all():
        raise ValueError("the forecast is infinite somewhere")
    if len(bars) - first < 2:
        raise ValueError("there is no bar after the first forecast to trade on; use a longer date range")
    return first


def _series(
    predictor: Predictor | Pooled, market: Market, frames: dict[str, pd.DataFrame], progress: Progress | None
) -> dict[str, pd.Series]:
    """The forecasts of every name that has enough bars for them; of a name by itself, whatever it has."""
    if isinstance(predictor, Pooled):
        return predictor.predict(frames, progress)
    if isinstance(predictor, ForecastFile):
        return {symbol: predictor.of(symbol, bars) for symbol, bars in frames.items()}
    if not market.portfolio:
        ((symbol, bars),) = frames.items()
        walks = isinstance(predictor, WalkForward)
        return {symbol: predictor.predict(bars, progress) if walks else predictor.predict(bars)}  # type: ignore[call-arg]
    if not isinstance(predictor, WalkForward):
        series = {symbol: predictor.predict(bars) for symbol, bars in frames.items()}
        warm = {symbol: one for symbol, one in series.items() if one.notna().iloc[:-1].any()}
        if not warm:
            raise ValueError(f"the predictor warms up longer than any symbol of {market.name}; use a longer date range")
        return warm
    # A name needs a bar after its first forecast to be traded on.
    long = {symbol: bars for symbol, bars in frames.items() if len(bars) > predictor.train}
    if not long:
        most = max(map(len, frames.values()))
        raise ValueError(f"{market.name}: no symbol has more than train={predictor.train} bars; the longest has {most}")
    return dict(zip(long, predictor.predict_many(list(long.values()), progress), strict=True))


def _examine(
    predictor: Predictor | Pooled, frames: dict[str, pd.DataFrame], series: dict[str, pd.Series]
) -> tuple[Verdict, list[str]]:
    """What the gate concludes of forecasts, and the names it probed.

    Some names are probed, drawn by a fixed seed: NAMES, or of a walk-forward as many as a tenth of its windows
    suffices for; one at least. Of pooled forecasts, all names are probed together.
    """
    if isinstance(predictor, Pooled):
        return examine_pools(predictor, frames, series), [name for name, one in series.items() if one.notna().any()]
    for name, one in series.items():
        check_forecast(one, frames[name])
    names = np.random.default_rng(0).permutation(list(series)).tolist()
    verdicts, probed = [], names[: _names(predictor, frames, names)]
    nearest = nearest_names(series)
    for symbol in probed:
        verdicts.append(examine(predictor, frames[symbol], series[symbol], nearest[symbol]))
        if verdicts[-1].leak:
            break
    probed = probed[: len(verdicts)]
    return Verdict(
        sum(one.probes for one in verdicts),
        verdicts[-1].leak,
        max(one.noise for one in verdicts),
        sum(one.bars for one in verdicts),
        sum(one.of for one in verdicts),
        max(one.hidden for one in verdicts),
        sum(one.fits for one in verdicts),
        sum(one.windows for one in verdicts),
    ), probed


def _names(predictor: Predictor, frames: dict[str, pd.DataFrame], names: list[str]) -> int:
    """How many names are probed."""
    if not isinstance(predictor, WalkForward):
        return NAMES
    windows = sum(len(predictor.windows(frames[name])) for name in names)
    return max(1, int(SHARE * windows / PROBES_PER_WINDOW))


def _pooled(predictor: Predictor) -> Pooled:
    if not isinstance(predictor, WalkForward):
        raise TypeError(f"{type(predictor).__name__} is never trained, so there is nothing to pool")
    return Pooled(predictor.learner, predictor.train, predictor.every)


def _means(training: Training | None) -> Training | None:
    """The training of many names as that of one: means by date, and by net."""
    if training is None:
        return None
    windows = training.windows.groupby(["date", "net"], as_index=False).mean(numeric_only=True)
    spread, states = (None if t is None else t.groupby(level=0).mean() for t in (training.spread, training.states))
    return Training(windows, spread, states)
