"""Which strategies there are, and which of them can trade a market."""

from __future__ import annotations

from typing import Any

import backtrader as bt

from ...predictors.parameters import Parameter, dataclass_parameters
from ...predictors.registry import Registry, suggest
from ...strategies import BUILT_IN
from ...strategies.base import ForecastStrategy
from ...strategies.portfolio import BUILT_IN as PORTFOLIO_BUILT_IN
from ...strategies.rule import BaseRule, NameRule, Rule
from ..account.hosts import Strategy, StrategyClass, class_of, is_rule, rule_of
from ..json_values import Parameters, Values


def strategy_parameters(cls: type) -> list[Parameter]:
    """A rule's fields, or a backtrader strategy's parameters, typed by their defaults."""
    if issubclass(cls, bt.Strategy):
        hosted: Any = cls  # whose params backtrader's metaclass makes
        defaults = dict(hosted.params._getitems())
        return [Parameter(name, type(default), default) for name, default in defaults.items()]
    return dataclass_parameters(cls)


STRATEGIES = Registry("strategy", "rollcast.strategies", BUILT_IN, (NameRule, Rule, bt.Strategy), strategy_parameters)
"""The strategies for one name, and rules that trade many by a copy for each; `find` gives one by name or file."""
PORTFOLIO_STRATEGIES = Registry(
    "strategy", "rollcast.portfolio_strategies", PORTFOLIO_BUILT_IN, (Rule,), strategy_parameters
)
"""The rules for a whole portfolio; `find` gives one by name or file."""


def find_strategy(name: str, *, portfolio: bool) -> tuple[StrategyClass, Registry]:
    """The strategy of this name or file for a portfolio or for one name, and the registry that has it.

    Raises ValueError for a portfolio's strategy that is to trade one name, LookupError for an unknown name, and what
    else `Registry.find` raises.
    """
    many, single = PORTFOLIO_STRATEGIES.names(), STRATEGIES.names()
    if portfolio and not name.partition(":")[0].endswith(".py") and name not in {**many, **single}:
        raise LookupError(f"unknown strategy {name!r}. {suggest(name, {**many, **single})}")
    registry = PORTFOLIO_STRATEGIES if name in many and (portfolio or name not in single) else STRATEGIES
    cls = registry.find(name)
    if issubclass(cls, Rule) and not portfolio:
        raise ValueError(f"{name} trades many names; give it several, as --symbol AAPL,MSFT or --symbol sp20")
    return cls, registry


def check_strategy(strategy: Strategy, parameters: Parameters, *, portfolio: bool = False) -> None:
    """Holds the parameters of a strategy to their limits, before anything is trained.

    Raises ValueError for a parameter outside its limits, TypeError for what is no strategy and for one that cannot
    trade a portfolio.
    """
    if not is_rule(strategy) and not (isinstance(strategy, type) and issubclass(strategy, bt.Strategy)):
        raise TypeError(
            f"expected a rule, a class of rules or a class of backtrader strategies, got {strategy!r}; "
            "rollcast.STRATEGIES.find(name) is the class of a name or a file"
        )
    if is_rule(strategy):
        rule_of(strategy, parameters)
        return
    if portfolio:
        raise TypeError(f"{class_of(strategy).__name__} is no Rule and no NameRule, so it cannot trade a panel")
    if isinstance(strategy, type) and issubclass(strategy, ForecastStrategy):
        strategy.check(**all_parameters(strategy, parameters))


def all_parameters(strategy: Strategy, parameters: Parameters) -> Values:
    """Every parameter of a strategy: the value in `parameters`, or the rule's own, or the default."""
    if isinstance(strategy, BaseRule):
        return strategy.parameters | dict(parameters)
    return {p.name: parameters.get(p.name, p.default) for p in strategy_parameters(class_of(strategy))}
