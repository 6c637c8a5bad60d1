"""Guided search: Optuna proposes points from the scores of those before. `pip install rollcast[optuna]` installs it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from rollcast.backtests.sweep.axes import Axis
from rollcast.backtests.sweep.points import Point, Sweep

BATCH = 10  # points proposed at once; a kill repeats at most these
WORST = -1e3  # what Optuna is told of a point without a Sharpe ratio


def propose(sweep: Sweep, scored: Mapping[Point, float], count: int) -> list[Point]:
    """The next points, none of them among the scored; fewer, or none, where few are left.

    Depends on the sweep and the scores alone, so that a search that was killed goes on as it would have.

    Raises ImportError where Optuna is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ImportError("--method tpe needs Optuna: pip install 'rollcast[optuna]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {axis.column: _distribution(axis, optuna.distributions) for axis in sweep.axes}
    sampler = optuna.samplers.TPESampler(seed=len(scored), constant_liar=True, n_startup_trials=2 * BATCH)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for point, score in scored.items():
        values = {axis.column: _value(axis, text) for axis, (_, text) in zip(sweep.axes, point.values, strict=True)}
        value = score if math.isfinite(score) else WORST
        study.add_trial(optuna.trial.create_trial(params=values, distributions=space, value=value))
    found: dict[Point, None] = {}
    for _ in range(20 * count):
        asked = study.ask(space)
        point = Point(tuple((axis.column, _text(axis, asked.params[axis.column])) for axis in sweep.axes))
        if point not in scored and point not in found:
            found[point] = None
        if len(found) == count:
            break
    return list(found)


def _distribution(axis: Axis, kinds: Any) -> Any:
    if axis.values:
        return kinds.CategoricalDistribution(axis.values)
    if axis.whole:
        return kinds.IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return kinds.FloatDistribution(axis.low, axis.high, log=axis.log)


def _value(axis: Axis, text: str) -> Any:
    return text if axis.values else int(text) if axis.whole else min(max(float(text), axis.low), axis.high)


def _text(axis: Axis, value: Any) -> str:
    return value if axis.values else str(value) if axis.whole else f"{value:.6g}"
