"""One backtest from bars to result: forecast, trade, score."""

from __future__ import annotations

import hashlib
import inspect
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import backtrader as bt
import pandas as pd

from rollcast.backtests.account.engine import Account, Simulation, simulate
from rollcast.backtests.account.hosts import Strategy, class_of, is_rule, rule_of
from rollcast.backtests.account.scores import forecast_scores, return_scores, trading_scores
from rollcast.backtests.account.trades import trades_from
from rollcast.backtests.data.bars import bars_per_year, digest
from rollcast.backtests.gate.gate import LookAheadError, Verdict, examine
from rollcast.backtests.pipeline.result import Result, simple_returns
from rollcast.predictors import Learner, Predictor, WalkForward, training_log
from rollcast.predictors.bars import check_bars
from rollcast.predictors.registry import Parameter, Registry, dataclass_parameters
from rollcast.predictors.training_log import Training
from rollcast.strategies import BUILT_IN
from rollcast.strategies.actions import actions_of
from rollcast.strategies.base import ForecastStrategy
from rollcast.strategies.buy_and_hold import BuyAndHold, holding
from rollcast.strategies.rule import NameRule, Parameters, Rule

PACKAGES = ("rollcast", "backtrader", "numpy", "pandas", "quantstats", "torch")


def strategy_parameters(cls: type[Parameters] | type[bt.Strategy]) -> list[Parameter]:
    """A rule's fields, or a backtrader strategy's parameters, typed by their defaults."""
    if issubclass(cls, Parameters):
        return dataclass_parameters(cls)
    defaults = dict(cls.params._getitems())
    return [Parameter(name, type(default), default) for name, default in defaults.items()]


STRATEGIES = Registry("strategy", "rollcast.strategies", BUILT_IN, (NameRule, Rule, bt.Strategy), strategy_parameters)


@dataclass(frozen=True)
class Forecasts:
    """What a predictor said of some bars before anything was traded on it.

    bars:     what it read.
    series:   the forecast at every bar, NaN while warming up.   verdict: what the look-ahead gate found.
    training: how its windows were trained.                      seconds: what predicting took.
    """

    predictor: Predictor
    bars: pd.DataFrame
    series: pd.Series
    verdict: Verdict
    training: Training | None
    seconds: float

    @property
    def first(self) -> pd.Timestamp:
        """The date of the first forecast."""
        return pd.Timestamp(self.series.first_valid_index())

    def since(self, date: pd.Timestamp | None) -> Forecasts:
        """The same without those before a date, so that predictors with different warm-ups are traded on the same bars.

        Raises ValueError if fewer than two bars are left.
        """
        if date is None:
            return self
        later = self.series.where(self.series.index >= date)
        check_forecast(later, self.bars)
        return replace(self, series=later)


def run(
    bars: pd.DataFrame,
    predictor: Predictor,
    strategy: Strategy,
    parameters: Mapping[str, Any] | None = None,
    account: Account | None = None,
    *,
    seen: pd.DataFrame | None = None,
    symbol: str = "bars",
    allow_lookahead: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Result:
    """Backtests a predictor: its forecasts on these bars, traded by this strategy, scored from the first forecast on.

    bars: what the account trades; columns `dividend` and `split`, where they are there, are booked on their bars.
    seen: what the predictor reads instead, on the same dates, as `backtests.data.load.load` makes it.
    allow_lookahead: trade a predictor that was seen to look ahead all the same; its sheet says so in red.
    progress: called with (refits done, refits in all) while a walk-forward predictor trains.

    Raises LookAheadError for a predictor that looks ahead, TypeError for a learner that is not wrapped in WalkForward,
    ValueError for bars that are not in order, a strategy parameter outside its limits, too few bars, or a forecast
    that breaks the contract.
    """
    check_strategy(strategy, parameters or {})
    read = bars if seen is None else seen
    forecasts = predict(read, predictor, symbol=symbol, allow_lookahead=allow_lookahead, progress=progress)
    return trade(forecasts, strategy, parameters, account, symbol=symbol, bars=bars)


def predict(
    bars: pd.DataFrame,
    predictor: Predictor,
    *,
    symbol: str = "bars",
    allow_lookahead: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Forecasts:
    """The first half of `run`: forecasts that passed the gate."""
    if not isinstance(predictor, Predictor):
        raise TypeError(f"expected a Predictor, got {predictor!r}; a Learner is traded as WalkForward(learner)")
    check_bars(bars, symbol)
    began = time.perf_counter()
    with training_log.kept() as page:
        series = predictor.predict(bars, progress) if isinstance(predictor, WalkForward) else predictor.predict(bars)
    seconds = time.perf_counter() - began
    check_forecast(series, bars)
    verdict = examine(predictor, bars, series)
    if verdict.leak and not allow_lookahead:
        raise LookAheadError(verdict.leak)
    return Forecasts(predictor, bars, series.rename("forecast"), verdict, page.training(), seconds)


def trade(
    forecasts: Forecasts,
    strategy: Strategy,
    parameters: Mapping[str, Any] | None = None,
    account: Account | None = None,
    *,
    symbol: str = "bars",
    bars: pd.DataFrame | None = None,
) -> Result:
    """The second half of `run`: the forecasts traded, and scored from the first one on.

    bars: what the account trades, where that is not what the predictor read.
    """
    account, parameters = account or Account(), dict(parameters or {})
    check_strategy(strategy, parameters)
    read, series, verdict = forecasts.bars, forecasts.series, forecasts.verdict
    bars = read if bars is None else bars
    first = check_forecast(series, bars)
    traded = simulate(bars, series, strategy, parameters, account)
    held = simulate(bars, series, BuyAndHold, holding(bars), account)
    window = slice(bars.index[first], None)
    history = traded.history.loc[window].assign(benchmark=held.history["equity"].loc[window])
    returns, benchmark = simple_returns(history)
    yearly = bars_per_year(history.index)
    trades = trades_from(traded.orders, traded.history, bars["close"], traded.payments)
    # A strategy deaf to the forecast may trade before the first one.
    within = traded.orders[traded.orders["date"] >= history.index[0]]
    metrics = {
        "bars_per_year": yearly,
        "strategy": return_scores(returns, yearly) | trading_scores(history, within, trades, yearly),
        "benchmark": return_scores(benchmark, yearly) | _held_scores(held, window, bars["close"], yearly),
        "forecast": forecast_scores(series.loc[window], read.loc[window]),
        "unreachable_targets": traded.too_small,
    }
    recipe = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": forecasts.seconds,
        "predictor": describe(forecasts.predictor),
        "strategy": {"class": class_of(strategy).__name__} | all_parameters(strategy, parameters),
        "account": account.as_dict(),
        "symbol": symbol,
        "bars": span_of(bars, read),
        "evaluation": {"first": bars.index[first], "last": bars.index[-1], "bars": len(history), "warm_up": first},
        "look_ahead": {"passed": verdict.leak is None, "probes": verdict.probes, "finding": str(verdict)},
        "source": sources_of(forecasts.predictor, strategy),
        "versions": versions(),
    }
    return Result(
        *(bars, history, returns, benchmark, series.loc[window]),
        *(traded.orders, trades, metrics, recipe, forecasts.training),
        seen=None if read is bars else read,
        payments=None if actions_of(bars) is None else traded.payments,
    )


def span_of(bars: pd.DataFrame, read: pd.DataFrame) -> dict[str, Any]:
    """What a recipe says of the bars traded, and of those read where they are others."""
    span = {"count": len(bars), "first": bars.index[0], "last": bars.index[-1], "sha256": digest(bars)}
    return span if read is bars else span | {"seen": digest(read)}


def check_strategy(strategy: Strategy, parameters: Mapping[str, Any]) -> None:
    """Raises ValueError for a parameter outside its limits, before anything is trained."""
    if is_rule(strategy):
        rule_of(strategy, parameters)
    elif isinstance(strategy, type) and issubclass(strategy, ForecastStrategy):
        strategy.check(**all_parameters(strategy, parameters))


def check_forecast(forecast: pd.Series, bars: pd.DataFrame) -> int:
    """The position of the first forecast; raises unless the forecast keeps the contract and leaves bars to trade."""
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


def _held_scores(held: Simulation, window: slice, close: pd.Series, yearly: int) -> dict[str, Any]:
    history = held.history.loc[window]
    return trading_scores(history, held.orders, trades_from(held.orders, history, close, held.payments), yearly)


def describe(model: Predictor | Learner) -> dict[str, Any]:
    """The class and every field of a predictor or learner, the fields of a wrapped learner within."""
    values = {f.name: getattr(model, f.name) for f in fields(model)}  # type: ignore[arg-type]
    return {"class": type(model).__name__} | {
        name: describe(value) if isinstance(value, Learner | Predictor) else value for name, value in values.items()
    }


def all_parameters(strategy: Strategy, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter of a strategy: the given value, or the rule's own, or the default."""
    if isinstance(strategy, Parameters):
        return strategy.parameters | dict(given)
    return {p.name: given.get(p.name, p.default) for p in strategy_parameters(strategy)}


def versions() -> dict[str, str | None]:
    """What a result may depend on: the version of Python and of every package the numbers come from."""
    return {"python": platform.python_version(), **{package: _version(package) for package in PACKAGES}}


def sources_of(predictor: Predictor, strategy: Strategy) -> dict[str, str | None]:
    """SHA-256 of the files the predictor and the strategy were read from, so that a changed plugin is another one."""
    model = type(predictor.learner if isinstance(predictor, WalkForward) else predictor)
    return {"predictor": _source_digest(model), "strategy": _source_digest(class_of(strategy))}


def _source_digest(cls: type) -> str | None:
    try:
        path = Path(inspect.getsourcefile(cls) or "")
    except TypeError:  # made in no file
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:  # run from a checkout that was not installed
        return None
