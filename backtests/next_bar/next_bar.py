"""The bar after the last one: what is expected of it, what such forecasts were worth so far, what would be held."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.account.engine import simulate
from rollcast.backtests.data.table import Loaded
from rollcast.backtests.evidence.skill import skill
from rollcast.backtests.gate.gate import Verdict
from rollcast.backtests.pipeline.backtest import check_strategy
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.pipeline.result import plain
from rollcast.predictors import Predictor, WalkForward
from rollcast.predictors.bars import check_bars
from rollcast.strategies.actions import NO_ACTION


@dataclass(frozen=True)
class Position:
    """What the account holds at the last close, and would hold after an open at the same price.

    A weight is the position's value over the account's equity: 1 fully long, -1 fully short.
    """

    units: float
    weight: float
    next_units: float
    next_weight: float


@dataclass(frozen=True)
class History:
    """What the forecasts before this one were worth, all of them made out of sample.

    first:    date of the first of them.
    skill:    as `backtests.evidence.skill.skill` measures it; `forecasts` is how many have an outcome.
    verdict:  what the look-ahead gate found.
    position: of an account that has traded them all.
    """

    first: pd.Timestamp
    skill: Mapping[str, Any]
    verdict: Verdict
    position: Position


@dataclass(frozen=True)
class NextBar:
    """What a predictor expects of the bar after the last one.

    date:     of the last bar.
    close:    of the last bar, in the currency of the prices.
    forecast: f, expected log(close[t+1]/close[t]).
    history:  None where it was not asked for.
    """

    symbol: str
    date: pd.Timestamp
    close: float
    forecast: float
    history: History | None

    @property
    def forecast_bps(self) -> float:
        """The forecast in basis points."""
        return self.forecast * 1e4

    @property
    def price(self) -> float:
        """close·exp(f), in the currency of the prices."""
        return self.close * math.exp(self.forecast)

    def as_dict(self) -> dict[str, Any]:
        """In JSON's types; NaN is None."""
        own = {name: getattr(self, name) for name in ("symbol", "date", "close", "forecast", "forecast_bps", "price")}
        if self.history is None:
            return plain(own)
        verdict = self.history.verdict
        return plain(
            own
            | {
                "first_forecast": self.history.first,
                "skill": self.history.skill,
                "look_ahead": {"passed": verdict.leak is None, "finding": str(verdict)},
                "position": vars(self.history.position),
            }
        )


def forecast_next(
    request: Request,
    bars: pd.DataFrame | Loaded | None = None,
    *,
    history: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> NextBar:
    """The forecast at the last bar of a request, on these bars instead of its own where they are given.

    history: whether to make all forecasts before it too: their skill, the look-ahead gate and the position need them.
        Without, a learner is fitted once, on the last window of its walk-forward, and the forecast is the same. The
        gate is not asked then: there is no later bar that this one forecast could have seen.

    Nothing is written. Raises LookAheadError for a predictor that looks ahead, unless the request allows it, and what
    `Request.run` raises.
    """
    model, (strategy, parameters) = request.model(), request.rule()
    check_strategy(strategy, parameters)
    data = request.load() if bars is None else request.market(bars)
    assert isinstance(data, Loaded)  # a panel is for `backtests.next_bar.panel`
    made = _with_history(request, data, progress) if history else (last_forecast(model, data.seen), None)
    return NextBar(request.symbol, data.bars.index[-1], float(data.bars["close"].iloc[-1]), *made)


def last_forecast(model: Predictor, bars: pd.DataFrame) -> float:
    """The last value of `model.predict(bars)`, for which a walk-forward need only be fitted on its last window.

    Raises ValueError where it is no number.
    """
    check_bars(bars)
    if isinstance(model, WalkForward):
        ((_, made),) = model.learner.forecast(model.windows(bars)[-1:])
    else:
        made = model.predict(bars)
    forecast = float(made.iloc[-1])
    if not math.isfinite(forecast):
        raise ValueError(f"there is no forecast after {len(bars)} bars, but {forecast}; use a longer date range")
    return forecast


def _with_history(request: Request, data: Loaded, progress: Callable[[int, int], None] | None) -> tuple[float, History]:
    since = None if request.since is None else pd.Timestamp(request.since)
    forecasts = request.predict(data.seen, progress).since(since)
    series = forecasts.series
    position = next_position(request, data.bars, series)
    first = pd.Timestamp(series.first_valid_index())
    found = History(first, skill(series.loc[first:], data.seen["close"]), forecasts.verdict, position)
    return float(series.iloc[-1]), found


def after_last(bars: pd.DataFrame) -> pd.DataFrame:
    """One bar more, flat at the last close, at the usual distance, on which nothing is paid or split."""
    close = float(bars["close"].iloc[-1])
    step = pd.Timedelta(np.median(np.diff(bars.index[-21:]))) if len(bars) > 1 else pd.Timedelta(days=1)
    flat = {"open": close, "high": close, "low": close, "close": close, "volume": 0.0}
    flat |= {name: none for name, none in NO_ACTION.items() if name in bars}
    return pd.DataFrame(flat, index=[bars.index[-1] + step])


def next_position(request: Request, bars: pd.DataFrame, forecast: pd.Series) -> Position:
    """What the request's strategy holds at the last close, and what it orders there.

    The strategy itself trades all forecasts in the engine, over the bars and one bar more: flat at the last close, so
    that the order decided there fills. What it decides at that last bar would fill after it, and so never does.
    """
    flat = after_last(bars)
    # A number, because a forecast is never NaN again once it has begun; it is not traded.
    once_more = pd.Series([forecast.iloc[-1]], index=flat.index)
    columns = list(flat.columns)
    longer, told = pd.concat([bars[columns].astype(float), flat]), pd.concat([forecast, once_more])
    account = simulate(longer, told, *request.rule(), request.account).history
    now, after = account.index[-2:]
    weights = account["units"] * longer["close"] / account["equity"]
    return Position(*(float(x[date]) for date in (now, after) for x in (account["units"], weights)))
