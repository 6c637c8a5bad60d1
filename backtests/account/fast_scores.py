"""Many accounts traded and scored at once, without their histories.

Notation: T bars, the last n of them scored, N accounts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..json_values import Parameters
from . import compiled
from .engine import Account
from .fast_accounts import Evaluation, evaluate
from .fast_variants import variants_of
from .hosts import Strategy
from .moments import Moments, returns_of
from .prices import Prices
from .scores import cash_returns


@dataclass(frozen=True)
class Scored:
    """How N accounts did in a window.

    returns: per bar, (n, N), -1 on the bar of ruin and 0 after it; (0, N) where they were not kept.
    scores:  a row for each account: the scores of `return_scores`; orders, turnover (value bought and sold a year over
             the mean equity), time_in_market, cost_bps (a year), too_small, ruined.
    """

    returns: np.ndarray
    scores: pd.DataFrame


def score(
    bars: pd.DataFrame | Prices,
    forecasts: Any,
    strategy: Strategy,
    parameters: Parameters | Sequence[Parameters] | None,
    accounts: Account | Sequence[Account],
    first: int,
    bars_per_year: int,
    *,
    returns: bool = False,
) -> Scored:
    """Trades as `evaluate`, and scores the bars from `first` on; returns: whether to keep these.

    What cash earned is that of the first account. Raises as `evaluate`.
    """
    one = accounts if isinstance(accounts, Account) else accounts[0]
    if compiled.library() is None:
        done = evaluate(bars, forecasts, strategy, parameters, accounts)
        return scores_of(done, bars.index, first, bars_per_year, one.interest_bps, returns=returns)
    variants = variants_of(bars, forecasts, strategy, parameters, accounts)
    cash = cash_returns(variants.prices.index[first:], one.interest_bps).to_numpy(float)
    kept, moments, equity, held, sums = compiled.score(variants, first, cash, returns)
    return Scored(kept, _table(moments, equity, held, sums, len(cash), bars_per_year))


def scores_of(
    accounts: Evaluation, dates: Any, first: int, bars_per_year: int, interest_bps: float, *, returns: bool = True
) -> Scored:
    """The same of accounts that have been traded, on these dates (T,)."""
    kept = returns_of(accounts.equity[first:])
    cash = cash_returns(pd.DatetimeIndex(dates[first:]), interest_bps).to_numpy(float)
    worth = np.ascontiguousarray(accounts.equity[first:].T)
    with np.errstate(invalid="ignore"):
        equity = np.nan_to_num(worth).sum(axis=1) / (~np.isnan(worth)).sum(axis=1)
    held = (np.nan_to_num(accounts.units[first:]) != 0).mean(axis=0)
    sums = {name: getattr(accounts, name) for name in compiled.SUMS}
    table = _table(Moments.of(kept, cash), equity, held, sums, len(cash), bars_per_year)
    return Scored(kept if returns else kept[:0], table)


def _table(
    moments: Moments, equity: np.ndarray, held: np.ndarray, sums: dict[str, np.ndarray], n: int, bars_per_year: int
) -> pd.DataFrame:
    years = n / bars_per_year
    return pd.DataFrame(
        moments.scores(n, bars_per_year)
        | {
            "orders": sums["orders"],
            "turnover": sums["traded"] / equity / years,
            "time_in_market": held,
            "cost_bps": 1e4 * (sums["commission"] + sums["slippage"]) / equity / years,
            "too_small": sums["too_small"],
            "ruined": sums["ruined"],
        }
    )
