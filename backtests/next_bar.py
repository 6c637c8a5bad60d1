"""The bar after the last one: what is expected of it, what such forecasts were worth so far, what would be held."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..predictors import Predictor, WalkForward
from ..predictors.bars import check_bars
from ..strategies.actions import NO_ACTION
from .data.table import Loaded
from .evidence.skill import skill
from .gate.verdict import Verdict
from .json_values import Record, Values, plain
from .market.market import Market
from .market.panel import Panel
from .pipeline.backtest import simulate_market
from .pipeline.forecasts import Forecasts, Progress
from .pipeline.request import Request


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
    skill: Record
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

    def as_dict(self) -> Values:
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
    progress: Progress | None = None,
) -> NextBar:
    """The forecast at the last bar of a request for one name, on these bars instead of its own where there are any.

    history: whether to make all forecasts before it too: their skill, the look-ahead gate and the position need them.
        Without, a learner is fitted once, on the last window of its walk-forward, and the forecast is the same. There
        is no gate then: there is no later bar that this one forecast could have read.

    Nothing is written. Raises LookAheadError for a predictor that looks ahead, unless the request allows it, ValueError
    where there is no forecast or the request is for a portfolio, and what `Request.run` raises.
    """
    if request.is_portfolio:
        raise ValueError(f"{request.symbol} is a portfolio; forecast_names forecasts every name of one")
    forecasts = forecast_names(request, request.market(bars), history=history, progress=progress)
    return forecasts[0]


def forecast_names(
    request: Request, market: Market | Panel, *, history: bool = True, progress: Progress | None = None
) -> list[NextBar]:
    """The forecast at the last bar of every name of a market that has one on its last date, and a forecast there.

    history: as `forecast_next` takes it, the positions being those of the one account. Without, each name is forecast
        once; a pooled model is trained all the same.

    Nothing is written. Raises as `forecast_next` does.
    """
    request.check_rule()
    market = request.market(market)
    last = market.panel.calendar[-1]
    current = [symbol for symbol, bars in market.panel.bars.items() if bars.index[-1] == last]
    if not history and not request.pooled:
        model = request.model()
        return [
            _next(market, symbol, last_forecast(model, market.loaded[symbol].model_bars), None) for symbol in current
        ]
    forecasts = request.predict(market, progress)
    forecasts = forecasts.since(None if request.since is None else pd.Timestamp(request.since))
    current = [symbol for symbol in current if pd.notna(forecasts.table[symbol].iloc[-1])]
    positions = next_positions(request, forecasts, current) if history else {}
    return [
        _next(
            market,
            symbol,
            float(forecasts.table[symbol].iloc[-1]),
            _history(forecasts, symbol, positions[symbol]) if history else None,
        )
        for symbol in current
    ]


def last_forecast(model: Predictor, bars: pd.DataFrame) -> float:
    """The last value of `model.predict(bars)`, for which a walk-forward need only be fitted on its last window.

    Raises ValueError where it is no number.
    """
    check_bars(bars)
    if isinstance(model, WalkForward):
        ((_, series),) = model.learner.forecast(model.windows(bars)[-1:])
    else:
        series = model.predict(bars)
    forecast = float(series.iloc[-1])
    if not math.isfinite(forecast):
        raise ValueError(f"there is no forecast after {len(bars)} bars, but {forecast}; use a longer date range")
    return forecast


def next_positions(request: Request, forecasts: Forecasts, symbols: list[str]) -> dict[str, Position]:
    """What the request's strategy holds of each of these names at the last close, and what it orders there.

    The strategy itself trades all forecasts in the engine, over the bars and one bar more: flat at the last close, so
    that the order decided there fills. What it decides at that last bar would fill after it, and so never does.
    """
    market = forecasts.market
    date = after_last(market.bars).index
    longer = {symbol: _longer(one, date) if symbol in symbols else one for symbol, one in market.loaded.items()}
    # A number, because a forecast is never NaN again once it has begun; it is not traded.
    table = pd.concat([forecasts.table, forecasts.table.iloc[-1:].set_axis(date)])
    market = Market(market.name, longer, market.portfolio)
    traded, units = simulate_market(market, table, *request.rule(), request.account)
    closes = market.panel.table("close").ffill()
    weights = units.mul(closes).div(traded.history["equity"], axis=0)
    return {
        symbol: Position(*(float(values[symbol].iloc[k]) for k in (-2, -1) for values in (units, weights)))
        for symbol in symbols
    }


def after_last(bars: pd.DataFrame) -> pd.DataFrame:
    """One bar more, flat at the last close, at the usual distance, on which nothing is paid or split."""
    close = float(bars["close"].iloc[-1])
    step = pd.Timedelta(np.median(np.diff(bars.index[-21:]))) if len(bars) > 1 else pd.Timedelta(days=1)
    flat = {"open": close, "high": close, "low": close, "close": close, "volume": 0.0}
    flat |= {name: none for name, none in NO_ACTION.items() if name in bars}
    return pd.DataFrame(flat, index=[bars.index[-1] + step])


def _longer(loaded: Loaded, date: pd.DatetimeIndex) -> Loaded:
    flat = after_last(loaded.bars).set_axis(date)
    return replace(loaded, bars=pd.concat([loaded.bars[list(flat.columns)].astype(float), flat]))


def _next(market: Market, symbol: str, forecast: float, history: History | None) -> NextBar:
    bars = market.loaded[symbol].bars
    return NextBar(symbol, bars.index[-1], float(bars["close"].iloc[-1]), forecast, history)


def _history(forecasts: Forecasts, symbol: str, position: Position) -> History:
    model_bars = forecasts.market.loaded[symbol].model_bars
    series = forecasts.table[symbol].reindex(model_bars.index)
    first = pd.Timestamp(series.first_valid_index())
    return History(first, skill(series.loc[first:], model_bars["close"]), forecasts.verdict, position)
