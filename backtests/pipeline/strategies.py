"""Which strategies there are, and which of them can trade a market."""

from __future__ import annotations

import backtrader as bt

from rollcast.backtests.json_values import Parameters, Values
from rollcast.predictors.registry import Parameter, Registry, suggest
from rollcast.strategies import BUILT_IN
from rollcast.strategies.base import ForecastStrategy
from rollcast.strategies.portfolio import BUILT_IN as PORTFOLIO_BUILT_IN
from rollcast.strategies.portfolio.base import PortfolioStrategy
from rollcast.strategies.portfolio.per_name import PerName


def strategy_parameters(cls: type[bt.Strategy]) -> list[Parameter]:
    """A backtrader strategy's parameters, typed by their defaults."""
    defaults = dict(cls.params._getitems())
    return [Parameter(name, type(default), default) for name, default in defaults.items()]


STRATEGIES = Registry("strategy", "rollcast.strategies", BUILT_IN, (bt.Strategy,), strategy_parameters)
PORTFOLIO_STRATEGIES = Registry(
    "strategy", "rollcast.portfolio_strategies", PORTFOLIO_BUILT_IN, (PortfolioStrategy,), strategy_parameters
)


def find_strategy(name: str, *, portfolio: bool) -> tuple[type[bt.Strategy], Registry]:
    """The strategy of this name or file for a portfolio or for one name, and the registry that has it.

    Raises ValueError for a portfolio's strategy that is to trade one name, LookupError for an unknown name, and what
    else `Registry.find` raises.
    """
    many, single = PORTFOLIO_STRATEGIES.names(), STRATEGIES.names()
    if portfolio and not name.partition(":")[0].endswith(".py") and name not in {**many, **single}:
        raise LookupError(f"unknown strategy {name!r}. {suggest(name, {**many, **single})}")
    registry = PORTFOLIO_STRATEGIES if name in many and (portfolio or name not in single) else STRATEGIES
    cls = registry.find(name)
    if issubclass(cls, PortfolioStrategy) and not portfolio:
        raise ValueError(f"{name} trades many names; give it several, as --symbol AAPL,MSFT or --symbol sp20")
    return cls, registry


def check_strategy(strategy: type[bt.Strategy], parameters: Parameters, *, portfolio: bool = False) -> None:
    """Holds the parameters of a strategy to their limits, before anything is trained.

    Raises ValueError for a parameter outside its limits, TypeError for a strategy that cannot trade a portfolio.
    """
    sized = issubclass(strategy, PortfolioStrategy | ForecastStrategy)
    if portfolio and not sized:
        raise TypeError(
            f"{strategy.__name__} is no PortfolioStrategy and no ForecastStrategy, so it cannot trade a panel"
        )
    if sized:
        strategy.check(**all_parameters(strategy, parameters))


def all_parameters(strategy: type[bt.Strategy], parameters: Parameters) -> Values:
    """Every parameter of a strategy: the value in `parameters`, or the default."""
    return {p.name: parameters.get(p.name, p.default) for p in strategy_parameters(strategy)}


def portfolio_rule(strategy: type[bt.Strategy], parameters: Parameters) -> tuple[type[PortfolioStrategy], Values]:
    """The strategy that trades a portfolio, and its parameters: a rule for one name is applied to every name."""
    if issubclass(strategy, PortfolioStrategy):
        return strategy, dict(parameters)
    return PerName, {"rule": strategy, "parameters": dict(parameters)}
