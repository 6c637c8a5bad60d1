"""All the evidence for one result, as the numbers of its metrics.json."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from ..account.engine import Account
from ..account.hosts import Strategy
from ..account.scores import cash_returns
from ..json_values import Parameters, Values, number
from ..pipeline.result import Result
from . import luck
from .bootstrap import difference, intervals
from .excess import excess
from .panel_stress import stress_panel
from .plausibility import plausibility
from .skill import skill
from .stress import stress
from .trials import ALONE, Trials
from .verdict import conclusion, verdict


def with_evidence(
    result: Result,
    strategy: Strategy,
    parameters: Parameters | None = None,
    account: Account | None = None,
    trials: Trials = ALONE,
) -> Result:
    """The result with skill, luck, stress and verdict among its metrics; the arguments are those it was `run` with.

    trials: how many were made on these bars, as `Ledger.trials` counts them.
    """
    account, metrics = account or Account(), dict(result.metrics)
    metrics["forecast"] = skill(result.forecast, result.model_bars["close"].loc[result.forecast.index[0] :])
    metrics["plausibility"] = plausibility(metrics, result.returns, account.interest_bps)
    metrics["luck"] = luck_of(result, trials)
    cash = cash_returns(pd.DatetimeIndex(result.returns.index), account.interest_bps)
    yearly = metrics["bars_per_year"]
    metrics["excess"] = excess(result.returns, result.benchmark_returns, cash, yearly, trials)
    if result.market.portfolio:
        metrics["stress"] = stress_panel(result, strategy, dict(parameters or {}), account)
    else:
        forecast = result.forecast.reindex(result.bars.index)
        metrics["stress"] = stress(result.bars, forecast, strategy, dict(parameters or {}), account)
    entries = verdict(metrics, result.recipe)
    metrics["verdict"], metrics["conclusion"] = entries, conclusion(entries)
    return replace(result, metrics=metrics)


def luck_of(result: Result, trials: Trials) -> Values:
    """How much of the Sharpe ratio could be luck, given how many trials there were on these bars.

    psr: probability that the true Sharpe ratio is above zero; dsr: that it is above `threshold`, the annual Sharpe
    ratio which the best of `effective_trials` without skill is expected to reach. dsr_all counts every trial instead,
    which is the least it can be, since the best of alike variants was still chosen. min_track_record: bars.
    """
    yearly, scores = result.metrics["bars_per_year"], result.metrics["strategy"]
    sharpe = number(scores["sharpe"]) / math.sqrt(yearly)
    moments = (number(scores["skew"]), number(scores["kurtosis"]))
    n = len(result.returns)
    threshold, highest = (
        luck.deflated_threshold(trials.sharpe_variance, count) for count in (trials.effective, trials.count)
    )
    return {
        "trials": trials.count,
        "effective_trials": trials.effective,
        "sharpe_variance": trials.sharpe_variance,
        "psr": luck.probabilistic_sharpe(sharpe, n, *moments),
        "dsr": luck.probabilistic_sharpe(sharpe, n, *moments, threshold),
        "dsr_all": luck.probabilistic_sharpe(sharpe, n, *moments, highest),
        "threshold": threshold * math.sqrt(yearly),
        "min_track_record": luck.minimum_track_record(sharpe, *moments),
        "intervals": intervals(result.returns, yearly),
        "against_hold": difference(result.returns, result.benchmark_returns, yearly),
    }
