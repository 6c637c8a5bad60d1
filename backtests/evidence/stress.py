"""Stress: the same rule without costs, with more of them, filled late, and fed its own forecasts at the wrong times.

Notation: T bars in the evaluation window, which begins at the first forecast, N variants.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.account import evaluate, supports
from rollcast.backtests.account.engine import Account, simulate
from rollcast.backtests.account.hosts import Strategy, spelled_out
from rollcast.backtests.account.scores import return_scores
from rollcast.backtests.data.bars import bars_per_year
from rollcast.backtests.json_values import Parameters, Values
from rollcast.strategies.buy_and_hold import BuyAndHold, holding
from rollcast.strategies.sizing import Ruined

COSTS = (0, 1, 2, 5, 10, 15, 20, 30, 40, 50)
LATEST = 5  # bars
# Where the break-even costs are looked for, in basis points: finely where it is quick, coarsely where it is not.
FINE = tuple(np.unique([*COSTS, *np.geomspace(0.1, 1000, 60)]).tolist())
COARSE = (*COSTS, 100, 200, 500, 1000)
# Draws for a strategy that only backtrader can run: as few as leave a rank of 5 %.
SLOW_DRAWS = 19
CELLS = 6 << 20  # bars times variants traded at once: 48 MB an array


@dataclass(frozen=True)
class Variant:
    """What is traded: the forecasts at every bar, (T,) or names (T, N), and the account they are traded in."""

    forecast: np.ndarray
    account: Account


@dataclass(frozen=True)
class Outcome:
    """How a variant did.

    scores:   CAGR, Sharpe ratio and total return, as `return_scores` has them.
    growth:   log growth; a wiped-out account is left a billionth, so that lines can be drawn to it.
    turnover: value bought and sold over the mean equity.
    """

    scores: dict[str, float]
    growth: float
    turnover: float
    ruined: bool

    @classmethod
    def of(cls, equity: np.ndarray, traded: float, yearly: int) -> Outcome:
        """Of an account's equity at every close of the window, (T,)."""
        scores = return_scores(pd.Series(np.r_[0.0, equity[1:] / equity[:-1] - 1]), yearly)
        told = {key: scores[key] for key in ("cagr", "sharpe", "total_return")}
        return cls(told, float(np.log(equity[-1] / equity[0])), float(traded / equity.mean()), False)


RUINED = Outcome({"cagr": -1.0, "sharpe": np.nan, "total_return": -1.0}, float(np.log(1e-9)), np.nan, True)


Trade = Callable[[Sequence[Variant]], list[Outcome]]


def stress(
    bars: pd.DataFrame,
    forecast: pd.Series,
    strategy: Strategy,
    parameters: Parameters | None = None,
    account: Account | None = None,
    *,
    draws: int = 100,
    seed: int = 0,
) -> Values:
    """How the result of trading `forecast` changes with its costs, its delay and its timing.

    Everything is scored over the evaluation window. A variant whose account is wiped out has lost everything and has no
    Sharpe ratio. A strategy that is not built in is run by backtrader, with `SLOW_DRAWS` draws at most.

    gross, net:    without commission, slippage and borrow cost; as the account has them.
    delay:         filled 0 to 5 bars later than at the next open; 0 is `net`.
    costs:         so many basis points of commission each way, no slippage, borrow cost as in the account.
    break_even_bps, break_even_hold_bps: the cost of that kind at which nothing is earned, or no more than by buying and
                   holding at the same cost; None where there is none below 1,000, or not even at 0 more is earned.
    random:        the forecasts at the wrong times, by `rotations`; ranks as by `rank`.
    naive:         the same strategy and account driven by a forecast of zero.

    Raises ValueError if there is no forecast.
    """
    account, values = account or Account(), forecast.to_numpy(float)
    strategy, parameters = spelled_out(strategy, parameters)
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        raise ValueError("there is no forecast to trade")
    first = int(known[0])
    fast = supports(strategy) and account.fast
    rotated = rotations(values, first, draws if fast else min(draws, SLOW_DRAWS), seed)
    yearly = bars_per_year(pd.DatetimeIndex(bars.index[first:]))
    late = [_shifted(values, k) for k in range(1, LATEST + 1)]
    return {"engine": "fast" if fast else "backtrader"} | outcomes(
        *(values, late, rotated, account, FINE if fast else COARSE),
        partial(_fast if fast else _slow, bars, first, yearly, strategy, parameters),
        partial(_fast, bars, first, yearly, BuyAndHold, holding(bars)),
    )


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
    taxed = [replace(account, commission_bps=bps, slippage_bps=0) for bps in grid]
    groups = {
        "net": [Variant(values, account)],
        "gross": [Variant(values, replace(account, commission_bps=0, slippage_bps=0, borrow_bps=0))],
        "naive": [Variant(np.where(np.isnan(values), np.nan, 0.0), account)] * naive,
        "delay": [Variant(each, account) for each in late],
        "costs": [Variant(values, each) for each in taxed],
        "random": [Variant(each, account) for each in rotated],
    }
    done = iter(trade([variant for group in groups.values() for variant in group]))
    told = {name: [next(done) for _ in group] for name, group in groups.items()}
    held = hold([Variant(values, each) for each in taxed])
    growth, benchmark = (np.array([each.growth for each in many]) for many in (told["costs"], held))
    alone = {name: told[name][0].scores for name in ("gross", "net", "naive") if told[name]}
    delayed = [alone["net"], *(each.scores for each in told["delay"])]
    return {
        **alone,
        "delay": [{"bars": k} | scores for k, scores in enumerate(delayed)],
        "costs": [{"bps": b} | told["costs"][list(grid).index(b)].scores for b in COSTS if b in grid],
        "break_even_bps": break_even(grid, growth),
        "break_even_hold_bps": break_even(grid, growth - benchmark),
        "random": _random(told["net"][0], told["random"]),
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


def rank(ours: float, theirs: Any) -> float:
    """The share of `theirs` that `ours` beats, ties counting half; NaN against nobody."""
    others = np.asarray(theirs, float)
    return float(np.mean((others < ours) + 0.5 * (others == ours))) if len(others) else np.nan


def _random(net: Outcome, drawn: list[Outcome]) -> Values:
    ours, *theirs = ([*each.scores.values(), each.ruined] for each in (net, *drawn))
    cagr, sharpe, _, ruined = (list(column) for column in zip(ours, *theirs, strict=True))
    # An account that never moved has a Sharpe ratio of 0 here, and one that was wiped out the lowest.
    ranked = np.where(ruined, -np.inf, np.nan_to_num(sharpe))
    turnover = np.array([each.turnover for each in drawn if not each.ruined])
    trades = net.turnover > 0 and len(turnover) > 0
    return {
        "draws": len(drawn),
        "sharpe": sharpe[1:],
        "cagr": cagr[1:],
        "sharpe_rank": rank(ranked[0], ranked[1:]),
        "cagr_rank": rank(cagr[0], cagr[1:]),
        "turnover_ratio": float(turnover.mean() / net.turnover) if trades else np.nan,
    }


def _shifted(values: np.ndarray, late: int) -> np.ndarray:
    return np.r_[np.full(late, np.nan), values][: len(values)]


def _fast(
    bars: pd.DataFrame,
    first: int,
    yearly: int,
    strategy: Strategy,
    parameters: Parameters,
    variants: Sequence[Variant],
) -> list[Outcome]:
    """All variants at once, or as many as have room."""
    room = max(1, CELLS // len(bars))
    found = []
    for block in (variants[start : start + room] for start in range(0, len(variants), room)):
        forecasts = np.column_stack([each.forecast for each in block])
        done = evaluate(bars, forecasts, strategy, parameters, [each.account for each in block])
        equity = np.ascontiguousarray(done.equity[first:].T)  # (N, T)
        found += [
            RUINED if done.ruined[i] else Outcome.of(equity[i], done.traded[i], yearly) for i in range(len(block))
        ]
    return found


def _slow(
    bars: pd.DataFrame,
    first: int,
    yearly: int,
    strategy: Strategy,
    parameters: Parameters,
    variants: Sequence[Variant],
) -> list[Outcome]:
    """One variant after another, in backtrader."""

    def one(variant: Variant) -> Outcome:
        forecast = pd.Series(variant.forecast, index=bars.index)
        done = simulate(bars, forecast, strategy, parameters, variant.account)
        within = done.orders["date"] >= bars.index[first]
        traded = float(done.orders["value"].abs()[within].sum())
        return Outcome.of(done.history["equity"].to_numpy(float)[first:], traded, yearly)

    return [unless_ruined(one, variant) for variant in variants]


def unless_ruined(trade: Callable[[Variant], Outcome], variant: Variant) -> Outcome:
    """The outcome of a variant, or that it was wiped out."""
    try:
        return trade(variant)
    except Ruined:
        return RUINED
