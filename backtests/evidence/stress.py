"""Stress: the same rule without costs, with more of them, filled late, and fed its own forecasts at the wrong times.

Notation: T bars in the evaluation window, which begins at the first forecast, N variants.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd

from ...strategies.buy_and_hold import BuyAndHold, holding
from ..account import supports
from ..account.engine import Account, simulate
from ..account.fast_scores import score
from ..account.hosts import Strategy, spelled_out
from ..account.scores import cash_returns
from ..data.bars import bars_per_year
from ..json_values import Parameters, Values
from .variants import COSTS, LATEST, RUINED, Outcome, Variant, log_growth, outcomes, rotations, unless_ruined

# Where the break-even costs are looked for, in basis points: finely where it is quick, coarsely where it is not.
FINE = tuple(np.unique([*COSTS, *np.geomspace(0.1, 1000, 60)]).tolist())
COARSE = (*COSTS, 100, 200, 500, 1000)
# Draws for a strategy that only backtrader can run: as few as leave a rank of 5 %.
SLOW_DRAWS = 19
CELLS = 6 << 20  # bars times variants traded at once: 48 MB an array


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
    room, years = max(1, CELLS // len(bars)), (len(bars) - first) / yearly
    outcome = []
    for block in (variants[start : start + room] for start in range(0, len(variants), room)):
        forecasts = np.column_stack([variant.forecast for variant in block])
        accounts = [variant.account for variant in block]
        table = score(bars, forecasts, strategy, parameters, accounts, first, yearly).scores
        outcome += [RUINED if row["ruined"] else _outcome(row, years) for row in table.to_dict("records")]
    return outcome


def _outcome(row: Mapping[Hashable, float], years: float) -> Outcome:
    scores = {key: row[key] for key in ("cagr", "sharpe", "total_return")}
    return Outcome(scores, log_growth(row["total_return"]), row["turnover"] * years, False)


def _slow(
    bars: pd.DataFrame,
    first: int,
    yearly: int,
    strategy: Strategy,
    parameters: Parameters,
    variants: Sequence[Variant],
) -> list[Outcome]:
    """One variant after another, in backtrader."""

    cash = cash_returns(pd.DatetimeIndex(bars.index[first:]), variants[0].account.interest_bps)

    def one(variant: Variant) -> Outcome:
        forecast = pd.Series(variant.forecast, index=bars.index)
        done = simulate(bars, forecast, strategy, parameters, variant.account)
        within = done.orders["date"] >= bars.index[first]
        traded = float(done.orders["value"].abs()[within].sum())
        return Outcome.of(done.history["equity"].to_numpy(float)[first:], traded, yearly, cash)

    return [unless_ruined(one, variant) for variant in variants]
