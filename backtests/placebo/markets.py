"""The whole pipeline, forecast, trade and score, on any number of markets.

Notation: T bars, M markets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Self

import numpy as np
import pandas as pd

from ...predictors import Learner, Predictor, WalkForward
from ...predictors.bars import check_bars
from ...predictors.executor import Work, execute
from ...predictors.registry import suggest
from ...strategies.buy_and_hold import BuyAndHold
from ...strategies.sizing import Ruined
from ..account import Prices, evaluate, supports
from ..account.engine import Account, simulate
from ..account.hosts import Strategy
from ..account.scores import cash_returns, forecast_scores, return_scores
from ..data.bars import bars_per_year
from ..data.load import adjusted, for_model
from ..json_values import Parameters
from ..pipeline.forecast_file import is_forecast_file
from ..pipeline.forecasts import check_forecast
from ..pipeline.request import Request
from ..pipeline.strategies import check_strategy
from .surrogates import SURROGATES, surrogate

SCORES = ("sharpe", "cagr", "excess", "ic", "r2")
BYTES_PER_BAR = 400  # memory per bar of a market: bars, features, forecasts and accounts
MEMORY = 1 << 28  # bytes for the markets of one call
REFITS = 6000  # in one call: enough to use every core; a result may take 30 kB

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pipeline:
    """What is repeated on every market: the forecasts of `predictor`, traded by `strategy` in `account`.

    bars:       of the real market.
    parameters: of the strategy.
    since:      a date before which forecasts are neither traded nor scored; None for all forecasts.
    overnight:  whether the predictor reads the overnight moves of bars with sessions.

    Raises TypeError for a learner that is not in a `WalkForward`, and what `check_bars` and `check_strategy` raise.
    """

    bars: pd.DataFrame
    predictor: Predictor
    strategy: Strategy
    parameters: Parameters = field(default_factory=dict)
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
        """The pipeline of a request for one name; bars: in place of those that the request loads.

        Prices as traded are adjusted for dividends and splits, since a surrogate has no ex-dates. Raises what the
        methods of `Request` raise, and ValueError for a portfolio.
        """
        since = None if request.since is None else pd.Timestamp(request.since)
        bars = adjusted(request.load().bars if bars is None else bars)
        if is_forecast_file(request.predictor):
            raise ValueError(f"{request.predictor} was made elsewhere, and cannot be made again on placebo markets")
        return cls(bars, request.model(), *request.rule(), request.account, since, request.overnight)

    @property
    def at_once(self) -> int:
        """The number of markets in one call, within `MEMORY` and `REFITS`."""
        return max(1, min(MEMORY // (BYTES_PER_BAR * len(self.bars)), REFITS // self.refits))

    @property
    def refits(self) -> int:
        """The number of trainings on one market; 1 for a predictor that is never trained."""
        return len(self.predictor.windows(self.bars)) if isinstance(self.predictor, WalkForward) else 1


def score(pipeline: Pipeline, null: str, seeds: Sequence[int | None], progress: Progress | None = None) -> pd.DataFrame:
    """A row of `SCORES` for the surrogate market of each seed, and for the real market where the seed is None.

    null:     a name of `SURROGATES`.
    progress: called with (refits done, refits in all).

    sharpe, cagr: of the account, annualised; NaN and -1 where it is ruined.
    excess:       the CAGR less that of buy-and-hold on the same market at the same costs.
    ic, r2:       of the forecasts.

    A row depends on the pipeline, the null and its own seed alone, so that seeds can be split over calls and processes.

    Raises LookupError for an unknown null, ValueError for bars that have no surrogate, and what the predictor raises.
    """
    if null not in SURROGATES:
        raise LookupError(f"unknown null {null!r}. {suggest(null, SURROGATES)}")
    bars, overnight = pipeline.bars, pipeline.overnight
    markets = [bars if seed is None else surrogate(bars, null, seed, overnight) for seed in seeds]
    model_bars = [for_model(market, overnight) for market in markets]
    series = _forecasts(pipeline, model_bars, progress or (lambda count, total: None))
    if pipeline.since is not None:
        series = [forecast.where(forecast.index >= pipeline.since) for forecast in series]
    strategy = _equities(markets, series, pipeline.strategy, pipeline.parameters, pipeline.account)
    benchmark = _equities(markets, series, BuyAndHold, {}, pipeline.account)
    rows = [
        _row(*market, pipeline.account.interest_bps)
        for market in zip(model_bars, series, strategy, benchmark, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(SCORES))


def _forecasts(pipeline: Pipeline, markets: Sequence[pd.DataFrame], progress: Progress) -> list[pd.Series]:
    """The forecast of every market, (T,) each; the windows of all markets are trained as one list."""
    if isinstance(pipeline.predictor, WalkForward):
        return pipeline.predictor.predict_many(markets, progress)
    forecasts: dict[int, pd.Series] = {}
    for k, series in execute(Work.map(pipeline.predictor.predict, markets)):
        forecasts[k] = series
        progress(len(forecasts), len(markets))
    return [forecasts[k] for k in range(len(markets))]


def _equities(
    markets: Sequence[pd.DataFrame],
    forecasts: Sequence[pd.Series],
    strategy: Strategy,
    parameters: Parameters,
    account: Account,
) -> np.ndarray:
    """The equity at every close, (M, T); NaN from the bar of ruin on, and throughout where backtrader traded it."""
    for series, bars in zip(forecasts, markets, strict=True):
        check_forecast(series, bars)
    if not (supports(strategy) and account.fast):
        function = partial(_simulated_equity, strategy, parameters, account)
        pairs = list(zip(markets, forecasts, strict=True))
        equities = dict(execute(Work.map(function, pairs)))
        return np.stack([equities[k] for k in range(len(pairs))])
    opening, closing = (np.column_stack([bars[name].to_numpy(float) for bars in markets]) for name in ("open", "close"))
    prices = Prices(pd.DatetimeIndex(markets[0].index), opening, closing)
    accounts = evaluate(prices, np.column_stack(forecasts), strategy, parameters, account)
    return np.ascontiguousarray(accounts.equity.T)


def _simulated_equity(
    strategy: Strategy,
    parameters: Parameters,
    account: Account,
    market: tuple[pd.DataFrame, pd.Series],
) -> np.ndarray:
    """The equity at every close of one market, (T,), traded by backtrader; NaN throughout where it is ruined."""
    bars, forecast = market
    try:
        return simulate(bars, forecast, strategy, parameters, account).history["equity"].to_numpy(float)
    except Ruined:
        return np.full(len(bars), np.nan)


def _row(
    bars: pd.DataFrame, forecast: pd.Series, strategy: np.ndarray, benchmark: np.ndarray, interest_bps: float
) -> list[float]:
    """The scores of one market, in the order of `SCORES`, over its evaluation window."""
    first = int(forecast.notna().argmax())
    window = pd.DatetimeIndex(bars.index[first:])
    yearly = bars_per_year(window)
    cash = cash_returns(window, interest_bps)
    account, hold = (_return_scores(equity[first:], cash, yearly) for equity in (strategy, benchmark))
    quality = forecast_scores(forecast.iloc[first:], bars.iloc[first:])
    return [account["sharpe"], account["cagr"], account["cagr"] - hold["cagr"], quality["ic"], quality["r2"]]


def _return_scores(equity: np.ndarray, cash: pd.Series, yearly: int) -> dict[str, float]:
    if np.isnan(equity).any():
        return {"sharpe": np.nan, "cagr": -1.0}
    return return_scores(pd.Series(np.r_[0.0, equity[1:] / equity[:-1] - 1], index=cash.index), yearly, cash)
