"""Everything a backtest can be asked, in the words of the command line: what a recipe keeps to be made again from."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

import backtrader as bt
import pandas as pd

from backtests.backtest import STRATEGIES, Forecasts, check_strategy, predict, trade
from backtests.data.load import given, load
from backtests.data.table import Adjust, Loaded
from backtests.engine import Account
from backtests.result import Result
from predictors import Learner, Predictor, WalkForward
from predictors.registry import PREDICTORS


@dataclass(frozen=True)
class Request:
    """One backtest, asked for.

    predictor, strategy: a name or file, as `PREDICTORS` and `STRATEGIES` find them.
    symbol, start, end, source, columns, date_format, decimal, zone, repair, snapshot, adjust, overnight: the bars, as
        `backtests.data.load` takes them.
    train, every: the walk-forward of a learner; None for its defaults.
    params, strategy_params: texts, typed by the class that takes them.
    seed, device: parameters of the predictor that have options of their own.
    since: a date before which forecasts are not traded, nor counted.
    """

    predictor: str
    strategy: str = "long_flat"
    symbol: str = "SPY"
    start: str | None = None
    end: str | None = None
    since: str | None = None
    source: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    date_format: str | None = None
    decimal: str | None = None
    zone: str | None = None
    repair: bool = False
    snapshot: str | None = None
    adjust: Adjust = "full"
    overnight: bool = False
    train: int | None = None
    every: int | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    strategy_params: Mapping[str, str] = field(default_factory=dict)
    account: Account = field(default_factory=Account)
    seed: int | None = None
    device: str = "auto"
    allow_lookahead: bool = False

    def model(self) -> Predictor:
        """The predictor, a learner wrapped in its walk-forward. Raises LookupError, TypeError or ValueError."""
        texts = dict(self.params)
        for name, default in (("seed", None), ("device", "auto")):
            value = getattr(self, name)
            if value != default:
                if name in texts:
                    raise ValueError(f"give {name} as --{name} or as -p {name}=…, not both")
                texts[name] = str(value)
        cls = PREDICTORS.find(self.predictor)
        model = cls(**PREDICTORS.coerce(cls, texts, self.predictor))
        schedule = {name: getattr(self, name) for name in ("train", "every") if getattr(self, name) is not None}
        if isinstance(model, Learner):
            return WalkForward(model, **schedule)
        if schedule:
            raise ValueError(f"{self.predictor} is never refitted, so --{next(iter(schedule))} does not apply to it")
        return model

    def rule(self) -> tuple[type[bt.Strategy], dict[str, Any]]:
        """The strategy and its parameters."""
        cls = STRATEGIES.find(self.strategy)
        return cls, STRATEGIES.coerce(cls, self.strategy_params, self.strategy)

    def load(self) -> Loaded:
        """The bars it is run on, and how they came to be."""
        names = ("start", "end", "source", "date_format", "decimal", "zone", "repair", "snapshot")
        told = {name: getattr(self, name) for name in (*names, "adjust", "overnight")}
        return load(self.symbol, columns=self.columns or None, **told)

    def data(self, bars: pd.DataFrame | Loaded | None) -> Loaded:
        """These bars, loaded or not, or its own where there are none."""
        if bars is None:
            return self.load()
        return bars if isinstance(bars, Loaded) else given(bars, self.overnight)

    def run(
        self, bars: pd.DataFrame | Loaded | None = None, progress: Callable[[int, int], None] | None = None
    ) -> Result:
        """The backtest, on these bars instead of its own where they are given; its recipe holds this request."""
        strategy, parameters = self.rule()
        check_strategy(strategy, parameters)
        data = self.data(bars)
        return self.trade(self.predict(data.seen, progress), data)

    def predict(self, seen: pd.DataFrame, progress: Callable[[int, int], None] | None = None) -> Forecasts:
        """The first half of `run`: forecasts that passed the gate, of bars as the predictor reads them."""
        model = self.model()
        return predict(seen, model, symbol=self.symbol, allow_lookahead=self.allow_lookahead, progress=progress)

    def trade(self, forecasts: Forecasts, data: Loaded) -> Result:
        """The second half of `run`; the recipe says where the data came from."""
        traded = forecasts.since(None if self.since is None else pd.Timestamp(self.since))
        result = trade(traded, *self.rule(), self.account, symbol=self.symbol, bars=data.bars)
        told = {name: getattr(data, name) for name in ("origin", "statements", "findings", "repairs", "pin")}
        return result.with_recipe(command=self.command(), request=asdict(self), data=told)

    def command(self) -> str:
        """The command that asks for this; what is left at its default is left out."""
        words = ["rollcast", "backtest"]
        for one in fields(self):
            value = getattr(self, one.name)
            if one.name == "account":
                words += _options(value, Account())
            elif isinstance(value, Mapping):
                flag = {"params": "-p", "strategy_params": "-s", "columns": "--column"}[one.name]
                words += [word for key, text in value.items() for word in (flag, f"{key}={text}")]
            elif value != one.default:
                words += _option(one.name, value)
        return shlex.join(words)

    @classmethod
    def from_recipe(cls, recipe: Mapping[str, Any]) -> Self:
        """The request a recipe holds. Raises ValueError for the recipe of a run that was not made from one."""
        if "request" not in recipe:
            raise ValueError(
                "the recipe holds no request, so it was made by `run` with objects of its own; make it by "
                "`Request(...).run()` or `cli.py backtest` for it to be repeatable"
            )
        # `raw` was once what adjust="none" is.
        kept = {name: value for name, value in recipe["request"].items() if name != "raw" or value}
        unknown = sorted(set(kept) - {one.name for one in fields(cls)})
        if unknown:
            raise ValueError(f"the recipe asks for {unknown[0]!r}, which is not known here; make the run again")
        return cls(**kept | {"account": Account(**kept["account"])})


def _options(value: Account, default: Account) -> list[str]:
    pairs = zip(asdict(value).items(), asdict(default).values(), strict=True)
    return [word for (name, mine), other in pairs if mine != other for word in _option(name, mine)]


def _option(name: str, value: Any) -> list[str]:
    flag = "--" + {"zone": "time-zone"}.get(name, name.replace("_", "-"))
    return [flag] if value is True else [flag, str(value)]
