"""The checks of learners beside those of `predictors.checks.conformance`, in the same form."""

from __future__ import annotations

from dataclasses import fields, replace

import pandas as pd

from ..bars import random_walk
from ..base import Learner
from ..walk_forward import WalkForward
from .lookahead import retraining_tolerance
from .subject import CheckFailed, Subject


def refit_is_a_fresh_fit(subject: Subject) -> None:
    """Fitting again forgets the first fit.

    Raises CheckFailed otherwise.
    """
    learner, first, second = _two_slices(subject)
    expected = replace(learner).fit(second).predict(second)  # type: ignore[type-var]
    again = replace(learner).fit(first).fit(second).predict(second)  # type: ignore[type-var]
    if (change := subject.largest_change(again, expected.to_numpy(float))) > retraining_tolerance(
        expected.to_numpy(float)
    ):
        raise CheckFailed(f"a second fit forecasts {change:.3g} away from a fresh one: it remembers the first")


def fit_leaves_nothing_behind(subject: Subject) -> None:
    """Fitting returns the learner itself, keeps its parameters, and writes only attributes named like `weights_`.

    Raises CheckFailed otherwise.
    """
    learner, first, _ = _two_slices(subject)
    fitted = replace(learner)  # type: ignore[type-var]
    class_attributes = dict(vars(type(fitted)))
    if fitted.fit(first) is not fitted:
        raise CheckFailed("fit must return self")
    parameters = {f.name for f in fields(fitted)}  # type: ignore[arg-type]
    extra = sorted(name for name in vars(fitted) if name not in parameters and not name.endswith("_"))
    if extra:
        raise CheckFailed(f"fit wrote {', '.join(extra)}; fitted attributes end in an underscore")
    changed = [f.name for f in fields(fitted) if getattr(fitted, f.name) != getattr(learner, f.name)]  # type: ignore[arg-type]
    if changed:
        raise CheckFailed(f"fit changed the parameter {changed[0]}")
    if dict(vars(type(fitted))) != class_attributes:
        raise CheckFailed("fit wrote on the class, where every other instance sees it")


def windows_in_any_company(subject: Subject) -> None:
    """A window's forecast is the same alone, among others, in any order, and from fit and predict.

    Raises CheckFailed otherwise.
    """
    assert isinstance(subject.predictor, WalkForward)
    learner, windows = subject.predictor.learner, subject.predictor.windows(subject.bars)[:4]
    together = dict(learner.forecast(windows))
    reversed_ = {len(windows) - 1 - k: block for k, block in learner.forecast(windows[::-1])}
    for k, window in enumerate(windows):
        reference = together[k].to_numpy(float)
        alone = dict(learner.forecast([window]))[0]
        refitted = dict(Learner.forecast(learner, [window]))[0]
        for forecast, how in ((alone, "alone"), (reversed_[k], "in another order"), (refitted, "by fit and predict")):
            if (change := subject.largest_change(forecast, reference)) > max(
                subject.tolerance, retraining_tolerance(reference)
            ):
                raise CheckFailed(f"the window fitted on {window.date} forecasts {change:.3g} elsewhere {how}")


def schedule_anchored(subject: Subject) -> None:
    """Appending bars moves no earlier refit date, and no earlier forecast.

    Raises CheckFailed otherwise.
    """
    longer, n = random_walk(len(subject.bars) + 25), len(subject.bars)
    before = subject.predict(longer.iloc[:n].copy()).to_numpy(float)
    after = subject.predict(longer).to_numpy(float)[:n]
    if (change := subject.largest_change(pd.Series(after), before)) > subject.tolerance:
        raise CheckFailed(f"forecasts moved by {change:.3g} when 25 bars were appended")


def _two_slices(subject: Subject) -> tuple[Learner, pd.DataFrame, pd.DataFrame]:
    """The learner, and two training slices of a random walk, one after the other."""
    assert subject.learner is not None
    bars = random_walk(2 * subject.train, seed=5)
    return subject.learner, bars.iloc[: subject.train], bars.iloc[subject.train :]


LEARNER_ONLY = (refit_is_a_fresh_fit, fit_leaves_nothing_behind, windows_in_any_company, schedule_anchored)
