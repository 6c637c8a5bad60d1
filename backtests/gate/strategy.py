"""The look-ahead gate of strategies: the same account, kept on bars that are not there before their time.

A rule (`strategies.rule`) is handed what is known and nothing else. A strategy of backtrader's reads lines that are
loaded whole, and is therefore run again by an engine that holds no later bar. Both are run once more by a fresh copy of
their module, on bars that are changed after a cut, and on the first third: what a strategy knows by another way than
its lines, from an earlier run above all, shows there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import pandas as pd

from ...predictors.checks.fresh import fresh_class
from ...strategies.rule import BaseRule
from ...strategies.sizing import Ruined
from ...strategies.stream import LATER
from ..account.engine import Account
from ..account.hosts import Strategy, class_of, is_rule
from ..json_values import Parameters, Values
from ..market.market import Market
from .strategy_leak import CHANGED, CUT, StrategyLeak
from .trial import Traded, Trial
from .verdict import LookAheadError

CUTS = ((2 / 3, CHANGED), (1 / 3, CUT))  # of the bars are left as they are
LATER_BARS, KEPT = "bars after its own", "what it kept of an earlier run, or on chance"
BY_HEART = "what it kept of an earlier run, or knows by heart"
RULE = "a rule, which is handed only what is known"
SAME = "every order is the same where no later bar is there to be read"


@dataclass(frozen=True)
class StrategyVerdict:
    """What the gate concludes of a strategy. leak: the look-ahead found, or None.   finding: in a sentence."""

    leak: StrategyLeak | None
    finding: str

    def as_dict(self) -> Values:
        """What a recipe keeps."""
        return {"passed": self.leak is None, "finding": self.finding}


class StrategyLooksAhead(LookAheadError):
    """The strategy looked ahead; `leak` says where."""

    def __init__(self, leak: StrategyLeak) -> None:
        ValueError.__init__(
            self,
            f"the strategy looks ahead: {leak}. No clean tear sheet can come of it; "
            "`check` says more, and --allow-lookahead prints a marked one",
        )
        self.leak = leak  # type: ignore[assignment]  # of another kind than a predictor's


def examine_strategy(
    strategy: Strategy,
    parameters: Parameters,
    market: Market,
    table: pd.DataFrame,
    account: Account,
    traded: Traded,
) -> StrategyVerdict:
    """Runs a strategy again on what it traded: market and forecasts (dates × names); `traded` is what came of it there.

    Rules of rollcast's own are not run again.
    """
    if class_of(strategy).__module__.startswith("rollcast.strategies."):
        return StrategyVerdict(None, RULE)
    trial = Trial(strategy, parameters, market, table, account, traded)
    leak = leak_of(trial, trial.run(hidden_of(strategy)), LATER_BARS)
    statements = [RULE if is_rule(strategy) else SAME]
    for share, how in CUTS:
        if leak is None and (cut := int(share * len(table))) >= 1:
            leak, statement = on_other_bars(trial, cut, how)
            statements.append(statement)
    return StrategyVerdict(leak, str(leak) if leak else "; ".join(statements))


def hidden_of(strategy: Strategy) -> Collection[str] | None:
    """The lines that an honest engine hides from it at an open; None for a rule, which is hosted."""
    return None if is_rule(strategy) else LATER


def leak_of(trial: Trial, other: Traded | Exception, source: str) -> StrategyLeak | None:
    """The leak that an engine shows which holds no later bar, or a rule's second run, by the name of its cause."""
    leak = trial.difference(other, source)
    if leak is None:
        return None
    again = None if is_rule(trial.strategy) else trial.run()
    if again is None or trial.difference(again, KEPT) is not None:
        return replace(leak, source=KEPT, shown="again")
    if trial.difference(trial.run(()), "") is not None:  # no later bar, but all of today's at its open
        return trial.explained(leak)
    for name in LATER:
        others = [line for line in LATER if line != name]
        if trial.difference(trial.run(others), "") is None:
            return replace(leak, source=f"the {name} of a bar at its open", lines=(name,), shown="opening")
    return replace(leak, source="prices of a bar at its open", shown="opening")


def on_other_bars(trial: Trial, cut: int, how: str) -> tuple[StrategyLeak | None, str]:
    """The leak that shows where bars and forecasts after a cut are others, and a statement where none does.

    By a fresh copy of the strategy's module, so that what an earlier run left there is not there.
    """
    other = trial.perturbed(cut, how).by(fresh_strategy(trial.strategy)).run(hidden_of(trial.strategy))
    if isinstance(other, Exception) and not isinstance(other, Ruined):
        return None, f"on bars {how} after {cut:,} it raised {type(other).__name__}, which shows nothing"
    leak = trial.difference(other, BY_HEART, cut)
    statement = f"up to bar {cut:,} of {len(trial.table):,} also where later ones are {how}"
    return leak and replace(leak, shown=how, cut=cut), statement


def fresh_strategy(strategy: Strategy) -> Strategy:
    """An equal strategy of a second execution of its module, where nothing is remembered."""
    cls = fresh_class(class_of(strategy))
    return cls(**strategy.parameters) if isinstance(strategy, BaseRule) else cls
