"""All the evidence for one result, as the numbers of its metrics.json."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from ..account.engine import Account
from ..account.hosts import Strategy
from ..account.scores import cash_returns, return_scores
from ..json_values import Parameters, Values, number
from ..pipeline.result import Result
from . import luck
from .bootstrap import difference, intervals
from .conclusion import conclusion
from .draw import luck_of_the_draw
from .excess import break_even, excess
from .information import information
from .panel_stress import stress_panel
from .plausibility import plausibility
from .power import smallest, years_more
from .skill import Z, skill
from .stress import stress
from .trials import ALONE, Trials
from .verdict import verdict


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
    metrics |= measures(result, account, trials)
    if result.market.portfolio:
        metrics["stress"] = stress_panel(result, strategy, dict(parameters or {}), account)
    else:
        forecast = result.forecast.reindex(result.bars.index)
        metrics["stress"] = stress(result.bars, forecast, strategy, dict(parameters or {}), account)
    entries = verdict(metrics, result.recipe)
    metrics["verdict"], metrics["conclusion"] = entries, conclusion(entries, metrics)
    return replace(result, metrics=metrics)


def measures(result: Result, account: Account, trials: Trials) -> Values:
    """All the evidence that needs no further trading."""
    metrics, yearly = dict(result.metrics), result.metrics["bars_per_year"]
    cash = cash_returns(pd.DatetimeIndex(result.returns.index), account.interest_bps)
    beyond = excess(result.returns, result.benchmark_returns, cash, yearly, trials)
    # A run of 0.1 has its ratios over zero.
    for name, returns in (("strategy", result.returns), ("benchmark", result.benchmark_returns)):
        metrics[name] = {**metrics[name], **return_scores(returns, yearly, cash)}
    close, needed = result.model_bars["close"], beyond["needed_t"]
    metrics["forecast"] = skill(result.forecast, close.loc[result.forecast.index[0] :])
    metrics["forecast"] |= information(result.forecast, close, yearly, needed)
    found: Values = {
        "strategy": metrics["strategy"],
        "benchmark": metrics["benchmark"],
        "forecast": metrics["forecast"],
        "plausibility": plausibility(metrics, result.returns, cash),
        "luck": luck_of(result, trials, cash),
        "excess": beyond | break_even(beyond, metrics["strategy"]),
    }
    log = result.training
    draw = luck_of_the_draw(result.forecast, log.spread if log else None, result.recipe["predictor"])
    return found | ({"draw": draw} if draw else {})


def luck_of(result: Result, trials: Trials, cash: pd.Series | None = None) -> Values:
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
        "intervals": intervals(result.returns, yearly, cash=cash),
        "against_hold": lead_over_holding(result, cash),
    }


def lead_over_holding(result: Result, cash: pd.Series | None = None) -> Values:
    """The lead in CAGR and Sharpe ratio; smallest_sharpe, that would be seen with 80 %, and years_more until it is."""
    ours, held, yearly = result.returns, result.benchmark_returns, result.metrics["bars_per_year"]
    found = difference(ours, held, yearly, cash=cash)
    low, high = found["sharpe"]
    error, lead = (high - low) / (2 * Z), (high + low) / 2
    t = lead / error if error > 0 else math.nan
    return found | {"smallest_sharpe": smallest(error), "years_more": years_more(t, len(ours) / yearly)}
