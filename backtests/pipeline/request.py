"""Everything a backtest can be asked, in the words of the command line: what a recipe keeps to be made again from."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Self, TypeAlias, overload

import pandas as pd

from rollcast.backtests.account.engine import Account
from rollcast.backtests.account.hosts import StrategyClass
from rollcast.backtests.data.load import given, load
from rollcast.backtests.data.panel import Panel
from rollcast.backtests.data.table import Adjust, Loaded
from rollcast.backtests.pipeline.backtest import Forecasts, check_strategy, predict, trade
from rollcast.backtests.pipeline.panel_backtest import check_rule, trade_panel
from rollcast.backtests.pipeline.panel_forecasts import PanelForecasts, predict_panel
from rollcast.backtests.pipeline.result import Result
from rollcast.backtests.pipeline.universe import LoadedPanel, find_rule, load_asked, names_many
from rollcast.predictors import Learner, Predictor, WalkForward
from rollcast.predictors.registry import PREDICTORS

# What a run can be given instead of its own bars.
Given: TypeAlias = pd.DataFrame | Panel | Loaded | LoadedPanel


@dataclass(frozen=True)
class Request:
    """One backtest, asked for.

    predictor, strategy: a name or file, as `PREDICTORS`, `STRATEGIES` and `PORTFOLIO_STRATEGIES` find them.
    symbol, start, end, source, columns, date_format, decimal, zone, repair, snapshot, bar, adjust, overnight: the bars,
        as `backtests.data.load` takes them. A symbol that means many makes it a portfolio: sp20, us5, `AAPL,MSFT`,
        @FILE with a symbol a line.
    pooled: for a portfolio, one model for all names.
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
    bar: str | None = None
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
    pooled: bool = False

    @property
    def is_portfolio(self) -> bool:
        """Whether it is for many names on one account."""
        return names_many(self.symbol)

    def check(self) -> None:
        """Raises ValueError for what goes with one name only, or with many only, and is asked of the other."""
        if self.is_portfolio and self.snapshot:
            raise ValueError(f"a snapshot is of one symbol, and {self.symbol} means several")
        if self.pooled and not self.is_portfolio:
            raise ValueError(f"pooled is one model for several names, and {self.symbol} is one")
        find_rule(self.strategy, many=self.is_portfolio)

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

    def rule(self) -> tuple[StrategyClass, dict[str, Any]]:
        """The strategy and its parameters."""
        cls, registry = find_rule(self.strategy, many=self.is_portfolio)
        return cls, registry.coerce(cls, self.strategy_params, self.strategy)

    def check_rule(self) -> None:
        """Raises for a strategy or parameters of it that cannot be run, before anything is trained."""
        self.check()
        (check_rule if self.is_portfolio else check_strategy)(*self.rule())

    def load(self) -> Loaded:
        """The bars of one name, and how they came to be. Raises ValueError for a portfolio."""
        if self.is_portfolio:
            raise ValueError(f"{self.symbol} is a portfolio, and this takes one name")
        names = ("start", "end", "source", "date_format", "decimal", "zone", "repair", "snapshot", "bar")
        told = {name: getattr(self, name) for name in (*names, "adjust", "overnight")}
        return load(self.symbol, columns=self.columns or None, **told)

    def market(self, bars: Given | None = None) -> Loaded | LoadedPanel:
        """What it is run on: these bars, or its own; of many names, each is loaded as it would be alone."""
        if bars is None and not self.is_portfolio:
            return self.load()
        if bars is None:
            alone = replace(self, pooled=False)
            return load_asked(self.symbol, lambda symbol: replace(alone, symbol=symbol).load())
        if isinstance(bars, Panel):
            return LoadedPanel(bars, {symbol: given(one, self.overnight) for symbol, one in bars.bars.items()})
        return bars if isinstance(bars, Loaded | LoadedPanel) else given(bars, self.overnight)

    def run(self, bars: Given | None = None, progress: Callable[[int, int], None] | None = None) -> Result:
        """The backtest, on these bars instead of its own where they are given; its recipe holds this request.

        A `PanelResult` for a portfolio, whose bars are a `Panel`.
        """
        self.check_rule()
        data = self.market(bars)
        return self.trade(self.predict(data.seen, progress), data)

    @overload
    def predict(self, seen: Panel, progress: Callable[[int, int], None] | None = None) -> PanelForecasts: ...

    @overload
    def predict(self, seen: pd.DataFrame, progress: Callable[[int, int], None] | None = None) -> Forecasts: ...

    def predict(
        self, seen: pd.DataFrame | Panel, progress: Callable[[int, int], None] | None = None
    ) -> Forecasts | PanelForecasts:
        """The first half of `run`: forecasts that passed the gate, of bars as the predictor reads them."""
        model, allowed = self.model(), self.allow_lookahead
        if isinstance(seen, Panel):
            return predict_panel(seen, model, pooled=self.pooled, allow_lookahead=allowed, progress=progress)
        return predict(seen, model, symbol=self.symbol, allow_lookahead=allowed, progress=progress)

    def trade(self, forecasts: Forecasts | PanelForecasts, data: Loaded | LoadedPanel) -> Result:
        """The second half of `run`; the recipe says where the data came from."""
        traded = forecasts.since(None if self.since is None else pd.Timestamp(self.since))
        result: Result
        if isinstance(traded, PanelForecasts):
            assert isinstance(data, LoadedPanel)  # what was forecast was of its names
            result = trade_panel(traded, *self.rule(), self.account, panel=data.bars)
        else:
            assert isinstance(data, Loaded)
            result = trade(traded, *self.rule(), self.account, symbol=self.symbol, bars=data.bars)
        return result.with_recipe(command=self.command(), request=asdict(self), data=data.told())

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
