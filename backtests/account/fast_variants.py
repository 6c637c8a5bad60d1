"""What many accounts trade, checked: variants of one built-in strategy, of its forecasts, its account and its market.

Notation: T bars, N variants.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ...strategies.rule import NameRule
from ...strategies.sizing import DUST, cost_rate
from ..json_values import Parameters
from .engine import Account
from .fast_rules import supports
from .hosts import Strategy, class_of
from .prices import Prices


@dataclass(frozen=True)
class Variants:
    """N variants of one strategy; arrays whose last axis is 1 serve every variant.

    forecast:   (T, 1 or N), held back by its delay.
    prices:     opens and closes (T, 1 or N).
    parameters: of the strategy, each (1 or N,).
    account:    each (1 or N,): cash; commission, slippage, borrow and interest as fractions; rate, the cost of buying;
                fractional; tolerance; first, the bar of the first forecast, from which cash earns interest.
    """

    strategy: type[NameRule]
    forecast: np.ndarray
    prices: Prices
    parameters: Mapping[str, np.ndarray]
    account: Mapping[str, np.ndarray]
    count: int

    def cut(self, start: int, stop: int) -> Variants:
        """These variants alone."""
        columns = slice(start, min(stop, self.count))

        def some(values: np.ndarray) -> np.ndarray:
            return values if values.shape[-1] == 1 else values[..., columns]

        prices = replace(self.prices, open=some(self.prices.open), close=some(self.prices.close))
        parameters, account = ({k: some(v) for k, v in table.items()} for table in (self.parameters, self.account))
        return Variants(self.strategy, some(self.forecast), prices, parameters, account, columns.stop - start)


def variants_of(
    bars: pd.DataFrame | Prices,
    forecasts: Any,
    strategy: Strategy,
    parameters: Parameters | Sequence[Parameters] | None = None,
    accounts: Account | Sequence[Account] | None = None,
    delays: int | Sequence[int] = 0,
) -> Variants:
    """The variants that `evaluate` trades; raises as it says."""
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
    forecast = _delayed(forecast, np.array(late))
    account = _account(books, table["tolerance"], forecast)
    return Variants(strategy, forecast, replace(prices, open=opening, close=closing), table, account, n)


def _account(accounts: Sequence[Account], tolerance: np.ndarray, forecast: np.ndarray) -> dict[str, np.ndarray]:
    """What the accounts are, each (1 or N,): cash; commission, slippage, borrow and interest as fractions; rate.

    first: the bar of the first forecast, from which cash earns interest.

    Raises ValueError for costs of 100 % or more, at which an order could be refused.
    """
    table = {name: np.array([getattr(one, name) for one in accounts], float) for name in ("cash", "fractional")}
    for name in ("commission", "slippage", "borrow", "interest"):
        table[name] = np.array([getattr(one, f"{name}_bps") for one in accounts], float) / 1e4
    table["rate"] = cost_rate(table["commission"], table["slippage"])
    if (table["rate"] >= 1).any():
        most = 100 * table["rate"].max()
        raise ValueError(f"commission and slippage must cost less than 100 %; got {most:.4g} %")
    known = ~np.isnan(forecast)
    first = np.where(known.any(axis=0), known.argmax(axis=0), len(forecast))
    return table | {"tolerance": np.maximum(tolerance, DUST), "first": first}


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


def _listed(given: Any) -> list[Any]:
    return list(given) if isinstance(given, Sequence | np.ndarray) else [given]
