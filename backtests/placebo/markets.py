"""The whole pipeline on any number of markets: every one forecast, traded and scored as the real one.

Notation: T bars, M markets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

import numpy as np
import pandas as pd

from rollcast.backtests.account import Prices, evaluate, supports
from rollcast.backtests.account.engine import Account, simulate
from rollcast.backtests.account.hosts import Strategy
from rollcast.backtests.account.scores import forecast_scores, return_scores
from rollcast.backtests.data.bars import bars_per_year
from rollcast.backtests.data.load import adjusted, for_model
from rollcast.backtests.pipeline.forecasts import check_forecast
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.strategies import check_strategy
from rollcast.backtests.placebo.surrogates import SURROGATES, surrogate
from rollcast.predictors import Learner, Predictor, WalkForward
from rollcast.predictors.bars import check_bars
from rollcast.predictors.executor import Work, execute
from rollcast.predictors.registry import suggest
from rollcast.strategies.buy_and_hold import BuyAndHold
from rollcast.strategies.sizing import Ruined

SCORES = ("sharpe", "cagr", "excess", "ic", "r2")
BYTES_PER_BAR = 400  # of a market: its bars, features and forecasts, and its accounts while they trade
MEMORY = 1 << 28  # bytes that the markets of one call may take
REFITS = 6000  # in one call: enough to keep any trainer busy, whose results may take some 30 kB each

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pipeline:
    """What is repeated on every market: forecast by `predictor`, traded by `strategy` in `account`.

    bars:  the real market.   since: a date before which forecasts are not traded, nor counted.
    overnight: whether the predictor reads the nights of bars with sessions.
    """

    bars: pd.DataFrame
    predictor: Predictor
    strategy: Strategy
    parameters: Mapping[str, Any] = field(default_factory=dict)
    account: Account = field(default_factory=Account)
    since: pd.Timestamp | None = None
    overnight: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.predictor, Learner):
            raise TypeError(f"{self.predictor!r} is a Learner, which is traded as WalkForward(learner)")
        check_bars(self.bars)
        check_strategy(self.strategy, self.parameters)

    @classmethod
    def of(cls, request: Request, bars: pd.DataFrame | None = None) -> Self:
        """What a request asks for, on these bars instead of its own where they are given.

        Bars that carry dividends and splits are adjusted for them: no surrogate has ex-dates.
        """
        since = None if request.since is None else pd.Timestamp(request.since)
        bars = adjusted(request.load().bars if bars is None else bars)
        return cls(bars, request.model(), *request.rule(), request.account, since, request.overnight)

    @property
    def at_once(self) -> int:
        """How many markets fit into `MEMORY` and `REFITS`."""
        return max(1, min(MEMORY // (BYTES_PER_BAR * len(self.bars)), REFITS // self.refits))

    @property
    def refits(self) -> int:
        """Trainings that one market takes: 1 for a predictor that is never refitted."""
        return len(self.predictor.windows(self.bars)) if isinstance(self.predictor, WalkForward) else 1


def score(pipeline: Pipeline, null: str, seeds: Sequence[int | None], progress: Progress | None = None) -> pd.DataFrame:
    """A row of `SCORES` for each seed: those of the surrogate market it makes, and of the real one for None.

    A row depends on the pipeline, the null and its own seed alone: whoever has many may share them out anyhow.
    sharpe, cagr: of the account, NaN and -1 where it was wiped out.   ic, r2: of the forecasts.
    excess:       the CAGR less that of buying and holding the same market at the same costs.
    progress:     called with (refits done, refits in all).

    Raises LookupError for an unknown null, ValueError for bars that it cannot be made from, and whatever the predictor
    raises.
    """
    if null not in SURROGATES:
        raise LookupError(f"unknown null {null!r}. {suggest(null, SURROGATES)}")
    bars, overnight = pipeline.bars, pipeline.overnight
    markets = [bars if seed is None else surrogate(bars, null, seed, overnight) for seed in seeds]
    model_bars = [for_model(market, overnight) for market in markets]
    series = _forecasts(pipeline, model_bars, progress or (lambda done, total: None))
    forecasts = [_since(pipeline, one) for one in series]
    traded = _equities(markets, forecasts, pipeline.strategy, pipeline.parameters, pipeline.account)
    held = _equities(markets, forecasts, BuyAndHold, {}, pipeline.account)
    rows = [_row(*each) for each in zip(model_bars, forecasts, traded, held, strict=True)]
    return pd.DataFrame(rows, columns=list(SCORES))


def _forecasts(pipeline: Pipeline, markets: Sequence[pd.DataFrame], progress: Progress) -> list[pd.Series]:
    """The forecasts of every market, those of a learner from one list of windows."""
    if isinstance(pipeline.predictor, WalkForward):
        return pipeline.predictor.predict_many(markets, progress)
    made: dict[int, pd.Series] = {}
    for k, series in execute(Work.map(pipeline.predictor.predict, markets)):
        made[k] = series
        progress(len(made), len(markets))
    return [made[k] for k in range(len(markets))]


def _since(pipeline: Pipeline, series: pd.Series) -> pd.Series:
    return series if pipeline.since is None else series.where(series.index >= pipeline.since)


def _equities(
    markets: Sequence[pd.DataFrame],
    forecasts: Sequence[pd.Series],
    strategy: Strategy,
    parameters: Mapping[str, Any],
    account: Account,
) -> np.ndarray:
    """The equity at every close, (M, T), NaN from where an account was wiped out."""
    for series, bars in zip(forecasts, markets, strict=True):
        check_forecast(series, bars)
    if not (supports(strategy) and account.fast):
        simulated = partial(_simulated, strategy, parameters, account)
        pairs = list(zip(markets, forecasts, strict=True))
        equities = dict(execute(Work.map(simulated, pairs)))
        return np.stack([equities[k] for k in range(len(pairs))])
    opening, closing = (np.column_stack([bars[name].to_numpy(float) for bars in markets]) for name in ("open", "close"))
    prices = Prices(pd.DatetimeIndex(markets[0].index), opening, closing)
    done = evaluate(prices, np.column_stack(forecasts), strategy, parameters, account)
    return np.ascontiguousarray(done.equity.T)


def _simulated(
    strategy: Strategy,
    parameters: Mapping[str, Any],
    account: Account,
    market: tuple[pd.DataFrame, pd.Series],
) -> np.ndarray:
    """The same for one market, by backtrader, for a strategy of the user's."""
    bars, forecast = market
    try:
        return simulate(bars, forecast, strategy, parameters, account).history["equity"].to_numpy(float)
    except Ruined:
        return np.full(len(bars), np.nan)


def _row(bars: pd.DataFrame, forecast: pd.Series, traded: np.ndarray, held: np.ndarray) -> list[float]:
    """The scores of one market, in the order of `SCORES`, over its evaluation window."""
    first = int(forecast.notna().argmax())
    window = pd.DatetimeIndex(bars.index[first:])
    yearly = bars_per_year(window)
    ours, theirs = (_earned(equity[first:], window, yearly) for equity in (traded, held))
    quality = forecast_scores(forecast.iloc[first:], bars.iloc[first:])
    return [ours["sharpe"], ours["cagr"], ours["cagr"] - theirs["cagr"], quality["ic"], quality["r2"]]


def _earned(equity: np.ndarray, window: pd.DatetimeIndex, yearly: int) -> dict[str, float]:
    if np.isnan(equity).any():
        return {"sharpe": np.nan, "cagr": -1.0}
    return return_scores(pd.Series(np.r_[0.0, equity[1:] / equity[:-1] - 1], index=window), yearly)
