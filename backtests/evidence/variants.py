"""Variants of one run under stress, and what is concluded from how they did.

Notation: T bars in the evaluation window, which begins at the first forecast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ...strategies.sizing import Ruined
from ..account.engine import Account
from ..account.scores import return_scores
from ..json_values import Values

COSTS = (0, 1, 2, 5, 10, 15, 20, 30, 40, 50)  # basis points each way, as the sheet lists them
LATEST = 5  # bars


@dataclass(frozen=True)
class Variant:
    """What is traded: the forecasts at every bar, (T,) or names (T, N), and the account they are traded in."""

    forecast: np.ndarray
    account: Account


@dataclass(frozen=True)
class Outcome:
    """How a variant did.

    scores:   CAGR, Sharpe ratio and total return, as `return_scores` has them.
    growth:   log growth; every account is left a billionth at least, so that lines can be drawn to it.
    turnover: value bought and sold over the mean equity.
    """

    scores: dict[str, float]
    growth: float
    turnover: float
    ruined: bool

    @classmethod
    def of(cls, equity: np.ndarray, traded: float, yearly: int, cash: pd.Series) -> Outcome:
        """Of an account's equity at every close of the window, (T,), and what cash earned per bar."""
        scores = return_scores(pd.Series(np.r_[0.0, equity[1:] / equity[:-1] - 1]), yearly, cash)
        shown = {key: scores[key] for key in ("cagr", "sharpe", "total_return")}
        return cls(shown, log_growth(scores["total_return"]), float(traded / equity.mean()), False)


def log_growth(total_return: float) -> float:
    """log(1 + total return), of what is left a billionth at least."""
    return math.log(max(1 + total_return, 1e-9))


RUINED = Outcome({"cagr": -1.0, "sharpe": np.nan, "total_return": -1.0}, log_growth(-1.0), np.nan, True)


Trade = Callable[[Sequence[Variant]], list[Outcome]]


def outcomes(
    values: np.ndarray,
    late: Sequence[np.ndarray],
    rotated: Sequence[np.ndarray],
    account: Account,
    grid: Sequence[float],
    trade: Trade,
    hold: Trade,
    naive: bool = True,
) -> Values:
    """All that `stress` says but the engine, of forecasts as they are, late, and at the wrong times.

    grid: the costs in basis points among which the break-even is looked for; trade, hold: run variants of the strategy
    and of the benchmark; naive: whether a forecast of zero means anything to the strategy.
    """
    at_costs = [replace(account, commission_bps=bps, slippage_bps=0) for bps in grid]
    groups = {
        "net": [Variant(values, account)],
        "gross": [Variant(values, replace(account, commission_bps=0, slippage_bps=0, borrow_bps=0))],
        "naive": [Variant(np.where(np.isnan(values), np.nan, 0.0), account)] * naive,
        "delay": [Variant(forecast, account) for forecast in late],
        "costs": [Variant(values, costly) for costly in at_costs],
        "random": [Variant(forecast, account) for forecast in rotated],
    }
    results = iter(trade([variant for group in groups.values() for variant in group]))
    outcome = {name: [next(results) for _ in group] for name, group in groups.items()}
    benchmark = hold([Variant(values, costly) for costly in at_costs])
    growth, hold_growth = (np.array([one.growth for one in many]) for many in (outcome["costs"], benchmark))
    single = {name: outcome[name][0].scores for name in ("gross", "net", "naive") if outcome[name]}
    delayed = [single["net"], *(one.scores for one in outcome["delay"])]
    return {
        **single,
        "delay": [{"bars": k} | scores for k, scores in enumerate(delayed)],
        "costs": [{"bps": bps} | outcome["costs"][list(grid).index(bps)].scores for bps in COSTS if bps in grid],
        "break_even_bps": break_even(grid, growth),
        "break_even_hold_bps": break_even(grid, growth - hold_growth),
        "random": _random(outcome["net"][0], outcome["random"]),
    }


def rotations(forecast: np.ndarray, first: int, draws: int, seed: int) -> list[np.ndarray]:
    """The forecasts from bar `first` on, turned by another random offset each time, the end coming round to the front.

    A rotation keeps the forecasts' distribution and, but for the seam, their order, and so trades as much as they do,
    but at other times. Fewer come back where the window is shorter than `draws`.

    Reference: Politis & Romano (1992), in Exploring the Limits of Bootstrap, for the circle; Aronson (2006),
    Evidence-Based Technical Analysis, chapter 5, for trading rules at random times.
    """
    window = forecast[first:]
    return [np.r_[forecast[:first], np.roll(window, offset)] for offset in offsets(len(window), draws, seed)]


def offsets(bars: int, draws: int, seed: int) -> np.ndarray:
    """So many different offsets within a window, fewer where it is shorter."""
    every = np.arange(1, bars)
    return np.random.default_rng(seed).choice(every, min(draws, len(every)), replace=False)


def break_even(bps: Sequence[float], growth: np.ndarray) -> float | None:
    """The cost at which log growth first falls to zero, on a straight line between two costs; None where it does not.

    Log growth is all but straight in a cost that is paid on every trade.
    """
    if growth[0] <= 0 or (growth > 0).all():
        return None
    k = int((growth <= 0).argmax())
    return float(np.interp(0.0, [-growth[k - 1], -growth[k]], bps[k - 1 : k + 1]))


def rank(value: float, others: ArrayLike) -> float:
    """The share of `others` that are below `value`, ties counting half; NaN where there are none."""
    values = np.asarray(others, float)
    return float(np.mean((values < value) + 0.5 * (values == value))) if len(values) else np.nan


def _random(net: Outcome, drawn: list[Outcome]) -> Values:
    rows = ([*outcome.scores.values(), outcome.ruined] for outcome in (net, *drawn))
    cagr, sharpe, _, ruined = (list(column) for column in zip(*rows, strict=True))
    # An account that never moved has a Sharpe ratio of 0 here, and one that was wiped out the lowest.
    ranked = np.where(ruined, -np.inf, np.nan_to_num(sharpe))
    turnover = np.array([outcome.turnover for outcome in drawn if not outcome.ruined])
    trades = net.turnover > 0 and len(turnover) > 0
    return {
        "draws": len(drawn),
        "sharpe": sharpe[1:],
        "cagr": cagr[1:],
        "sharpe_rank": rank(ranked[0], ranked[1:]),
        "cagr_rank": rank(cagr[0], cagr[1:]),
        "turnover_ratio": float(turnover.mean() / net.turnover) if trades else np.nan,
    }


def unless_ruined(trade: Callable[[Variant], Outcome], variant: Variant) -> Outcome:
    """The outcome of a variant, or that it was wiped out."""
    try:
        return trade(variant)
    except Ruined:
        return RUINED
