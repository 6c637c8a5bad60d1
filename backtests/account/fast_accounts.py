"""Many accounts traded at once, bar by bar: the fast twin of `account.engine.simulate`, equal to it to the last bit.

Notation: T bars, N variants; prices (T, 1 or N), decisions (T, N), all that an account is at one bar (N,).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ...predictors.bars import check_bars
from ...strategies.actions import actions_of
from ...strategies.rule import NameRule
from ..json_values import Parameters
from .engine import Account
from .fast_book import Book
from .fast_rules import RULES, supports
from .hosts import Strategy, class_of

# Variants traded together: more would leave the cache, fewer would pay Python's price per bar more often.
BLOCK = 1000


@dataclass(frozen=True)
class Prices:
    """The opens and closes of one market, (T,), or of N markets on the same dates, (T, N).

    actions: `dividend` and `split` of every bar, for prices as traded; of all N alike.
    """

    index: pd.DatetimeIndex
    open: np.ndarray
    close: np.ndarray
    actions: pd.DataFrame | None = None

    @classmethod
    def of(cls, bars: pd.DataFrame) -> Prices:
        """The prices of one symbol's bars; raises as `check_bars` does."""
        check_bars(bars)
        index = pd.DatetimeIndex(bars.index)
        return cls(index, bars["open"].to_numpy(float), bars["close"].to_numpy(float), actions_of(bars))

    def __post_init__(self) -> None:
        if self.open.shape != self.close.shape or self.open.ndim not in (1, 2) or len(self.open) != len(self.index):
            raise ValueError(
                f"open and close must both be ({len(self.index)},) or ({len(self.index)}, N); "
                f"got {self.open.shape} and {self.close.shape}"
            )
        if not all(np.isfinite(x).all() and (x > 0).all() for x in (self.open, self.close)):
            raise ValueError("a price is missing or not positive")

    def worth(self) -> np.ndarray:
        """What a unit held at the close before has become at every close: C·R + D."""
        if self.actions is None:
            return self.close
        dividend, split = (self.actions[name].to_numpy() for name in ("dividend", "split"))
        return (self.close.T * split + dividend).T


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
    if not supports(strategy):
        raise TypeError(f"{class_of(strategy).__name__} has no fast rule, only built-in strategies do; use simulate")
    prices = bars if isinstance(bars, Prices) else Prices.of(bars)
    table, books, late = _parameters(strategy, parameters), _listed(accounts or Account()), _listed(delays)
    forecast = _forecasts(forecasts, prices)
    opening, closing = (x.reshape(len(x), -1) for x in (prices.open, prices.close))
    n = _variants(
        forecasts=forecast.shape[1],
        parameters=max(map(len, table.values())),
        accounts=len(books),
        delays=len(late),
        markets=opening.shape[1],
    )
    costs = {name: np.array([getattr(b, name) for b in books], float) for name in Account.__dataclass_fields__}
    forecast = _delayed(forecast, np.array(late))
    parts = []
    for start in range(0, n, BLOCK):
        columns = slice(start, min(start + BLOCK, n))
        f, o, c = (_cut(x, columns) for x in (forecast, opening, closing))
        p, account = ({k: _cut(v, columns) for k, v in d.items()} for d in (table, costs))
        parts.append(_trade(strategy, f, replace(prices, open=o, close=c), p, account, columns.stop - start))
    return Evaluation(*(x[0] if len(x) == 1 else np.concatenate(x, axis=-1) for x in zip(*parts, strict=True)))


def _trade(
    strategy: type[NameRule],
    forecast: np.ndarray,
    prices: Prices,
    parameters: Mapping[str, np.ndarray],
    account: Mapping[str, np.ndarray],
    n: int,
) -> tuple[np.ndarray, ...]:
    """One block of variants: the fields of its Evaluation."""
    known = ~np.isnan(forecast)
    first = np.where(known.any(axis=0), known.argmax(axis=0), len(forecast))
    # An account that is wiped out is NaN from there on, and NaN trades no more.
    with np.errstate(all="ignore"):
        rule = RULES[strategy]
        decisions = np.broadcast_to(rule(forecast, prices.close, prices.worth(), parameters), (len(forecast), n))
        opening, closing = (np.broadcast_to(x, (len(x), n)) for x in (prices.open, prices.close))
        book = Book(n, account, parameters["tolerance"], first, prices.actions)
        return book.trade(decisions, opening, closing, prices.index)


def _parameters(strategy: type[NameRule], given: Any) -> dict[str, np.ndarray]:
    """Every parameter, (1,) where all variants agree, else (N,)."""
    defaults = strategy().parameters
    rows = [defaults | dict(one) for one in _listed(given or {})]
    for row in rows:
        unknown = sorted(set(row) - set(defaults))
        if unknown:
            raise TypeError(f"{strategy.__name__} has no parameter {unknown[0]!r}; it has {', '.join(defaults)}")
        strategy(**row)
    table = {name: np.array([float(row[name]) for row in rows]) for name in defaults}
    if len(rows) == 1:
        return table
    # The tolerance stays whole, so that the number of variants can be told.
    return {k: v[:1] if (v == v[0]).all() and k != "tolerance" else v for k, v in table.items()}


def _forecasts(forecasts: Any, prices: Prices) -> np.ndarray:
    """(T, 1 or N)."""
    if isinstance(forecasts, pd.Series | pd.DataFrame) and not forecasts.index.equals(prices.index):
        raise ValueError("the forecasts must have the same dates as the bars")
    values = np.asarray(forecasts, float)
    if values.ndim not in (1, 2) or len(values) != len(prices.index):
        raise ValueError(f"forecasts must be ({len(prices.index)},) or ({len(prices.index)}, N); got {values.shape}")
    return values.reshape(len(values), -1)


def _delayed(forecast: np.ndarray, delays: np.ndarray) -> np.ndarray:
    """Each column shifted down by its delay, NaN above."""
    if (delays < 0).any():
        raise ValueError(f"a delay must be at least 0; got {delays.min()}")
    if not delays.any():
        return forecast
    rows = np.arange(len(forecast))[:, None] - delays  # (T, 1 or N)
    values, rows = np.broadcast_arrays(forecast, rows)
    return np.where(rows < 0, np.nan, np.take_along_axis(values, np.maximum(rows, 0), axis=0))


def _variants(**counts: int) -> int:
    n = max(counts.values())
    wrong = {name: count for name, count in counts.items() if count not in (1, n)}
    if wrong:
        name, count = next(iter(wrong.items()))
        raise ValueError(f"there are {n} variants, and so there must be 1 or {n} {name}; got {count}")
    return n


def _cut(values: np.ndarray, columns: slice) -> np.ndarray:
    """These variants' columns of an array whose last axis is 1 or N."""
    return values if values.shape[-1] == 1 else values[..., columns]


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, Sequence | np.ndarray) else [given]
