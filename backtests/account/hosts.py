"""What backtrader runs for a rule or a strategy, with its parameters."""

from __future__ import annotations

import backtrader as bt

from ...strategies.base import RuleStrategy
from ...strategies.portfolio.host import PanelStrategy
from ...strategies.portfolio.per_name import PerName
from ...strategies.rule import BaseRule, NameRule, Rule
from ..json_values import Parameters, Values

# What a user may ask to be traded: a class of rules, any strategy of backtrader's, or a rule.
StrategyClass = type[BaseRule] | type[bt.Strategy]
Strategy = StrategyClass | BaseRule


def is_rule(strategy: Strategy, kind: type[BaseRule] = BaseRule) -> bool:
    """Whether it is a rule of this kind, or a class of such rules."""
    return isinstance(strategy, kind) or (isinstance(strategy, type) and issubclass(strategy, kind))


def rule_of(strategy: Strategy, parameters: Parameters | None = None) -> BaseRule:
    """A rule that has not been run yet, of a rule or a class of rules; parameters take the place of the rule's own.

    Raises TypeError for an unknown parameter and for a strategy that is no rule, ValueError for a parameter outside its
    limits.
    """
    if isinstance(strategy, BaseRule):
        return type(strategy)(**(strategy.parameters | dict(parameters or {})))
    if not is_rule(strategy):
        raise TypeError(f"{strategy!r} is no rule")
    return strategy(**(parameters or {}))


def host_one(strategy: Strategy, parameters: Parameters | None = None) -> tuple[type[bt.Strategy], dict]:
    """The backtrader strategy that trades one name by it, and that strategy's parameters; raises as `rule_of`.

    Raises TypeError for a rule for many names.
    """
    if is_rule(strategy, Rule):
        raise TypeError(f"{class_of(strategy).__name__} trades many names, not one")
    if isinstance(strategy, BaseRule) or issubclass(strategy, BaseRule):
        return RuleStrategy, {"rule": rule_of(strategy, parameters)}
    return strategy, dict(parameters or {})


def rule_for_many(strategy: Strategy, parameters: Parameters | None = None) -> Rule:
    """The rule that trades many names by it, one for a single name wrapped; raises as `rule_of`."""
    rule = rule_of(strategy, parameters)
    if isinstance(rule, NameRule):
        return PerName(rule=rule)
    assert isinstance(rule, Rule)  # of a rule there is no third kind
    return rule


def host_many(strategy: Strategy, parameters: Parameters | None = None) -> tuple[type[bt.Strategy], dict]:
    """The backtrader strategy that trades many names by it, and that strategy's parameters; raises as `rule_of`."""
    return PanelStrategy, {"rule": rule_for_many(strategy, parameters)}


def spelled_out(strategy: Strategy, parameters: Parameters | None = None) -> tuple[StrategyClass, Values]:
    """Its class and parameters, so that a rule which is handed over made is known for what it is."""
    if isinstance(strategy, BaseRule):
        return type(strategy), strategy.parameters | dict(parameters or {})
    return strategy, dict(parameters or {})


def class_of(strategy: Strategy) -> type:
    """Its class."""
    return strategy if isinstance(strategy, type) else type(strategy)
