"""The checks of strategies, one function each; the first sentence of its docstring is the claim.

In the form of the predictors' (`predictors.checks.conformance`): a check returns nothing, or raises CheckFailed.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...predictors.checks.generators import UNUSUAL, global_random_state
from ...predictors.checks.subject import CheckFailed, Sentenced
from ...strategies.stream import LATER
from ..account.hosts import Strategy, class_of, is_rule
from ..json_values import Parameters
from .audit import watching
from .strategy import KEPT, LATER_BARS, fresh_strategy, leak_of, on_other_bars
from .strategy_leak import CHANGED, CUT, StrategyLeak
from .strategy_subject import ACCOUNT, WINDOW, StrategySubject

SHARES = (0.2, 0.35, 0.5, 0.65, 0.8, 0.95)  # of a market's bars, after which later ones are cut off or changed
FORECAST = f"EMA({WINDOW}).predict(bars)"


class StrategyFailed(CheckFailed):
    """A failed check: its finding and, for look-ahead, the leak of a strategy and the market that shows it."""

    def __init__(self, finding: str, shown: StrategyLeak | None = None, market: str = "") -> None:
        super().__init__(finding)
        self.shown, self.market = shown, market


def documented(subject: StrategySubject) -> None:
    """The class has a docstring."""
    cls = class_of(subject.strategy)
    if not cls.__doc__ or cls.__doc__.startswith(f"{cls.__name__}("):
        raise StrategyFailed("the class has no docstring")


def trades(subject: StrategySubject) -> None:
    """It trades the checks' markets, raises nothing, and makes an order."""
    if not any(len(trial.traded.orders) for trial in subject.trials.values()):  # type: ignore[union-attr]
        raise StrategyFailed("it makes no order on any of them, so that the other checks have nothing to compare")


def repeatable(subject: StrategySubject) -> None:
    """The same bars give the same orders again, whatever the global random state."""
    for market, trial in subject.trials.items():
        for seed in UNUSUAL:
            with global_random_state(seed):
                again = trial.run()
            _refuse(trial.difference(again, KEPT), market, "again")


def order_of_runs(subject: StrategySubject) -> None:
    """What was traded before does not matter: a fresh copy of its module makes the same orders."""
    for market, trial in subject.trials.items():
        _refuse(trial.difference(trial.by(fresh_strategy(trial.strategy)).run(), KEPT), market, "again")


def later_bars(subject: StrategySubject) -> None:
    """Every order is the same where no later bar is there to be read."""
    for market, trial in subject.trials.items():
        leak = trial.difference(trial.run(()), LATER_BARS)
        _refuse(leak and trial.explained(leak), market)


def opening(subject: StrategySubject) -> None:
    """At the open of a bar it reads nothing of that bar but the open."""
    for market, trial in subject.trials.items():
        streamed = trial.run(())
        if isinstance(streamed, Exception):
            raise StrategyFailed("it raised where no later bar is there") from streamed
        opened = replace(trial, traded=streamed)
        if opened.difference(opened.run(LATER), LATER_BARS) is not None:
            _refuse(leak_of(opened, opened.run(LATER), LATER_BARS), market)


def prefix(subject: StrategySubject) -> None:
    """Cutting off the later bars changes no earlier order."""
    _on_other_bars(subject, CUT)


def changed_future(subject: StrategySubject) -> None:
    """Changing later bars and forecasts changes no earlier order."""
    _on_other_bars(subject, CHANGED)


def engine_modes(subject: StrategySubject) -> None:
    """Every mode of backtrader's that keeps all bars gives the same orders: runonce, preload, exactbars."""
    for preload in (True, False):
        for runonce, exactbars in ((True, False), (False, False), (False, -1), (False, -2)):  # saving is never runonce
            _in_mode(subject, {"runonce": runonce, "preload": preload, "exactbars": exactbars})


def memory_saved(subject: StrategySubject) -> None:
    """It needs no bar that backtrader forgets with exactbars=1."""
    _in_mode(subject, {"exactbars": 1})


def opens_nothing(subject: StrategySubject) -> None:
    """It opens no file and no host, neither while it is imported nor while it trades."""
    with watching() as opened:
        fresh = fresh_strategy(subject.strategy)
        next(iter(subject.trials.values())).by(fresh).run()
    if opened.sentence:
        raise StrategyFailed(opened.sentence)


def _in_mode(subject: StrategySubject, modes: dict[str, Any]) -> None:
    named = ", ".join(f"{name}={value}" for name, value in modes.items())
    for market, trial in subject.trials.items():
        if (leak := trial.difference(trial.run(**modes), "")) is not None:
            date = f"{leak.date:%Y-%m-%d}"
            raise StrategyFailed(f"with {named} it has {leak.honest} on {date} of {market}, and otherwise {leak.order}")


def _on_other_bars(subject: StrategySubject, how: str) -> None:
    for market, trial in subject.trials.items():
        for share in SHARES:
            cut = int(share * len(trial.table))
            leak = on_other_bars(trial, cut, how)[0] if cut else None
            _refuse(leak, market)


def _refuse(leak: StrategyLeak | None, market: str, shown: str | None = None) -> None:
    if leak:
        leak = replace(leak, shown=shown) if shown else leak
        raise StrategyFailed(str(leak), leak, market)


OF_LINES = (later_bars, opening)  # what a rule, which reads no lines, has no need of
OF_ENGINES = (engine_modes, memory_saved)
ALL = (documented, trades, repeatable, order_of_runs, *OF_LINES, prefix, changed_future, *OF_ENGINES, opens_nothing)
ADVICE = (documented, trades, memory_saved, opens_nothing)
SentencedCheck = Callable[[StrategySubject], None]


@dataclass(frozen=True)
class StrategyCheck(Sentenced):
    """One check of one strategy."""

    function: SentencedCheck
    subject: StrategySubject

    def __str__(self) -> str:
        return f"{class_of(self.subject.strategy).__name__}:{self.name}"

    def outcome(self) -> StrategyOutcome:
        """Runs the check; an exception of the strategy becomes the finding."""
        try:
            self.function(self.subject)
        except StrategyFailed as failure:
            status = "advice" if self.function in ADVICE else "failed"
            return StrategyOutcome(self, status, str(failure), failure.shown, failure.market)
        except (Exception, SystemExit) as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            finding = f"raised {type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
            return StrategyOutcome(self, "failed", finding, cause=error)
        return StrategyOutcome(self, "passed")


@dataclass(frozen=True)
class StrategyOutcome:
    """The outcome of one check, as `predictors.checks.suite.Outcome` of a predictor's."""

    check: StrategyCheck
    status: str
    finding: str = ""
    leak: StrategyLeak | None = None
    market: str = ""
    cause: BaseException | None = None

    def script(self, load: str) -> str | None:
        """The lines of Python that reproduce the leak, or None; `load` is an expression of the strategy."""
        if self.leak is None or self.check.subject.many:
            return None
        given = f", {dict(self.check.subject.parameters)!r}, Account(leverage={ACCOUNT.leverage:g})"
        return self.leak.script(load, self.market, FORECAST, given)


def check_strategy(strategy: Strategy, parameters: Parameters) -> Iterator[StrategyOutcome]:
    """Runs every check, one after another; those after a leak, or after what it raised, are blocked by that cause."""
    subject, cause = StrategySubject(strategy, parameters), ""
    spared = (*OF_LINES, *OF_ENGINES) if is_rule(strategy) else ()
    for function in [one for one in ALL if one not in spared and one is not opens_nothing]:
        check = StrategyCheck(function, subject)
        if cause:
            yield StrategyOutcome(check, "blocked", f"the cause is that of {cause}")
            continue
        outcome = check.outcome()
        yield outcome
        cause = check.name if outcome.leak or outcome.cause else ""
    yield StrategyCheck(opens_nothing, subject).outcome()
