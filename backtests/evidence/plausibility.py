"""Whether a result shows more skill than honest forecasts have: an alarm for leaks that no re-run can see.

Notation: N bars a year, ρ the correlation of forecasts with the next returns (IC).

The limits come from one assumption, that nobody forecasts the daily returns of one name with ρ above 0.2. Published
R² of monthly returns out of sample are below 1 %, a ρ of 0.1 (Campbell & Thompson (2008), Review of Financial Studies
21(4); Gu, Kelly & Xiu (2020), Review of Financial Studies 33(5)). By the law of active management a Sharpe ratio is at
best ρ·√N (Grinold & Kahn (2000), Active Portfolio Management, chapter 6), 3.2 a year at ρ = 0.2. Bars longer than a day
are held to that Sharpe ratio, which allows a larger ρ; shorter ones to that ρ, since the bounce between bid and ask can
be forecast. Of two normal variables with correlation ρ the signs agree in 1/2 + arcsin(ρ)/π.
"""

from __future__ import annotations

import math

import pandas as pd

from ..account.scores import return_scores
from ..json_values import Record, Values, number
from .luck import probabilistic_sharpe

HIGHEST_IC = 0.2
SURE, SURE_T = 0.999, 3.09  # one-sided; an oracle at the very limit may not be accused once in twenty samples
DAYS = 252


def plausibility(metrics: Record, returns: pd.Series, cash: pd.Series | None = None) -> Values:
    """The limits of honest skill at this bar size, and which measures are surely beyond them.

    metrics: with `forecast`, `benchmark`, `bars_per_year` and, of a portfolio, `panel`.
    returns: simple, of the account, a bar each.
    cash:    what cash earned, likewise; it is no skill, so that the Sharpe ratio is over it. None for a rate of zero.

    `beyond` names those of ic, rank_ic (of a portfolio), hit_rate and sharpe whose 99.9 % bound, one-sided, is above
    the limit.
    """
    yearly, skill = metrics["bars_per_year"], metrics["forecast"]
    ic_limit = min(HIGHEST_IC * math.sqrt(max(1.0, DAYS / yearly)), 1.0)
    constant = max(
        0.0, abs(number(skill["base_rate"]) - 0.5)
    )  # of always forecasting the more frequent sign, beyond 1/2
    hits_limit = 0.5 + constant + math.asin(ic_limit) / math.pi
    # What a steady rise gives to holding is no skill either.
    sharpe_limit = ic_limit * math.sqrt(yearly) + max(0.0, number(metrics["benchmark"]["sharpe"]))
    scores = return_scores(returns, yearly, cash)
    surely = {
        "ic": _lower(skill["ic"], skill["ic_t"]) > ic_limit,
        "rank_ic": _mean_rank(metrics) > ic_limit,
        "hit_rate": _least_hits(number(skill["hit_rate"]), skill["opinions"]) > hits_limit,
        "sharpe": _above(scores, len(returns), yearly, sharpe_limit) >= SURE,
    }
    return {
        "ic_limit": ic_limit,
        "hit_rate_limit": hits_limit,
        "sharpe": scores["sharpe"],
        "sharpe_limit": sharpe_limit,
        "beyond": [name for name, beyond in surely.items() if beyond],
    }


def _lower(mean: float | None, t: float | None) -> float:
    """The bound below a mean with this t; the mean itself where it has no error, as a perfect forecast's."""
    value, ratio = number(mean), number(t)
    return value if math.isnan(ratio) or ratio == 0 else value - SURE_T * value / ratio


def _least_hits(share: float, opinions: int) -> float:
    """The bound below a share of so many."""
    return share - SURE_T * math.sqrt(share * (1 - share) / max(opinions, 1))


def _mean_rank(metrics: Record) -> float:
    across = metrics.get("panel")
    if not across or not across["dates"]:
        return math.nan
    return _lower(across["rank_ic"]["mean"], across["rank_ic"]["t"])


def _above(scores: Values, n: int, yearly: float, limit: float) -> float:
    """The probability that the true Sharpe ratio is above an annual limit."""
    moments = (number(scores["skew"]), number(scores["kurtosis"]))
    return probabilistic_sharpe(number(scores["sharpe"]) / math.sqrt(yearly), n, *moments, limit / math.sqrt(yearly))
