"""The conformance suite: what the contract requires of every predictor and learner, one check for each requirement.

`check_predictor(model)` runs them all; `yield_checks(model)` hands them to pytest one by one:

    @pytest.mark.parametrize("check", yield_checks(Momentum()), ids=str)
    def test_momentum(check):
        check()

A class may declare `expected_failures = {"scale_free": "reads round numbers"}`: checks that it cannot pass, with the
reasons. A learner that is slow to fit may have a classmethod `tiny()`, which returns an instance that is quick to fit.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..bars import random_walk
from ..base import Learner, Predictor
from ..registry import suggest
from .cause import cause_of, description
from .conformance import ALL, documented
from .learner_conformance import LEARNER_ONLY
from .lookahead import Leak, size_of
from .lookahead_conformance import LOOK_AHEAD
from .perturbations import PERTURBATIONS
from .subject import PROBED, CheckFailed, Probe, Sentenced, Subject

__all__ = ["LOOK_AHEAD", "Check", "CheckFailed", "Outcome", "Subject", "check_predictor", "yield_checks"]

Status = Literal["passed", "failed", "expected", "advice", "blocked"]
ADVICE = (documented,)  # checks that are worth passing, and no reason to refuse a predictor


@dataclass(frozen=True)
class Check(Sentenced):
    """One check of one model. Calling it raises CheckFailed, or what the model raised, where the check fails.

    expected: the reason for which the model declares that it cannot pass, or None.
    """

    function: Callable[[Subject], None]
    subject: Subject
    expected: str | None

    def __call__(self) -> None:
        """Runs the check; advice is a UserWarning.

        Raises CheckFailed where it fails, and whatever the model raises.
        """
        outcome = self.outcome()
        if outcome.status == "failed":
            raise outcome.cause or CheckFailed(outcome.finding)
        if outcome.status == "advice":
            warnings.warn(f"{self}: {outcome.finding}", stacklevel=2)

    def outcome(self) -> Outcome:
        """Runs the check and returns its outcome; an exception of the model becomes the finding."""
        try:
            self.function(self.subject)
        except CheckFailed as failure:
            usual: Status = "advice" if self.function in ADVICE else "failed"
            status: Status = "expected" if self.expected else usual
            return Outcome(self, status, str(failure), failure.leak, failure.probe, failure)
        except (Exception, SystemExit) as error:
            return Outcome(self, "failed", description(error, self.subject.unwrapped), cause=error)
        if self.expected:
            return Outcome(self, "advice", f"passes here, though it is declared to fail: {self.expected}")
        return Outcome(self, "passed")

    def __str__(self) -> str:
        return f"{type(self.subject.model).__name__}:{self.name}"


@dataclass(frozen=True)
class Outcome:
    """The outcome of one check.

    status:  passed; failed; expected, a failure that the model declares; advice, which is no reason to refuse the
             model; or blocked, a failure that an earlier check has reported already.
    finding: why it failed, in one sentence; empty where it passed.
    leak:    the look-ahead, where that is the finding, and `probe` what shows it.
    cause:   the exception raised, where there was one.
    """

    check: Check
    status: Status
    finding: str = ""
    leak: Leak | None = None
    probe: Probe | None = None
    cause: BaseException | None = None

    def script(self, load: str) -> str | None:
        """Five lines of Python that reproduce the leak, or None; `load` is an expression of the model."""
        if self.leak is None or self.probe is None or self.leak.perturbation not in PERTURBATIONS:
            return None
        imported = "WalkForward, load" if "WalkForward" in self.probe.predictor else "load"
        market = self.probe.bars.partition("(")[0]
        at = self.probe.market.index.get_loc(self.leak.date)
        return "\n".join(
            (
                f"from rollcast import {imported}",
                f"from rollcast.predictors.checks.perturbations import PERTURBATIONS, {market}",
                f"model, bars = {load}, {self.probe.bars}",
                f'for b in (bars, PERTURBATIONS["{self.leak.perturbation}"](bars, {self.leak.cut})):',
                f"    print({self.probe.predictor}.predict(b).iloc[{at}])",
            )
        )


def yield_checks(model: Predictor | Learner) -> list[Check]:
    """Every check that applies to this predictor or learner.

    Raises LookupError where `expected_failures` names a check that does not exist.
    """
    subject = Subject(model)
    expected: Mapping[str, str] = getattr(subject.unwrapped, "expected_failures", {})
    known = [function.__name__ for function in ALL + LEARNER_ONLY]
    for name in expected:
        if name not in known:
            raise LookupError(f"expected_failures names an unknown check {name!r}. {suggest(name, known)}")
    functions = ALL + (LEARNER_ONLY if subject.learner is not None else ())
    return [Check(function, subject, expected.get(function.__name__)) for function in functions]


def check_predictor(model: Predictor | Learner) -> Iterator[Outcome]:
    """Runs every check, one after another, and yields the outcomes; a cause that fails several is reported once.

    Raises LookupError as `yield_checks`.
    """
    reported: dict[tuple[object, ...], str] = {}
    for check in yield_checks(model):
        outcome = check.outcome()
        if outcome.status == "failed" and outcome.cause is not None:
            first = reported.setdefault(cause_of(outcome.cause, check.subject.unwrapped), check.name)
            if first != check.name:
                outcome = replace(outcome, status="blocked", finding=f"the cause is that of {first}")
        yield outcome


def start_sensitivity(model: Predictor | Learner) -> float:
    """How much the last forecast depends on the first bar of the history, relative to the size of the forecasts.

    The largest change of the last forecast when up to a warm-up of bars is removed from the start. It is informative
    only: recursive averages forget slowly, rolling windows completely.

    Raises CheckFailed where the model never forecasts.
    """
    subject = Subject(model)
    bars = random_walk(2 * subject.warm_up + PROBED, seed=0)
    forecast = subject.predict(bars).to_numpy(float)
    starts = (1, subject.warm_up // 2 + 1, subject.warm_up + 1)
    last = np.array([subject.predict(bars.iloc[start:]).to_numpy(float)[-1] for start in starts])
    return float(np.max(np.abs(last - forecast[-1]))) / (size_of(forecast) or 1.0)
