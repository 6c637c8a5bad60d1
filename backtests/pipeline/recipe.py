"""The recipe of a run: everything that its result depends on."""

from __future__ import annotations

import hashlib
import inspect
import platform
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd

from ...predictors import Learner, Predictor, WalkForward
from ...predictors.pooled import Pooled
from ..account.engine import Account
from ..account.hosts import Strategy, class_of
from ..data.bars import digest
from ..gate.strategy import StrategyVerdict
from ..installation import version_of
from ..json_values import Parameters, Record, Values
from ..market.market import Market
from .forecast_file import ForecastFile
from .forecasts import Forecasts
from .strategies import all_parameters

PACKAGES = ("rollcast", "backtrader", "numpy", "pandas", "quantstats", "torch")


def recipe_of(
    forecasts: Forecasts,
    strategy: Strategy,
    parameters: Parameters,
    account: Account,
    window: pd.DatetimeIndex,
    examined: StrategyVerdict,
) -> Values:
    """The recipe of trading these forecasts over the evaluation window.

    examined: the gate's verdict on the strategy.
    """
    market, verdict = forecasts.market, forecasts.verdict
    look_ahead = {
        "passed": verdict.leak is None and examined.leak is None,
        "probes": verdict.probes,
        "finding": str(verdict),
        "strategy": examined.as_dict(),
        "looks_ahead": ["predictor"] * (verdict.leak is not None) + ["strategy"] * (examined.leak is not None),
    }
    if verdict.elsewhere:
        look_ahead["elsewhere"] = True
    if verdict.of:
        look_ahead |= {"probed_bars": verdict.bars, "of_bars": verdict.of, "hidden": verdict.hidden}
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": forecasts.seconds,
        "predictor": describe(forecasts.predictor),
        "strategy": {"class": class_of(strategy).__name__} | all_parameters(strategy, parameters),
        "account": account.as_dict(),
        "symbol": market.name,
        "bars": market_span(market),
        "evaluation": {
            "first": window[0],
            "last": window[-1],
            "bars": len(window),
            "warm_up": len(market.bars) - len(window),
        },
        "look_ahead": look_ahead | ({"probed": forecasts.probed} if market.portfolio else {}) | forecasts.opened.record,
        "source": sources_of(forecasts.predictor, strategy),
        "versions": versions(),
    }


def leaks(look_ahead: Record) -> list[str]:
    """Of a recipe's `look_ahead`, a sentence for each of predictor and strategy that looks ahead."""
    findings = {"predictor": look_ahead["finding"], "strategy": look_ahead.get("strategy", {}).get("finding")}
    subjects = look_ahead.get(
        "looks_ahead", [] if look_ahead["passed"] else ["predictor"]
    )  # 0.1 knew of predictors only
    return [f"{subject} looks ahead: {findings[subject]}" for subject in subjects]


def market_span(market: Market) -> Values:
    """How many bars, from when to when and which, by their digest; of a portfolio those of every name too."""
    span = span_of(market.bars, market.model_bars)
    if not market.portfolio:
        return span
    return span | {"symbols": {symbol: span_of(one.bars, one.model_bars) for symbol, one in market.loaded.items()}}


def span_of(bars: pd.DataFrame, model_bars: pd.DataFrame) -> Values:
    """Count, first, last and SHA-256 of the bars traded; that of the `model_bars` where they are others."""
    span = {"count": len(bars), "first": bars.index[0], "last": bars.index[-1], "sha256": digest(bars)}
    return span if model_bars is bars else span | {"model_bars": digest(model_bars)}


def describe(model: Predictor | Learner | Pooled) -> Values:
    """The class and every field of a predictor or learner, the fields of a wrapped learner within."""
    values = {f.name: getattr(model, f.name) for f in fields(model) if f.repr}  # type: ignore[arg-type]
    return {"class": type(model).__name__} | {
        name: describe(value) if isinstance(value, Learner | Predictor) else value for name, value in values.items()
    }


def versions() -> dict[str, str | None]:
    """What a result may depend on: the version of Python and of every package the numbers come from."""
    return {"python": platform.python_version(), **{package: version_of(package) for package in PACKAGES}}


def sources_of(predictor: Predictor | Pooled, strategy: Strategy) -> dict[str, str | None]:
    """SHA-256 of the files the predictor and the strategy were read from, so that a changed plugin is another one."""
    if isinstance(predictor, ForecastFile):
        return {"predictor": predictor.sha256, "strategy": _source_digest(class_of(strategy))}
    model = type(predictor.learner if isinstance(predictor, WalkForward | Pooled) else predictor)
    return {"predictor": _source_digest(model), "strategy": _source_digest(class_of(strategy))}


def _source_digest(cls: type) -> str | None:
    try:
        path = Path(inspect.getsourcefile(cls) or "")
    except TypeError:  # a class that no file defines
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
