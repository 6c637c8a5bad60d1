"""Everything a backtest can be asked, in the words of the command line: what a recipe keeps to be made again from."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import KW_ONLY, MISSING, asdict, dataclass, field, fields, replace
from types import UnionType
from typing import Any, Literal, Self, Union, get_args, get_origin, get_type_hints

import pandas as pd

from ...predictors import Learner, Predictor, WalkForward
from ...predictors.registry import PREDICTORS
from ..account.engine import Account
from ..account.hosts import StrategyClass
from ..data.load import from_bars, load
from ..data.options import DataOptions
from ..data.table import Loaded
from ..gate.audit import watching
from ..json_values import Record, Values
from ..market.market import Market
from ..market.panel import Panel
from .backtest import trade
from .forecast_file import ForecastFile, is_forecast_file
from .forecasts import Forecasts, Progress, predict
from .result import Result
from .strategies import check_strategy, find_strategy
from .universe import load_market, names_portfolio


@dataclass(frozen=True)
class Request(DataOptions):
    """One backtest, asked for: the options of its data, as `DataOptions` documents them, and these.

    predictor, strategy: a name or file, as `PREDICTORS`, `STRATEGIES` and `PORTFOLIO_STRATEGIES` find them; for the
    predictor also a file of forecasts made elsewhere, as `ForecastFile` reads it.
    symbol: whose bars. One that means many makes it a portfolio: sp20, us5, `AAPL,MSFT`, @FILE with a symbol a line.
    pooled: for a portfolio, one model for all names.
    train, every: the walk-forward of a learner; None for its defaults.
    params, strategy_params: texts, typed by the class that takes them.
    seed, device: parameters of the predictor that have options of their own.
    since: a date before which forecasts are not traded, nor counted.
    """

    predictor: str
    strategy: str = "long_flat"
    symbol: str = "SPY"
    _: KW_ONLY
    since: str | None = None
    train: int | None = None
    every: int | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    strategy_params: Mapping[str, str] = field(default_factory=dict)
    account: Account = field(default_factory=Account)
    seed: int | None = None
    device: str = "auto"
    allow_lookahead: bool = False
    pooled: bool = False

    @property
    def is_portfolio(self) -> bool:
        """Whether it is for many names on one account."""
        return names_portfolio(self.symbol)

    def check(self) -> None:
        """Raises ValueError for what applies to one name only, or to a portfolio only, and is given for the other."""
        if self.is_portfolio and self.snapshot:
            raise ValueError(f"a snapshot is of one symbol, and {self.symbol} means several")
        if self.pooled and not self.is_portfolio:
            raise ValueError(f"pooled is one model for several names, and {self.symbol} is one")
        find_strategy(self.strategy, portfolio=self.is_portfolio)

    def model(self) -> Predictor:
        """The predictor, a learner wrapped in its walk-forward. Raises LookupError, TypeError or ValueError."""
        if is_forecast_file(self.predictor):
            given = [*self.params, *(name for name in ("seed", "train", "every") if getattr(self, name) is not None)]
            if given:
                raise ValueError(f"{self.predictor} holds forecasts made elsewhere, so {given[0]} does not apply to it")
            return ForecastFile.read(self.predictor, self.zone)
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

    def rule(self) -> tuple[StrategyClass, Values]:
        """The strategy and its parameters. Raises LookupError, TypeError or ValueError."""
        cls, registry = find_strategy(self.strategy, portfolio=self.is_portfolio)
        return cls, registry.coerce(cls, self.strategy_params, self.strategy)

    def check_rule(self) -> None:
        """Raises for a strategy or parameters of it that cannot be run, before anything is trained."""
        self.check()
        check_strategy(*self.rule(), portfolio=self.is_portfolio)

    def load(self) -> Loaded:
        """The bars of one name, and how they came to be. Raises ValueError for a portfolio; `market` loads that."""
        if self.is_portfolio:
            raise ValueError(f"{self.symbol} is a portfolio: load takes one name, and market any number of them")
        return load(self.symbol, self)

    def market(self, bars: pd.DataFrame | Panel | Loaded | Market | None = None) -> Market:
        """What it is run on: these bars, or its own; each name of a portfolio is loaded as it would be alone."""
        if bars is None:
            alone = replace(self, pooled=False)
            return load_market(self.symbol, lambda symbol: replace(alone, symbol=symbol).load())
        if isinstance(bars, Panel):
            names = {symbol: from_bars(one, self.overnight) for symbol, one in bars.bars.items()}
            return Market(bars.name, names, portfolio=True)
        return Market.of(from_bars(bars, self.overnight) if isinstance(bars, pd.DataFrame) else bars, self.symbol)

    def run(
        self, bars: pd.DataFrame | Panel | Loaded | Market | None = None, progress: Progress | None = None
    ) -> Result:
        """The backtest, on these bars instead of its own where there are any; its recipe holds this request."""
        self.check_rule()
        return self.trade(self.predict(self.market(bars), progress))

    def predict(self, market: Market, progress: Progress | None = None) -> Forecasts:
        """The first half of `run`: forecasts that passed the gate."""
        with watching() as imported:
            model = self.model()
        allowed = self.allow_lookahead
        forecasts = predict(market, model, pooled=self.pooled, allow_lookahead=allowed, progress=progress)
        if isinstance(model, ForecastFile):  # the file that it opened is the forecasts
            return forecasts
        return replace(forecasts, opened=imported.joined(forecasts.opened))

    def trade(self, forecasts: Forecasts) -> Result:
        """The second half of `run`; the recipe says where the data came from."""
        counted = forecasts.since(None if self.since is None else pd.Timestamp(self.since))
        with watching() as imported:
            strategy, parameters = self.rule()
        counted = replace(counted, opened=counted.opened.joined(imported))
        result = trade(counted, strategy, parameters, self.account, allow_lookahead=self.allow_lookahead)
        return result.with_recipe(command=self.command(), request=asdict(self), data=forecasts.market.as_dict())

    def command(self) -> str:
        """The command that asks for this; what is left at its default is left out."""
        words = ["rollcast", "backtest"]
        front = ("predictor", "strategy", "symbol")
        for one in sorted(fields(self), key=lambda one: one.name not in front):
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
    def from_recipe(cls, recipe: Record) -> Self:
        """The request a recipe holds.

        Raises ValueError for the recipe of a run that was not made from one, and for a value of another type.
        """
        if "request" not in recipe:
            raise ValueError(
                "the recipe holds no request, so it was made by `run` with objects of its own; make it by "
                "`Request(...).run()` or the command `backtest` for it to be repeatable"
            )
        # `raw` was once what adjust="none" is.
        request = recipe["request"]
        if not isinstance(request, dict):
            raise ValueError(f"the recipe's request must be a table; got {_shown(request)}")
        kept = {name: value for name, value in request.items() if name != "raw" or value}
        return cls(**_typed(cls, kept) | {"account": Account(**_typed(Account, kept.get("account")))})


def _typed(cls: type, values: object) -> Values:
    """The fields of a class in a recipe. Raises ValueError for a field it lacks, one it needs, and another type."""
    if not isinstance(values, dict):
        raise ValueError(f"the recipe's {cls.__name__.lower()} must be a table; got {_shown(values)}")
    kinds = get_type_hints(cls)
    for name, value in values.items():
        if name not in kinds or name == "_":
            raise ValueError(f"the recipe asks for {name!r}, which is not known here; make the run again")
        if name != "account" and not _is(value, kinds[name]):
            raise ValueError(f"the recipe's {name} must be {_NOUNS.get(kinds[name], 'text')}; got {_shown(value)}")
    needed = [one.name for one in fields(cls) if one.default is MISSING and one.default_factory is MISSING]
    for name in needed:
        if name not in values:
            raise ValueError(f"the recipe asks for no {name}; it is not whole")
    return values


def _is(value: object, kind: Any) -> bool:
    """Whether a value of a recipe has this type; a whole number is a number too, and true is none."""
    if get_origin(kind) in (UnionType, Union):
        return any(_is(value, one) for one in get_args(kind))
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is not None:  # the parameters: texts by name
        return isinstance(value, dict) and all(isinstance(one, str) for one in value.values())
    if kind is float or kind is int:
        return isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    return isinstance(value, kind)


_NOUNS = {bool: "true or false", float: "a number", int | None: "a whole number", Mapping[str, str]: "a table of texts"}


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _options(value: Account, default: Account) -> list[str]:
    pairs = zip(asdict(value).items(), asdict(default).values(), strict=True)
    return [word for (name, mine), other in pairs if mine != other for word in _option(name, mine)]


def _option(name: str, value: Any) -> list[str]:
    flag = "--" + {"zone": "time-zone"}.get(name, name.replace("_", "-"))
    return [flag] if value is True else [flag, str(value)]
