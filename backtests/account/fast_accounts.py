"""Many accounts traded at once: the fast twin of `account.engine.simulate`, equal to it to the last bit.

They are traded in C++ where that was built (`compiled`), else by numpy, bar by bar (`fast_book`).

Notation: T bars, N variants.
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
from .fast_book import Book
from .fast_rules import RULES
from .fast_variants import Variants, variants_of
from .hosts import Strategy
from .prices import Prices

# Variants that numpy trades together: more would leave the cache, fewer would pay Python's price per bar more often.
BLOCK = 1000


@dataclass(frozen=True)
class Evaluation:
    """What happened to every variant's account.

    equity, cash, units: at every bar's close, (T, N); NaN from the bar on at which the account was wiped out.
    orders:              orders filled, (N,).
    traded, commission, slippage: value bought and sold, and what it cost, (N,).
    too_small:           targets missed because one whole unit cost too much, (N,).
    ruined:              whether the account was wiped out, where `simulate` raises, (N,).
    """

    equity: np.ndarray
    cash: np.ndarray
    units: np.ndarray
    orders: np.ndarray
    traded: np.ndarray
    commission: np.ndarray
    slippage: np.ndarray
    too_small: np.ndarray
    ruined: np.ndarray


def evaluate(
    bars: pd.DataFrame | Prices,
    forecasts: Any,
    strategy: Strategy,
    parameters: Parameters | Sequence[Parameters] | None = None,
    accounts: Account | Sequence[Account] | None = None,
    delays: int | Sequence[int] = 0,
) -> Evaluation:
    """Trades N variants of one built-in strategy at once; each as `simulate` would by itself.

    bars:      one symbol's bars, or `Prices` of one market or of N.
    forecasts: on the dates of the bars, (T,) or (T, N).
    delays:    bars by which a forecast is held back before it is traded on.

    Whatever there is only one of serves every variant. Raises TypeError for a strategy without a fast rule and for an
    unknown parameter, ValueError for one outside its limits, for shapes that do not match, and for costs of 100 %.
    """
    variants = variants_of(bars, forecasts, strategy, parameters, accounts, delays)
    if compiled.library() is not None:
        return Evaluation(*compiled.trade(variants))
    parts = [_trade(variants.cut(start, start + BLOCK)) for start in range(0, variants.count, BLOCK)]
    return Evaluation(*(x[0] if len(x) == 1 else np.concatenate(x, axis=-1) for x in zip(*parts, strict=True)))


def _trade(block: Variants) -> tuple[np.ndarray, ...]:
    """The fields of an Evaluation of some variants."""
    prices, n = block.prices, block.count
    # An account that is wiped out is NaN from there on, and NaN trades no more.
    with np.errstate(all="ignore"):
        rule = RULES[block.strategy]
        weights = rule(block.forecast, prices.close, prices.worth(), block.parameters)
        decisions, opening, closing = (np.broadcast_to(x, (len(x), n)) for x in (weights, prices.open, prices.close))
        return Book(n, block.account, prices.actions).trade(decisions, opening, closing, prices.index)
