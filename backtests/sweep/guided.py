"""Guided search: Optuna proposes points from the scores of earlier ones. `pip install rollcast[optuna]` installs it.

Reference: Bergstra, Bardenet, Bengio & Kégl (2011), Algorithms for hyper-parameter optimization, NeurIPS 24 (TPE).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from .axes import Axis
from .points import Point, Sweep

BATCH = 10  # points proposed together; a kill repeats at most these
WORST = -1e3  # the score of a point without a Sharpe ratio, since Optuna needs a number


def propose(sweep: Sweep, scores: Mapping[Point, float], count: int) -> list[Point]:
    """The next `count` points, none of which has a score yet; fewer, or none, where few remain.

    Depends on the sweep and the scores alone, so that a search resumes after a kill as it would have continued.

    Raises ImportError where Optuna is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ImportError("--method tpe needs Optuna: pip install 'rollcast[optuna]'") from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    space = {axis.column: _distribution(axis, optuna.distributions) for axis in sweep.axes}
    sampler = optuna.samplers.TPESampler(seed=len(scores), constant_liar=True, n_startup_trials=2 * BATCH)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    for point, score in scores.items():
        values = {axis.column: _value(axis, text) for axis, (_, text) in zip(sweep.axes, point.values, strict=True)}
        value = score if math.isfinite(score) else WORST
        study.add_trial(optuna.trial.create_trial(params=values, distributions=space, value=value))
    proposals: dict[Point, None] = {}
    for _ in range(20 * count):
        trial = study.ask(space)
        point = Point(tuple((axis.column, _text(axis, trial.params[axis.column])) for axis in sweep.axes))
        if point not in scores:
            proposals[point] = None
        if len(proposals) == count:
            break
    return list(proposals)


def _distribution(axis: Axis, distributions: Any) -> Any:
    if axis.values:
        return distributions.CategoricalDistribution(axis.values)
    if axis.whole:
        return distributions.IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return distributions.FloatDistribution(axis.low, axis.high, log=axis.log)


def _value(axis: Axis, text: str) -> str | float:
    return text if axis.values else int(text) if axis.whole else min(max(float(text), axis.low), axis.high)


def _text(axis: Axis, value: str | float) -> str:
    return str(value) if axis.values or axis.whole else f"{value:.6g}"
