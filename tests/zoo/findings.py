"""The outcomes of the checks on the zoo, computed once in a process, for the tests and for the page in docs/."""

from __future__ import annotations

import numpy as np
import pandas as pd

from rollcast.backtests.account.engine import simulate
from rollcast.predictors.bars import random_walk
from rollcast.predictors.checks.suite import LOOK_AHEAD, Check, Outcome, yield_checks
from rollcast.strategies.long_flat import LongFlat
from tests.zoo.honest import honest, missing
from tests.zoo.leaks import Planted

# The checks that a leak may fail. The last three are run only on the leaks that are planted for them.
ALWAYS = tuple(check.__name__ for check in LOOK_AHEAD)
TELLING = (*ALWAYS, "repeatable", "order_of_calls", "no_edge_on_noise")


_outcomes: dict[str, Outcome] = {}


def outcome_of(name: str, check: Check) -> Outcome:
    """The outcome of this check of the predictor of this name."""
    key = f"{name}:{check.name}"
    if key not in _outcomes:
        _outcomes[key] = check.outcome()
    return _outcomes[key]


def failures(leak: Planted) -> list[Outcome]:
    """The failed checks of this leak, among TELLING."""
    names = {*ALWAYS, *leak.caught_by}
    outcomes = [outcome_of(str(leak), check) for check in yield_checks(leak.model) if check.name in names]
    return [outcome for outcome in outcomes if outcome.status == "failed"]


def false_alarms() -> list[Outcome]:
    """The failed checks of predictors without look-ahead."""
    models = [(name, model) for name, model in honest() if not missing(model)]
    outcomes = [outcome_of(name, check) for name, model in models for check in yield_checks(model)]
    return [outcome for outcome in outcomes if outcome.status != "passed"]


def caught_by(leak: Planted) -> list[str]:
    """The names of `failures`."""
    return [outcome.check.name for outcome in failures(leak)]


def fills_with_a_poisoned_close(at: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Bars, and the orders filled up to bar `at`: on these bars, and with another close, high and low of that bar."""
    bars = random_walk(80, seed=4)
    forecast = pd.Series(np.where(np.arange(len(bars)) % 2, 0.01, -0.01), index=bars.index)  # an order at every bar
    poisoned = bars.copy()
    poisoned.loc[bars.index[at], ["high", "low", "close"]] *= [1.5, 0.5, 1.2]
    runs = [simulate(b, forecast, LongFlat).orders for b in (bars, poisoned)]
    before, after = (orders[orders["date"] <= bars.index[at]].reset_index(drop=True) for orders in runs)
    return bars, before, after
