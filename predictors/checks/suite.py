"""The conformance suite: one check, one plain sentence, for every predictor and every learner.

`check_predictor(model)` runs them all; `yield_checks(model)` hands them to pytest one by one:

    @pytest.mark.parametrize("check", yield_checks(Momentum()), ids=str)
    def test_momentum(check):
        check()

A class may declare `expected_failures = {"scale_free": "reads round numbers"}`: a check it cannot pass, and why. A
learner whose own settings would take minutes may declare a classmethod `tiny()` that returns a small instance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from rollcast.predictors.bars import random_walk
from rollcast.predictors.base import Learner, Predictor
from rollcast.predictors.checks.conformance import ALL, LEARNER_ONLY, LOOK_AHEAD
from rollcast.predictors.checks.lookahead import Leak, size_of
from rollcast.predictors.checks.subject import PROBED, CheckFailed, Probe, Subject
from rollcast.predictors.registry import suggest

__all__ = ["LOOK_AHEAD", "Check", "CheckFailed", "Outcome", "Subject", "check_predictor", "yield_checks"]

Status = Literal["passed", "failed", "expected"]


@dataclass(frozen=True)
class Check:
    """One check of one model: call it; it raises CheckFailed or returns nothing.

    expected: why the model cannot pass, where it says so; then passing is what fails, since the reason is not true.
    """

    function: Callable[[Subject], None]
    subject: Subject
    expected: str | None

    def __call__(self) -> None:
        outcome = self.outcome()
        if outcome.status == "failed":
            raise outcome.cause or CheckFailed(outcome.finding)

    def outcome(self) -> Outcome:
        """How the check goes; whatever a plugin raises in it is its finding, told with its type."""
        try:
            self.function(self.subject)
        except CheckFailed as failure:
            status: Status = "expected" if self.expected else "failed"
            return Outcome(self, status, str(failure), failure.leak, failure.probe, failure)
        except Exception as error:
            return Outcome(self, "failed", f"raised {type(error).__name__}: {error}", cause=error)
        if self.expected:
            return Outcome(self, "failed", f"passes, though it was declared to fail: {self.expected}")
        return Outcome(self, "passed")

    @property
    def name(self) -> str:
        return self.function.__name__

    @property
    def sentence(self) -> str:
        """What the check holds."""
        return (self.function.__doc__ or "").splitlines()[0]

    def __str__(self) -> str:
        return f"{type(self.subject.model).__name__}:{self.name}"


@dataclass(frozen=True)
class Outcome:
    """How one check went; `finding` is empty where it passed.

    leak, probe: the look-ahead found and what shows it.   cause: what was raised.
    """

    check: Check
    status: Status
    finding: str = ""
    leak: Leak | None = None
    probe: Probe | None = None
    cause: Exception | None = None

    def script(self, load: str) -> str | None:
        """Five lines that show a leak; `load` is the expression that makes the model."""
        if self.leak is None or self.probe is None:
            return None
        imported = "WalkForward, load" if "WalkForward" in self.probe.predictor else "load"
        at = self.probe.market.index.get_loc(self.leak.date)
        return "\n".join(
            (
                f"from rollcast.predictors import {imported}",
                "from rollcast.predictors.checks.lookahead import TRICKS, eventful",
                f"model, bars = {load}, {self.probe.bars}",
                f'for b in (bars, TRICKS["{self.leak.trick}"](bars, {self.leak.cut})):',
                f"    print({self.probe.predictor}.predict(b).iloc[{at}])",
            )
        )


def yield_checks(model: Predictor | Learner) -> list[Check]:
    """Every check that applies to this predictor or learner, ready to be called.

    Raises LookupError if it declares an expected failure of a check that does not exist.
    """
    subject = Subject(model)
    expected: Mapping[str, str] = getattr(subject.written, "expected_failures", {})
    known = [function.__name__ for function in ALL + LEARNER_ONLY]
    for name in expected:
        if name not in known:
            raise LookupError(f"expected_failures names an unknown check {name!r}. {suggest(name, known)}")
    functions = ALL + (LEARNER_ONLY if subject.learner is not None else ())
    return [Check(function, subject, expected.get(function.__name__)) for function in functions]


def check_predictor(model: Predictor | Learner) -> Iterator[Outcome]:
    """Runs every check, one after another."""
    for check in yield_checks(model):
        yield check.outcome()


def start_sensitivity(model: Predictor | Learner) -> float:
    """How much the last forecast depends on where history starts, relative to the forecasts' size; no judgement.

    The largest change over starts up to a warm-up later; recursive averages forget slowly, windows at once.
    """
    subject = Subject(model)
    bars = random_walk(2 * subject.warm_up + PROBED, seed=0)
    whole = subject.predict(bars).to_numpy(float)
    later = [
        subject.predict(bars.iloc[k:]).to_numpy(float)[-1] for k in (1, subject.warm_up // 2 + 1, subject.warm_up + 1)
    ]
    return float(np.max(np.abs(np.array(later) - whole[-1]))) / (size_of(whole) or 1.0)
