"""Nested walk-forward selection: choose the best variant on the past, trade it until the next choice, and so on.

It shows what selecting the best variant would have earned, since each choice uses only the bars up to its date.

Notation: T bars, the last n of them scored, N variants, K choices; a target is the weight that a variant wants to hold
after a close.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...strategies.buy_and_hold import BuyAndHold, holding
from ...strategies.rule import NameRule, NameState
from ..account import Prices, supports
from ..account.engine import Account, simulate
from ..account.fast_rules import RULES
from ..account.hosts import Strategy, class_of
from ..account.scores import cash_returns, return_scores
from ..json_values import Parameters
from ..pipeline.strategies import all_parameters

COLUMNS = 500  # variants at once, to bound memory


@dataclass
class Follow(NameRule):
    """Holds the weight that it receives as the forecast."""

    def decide(self, state: NameState) -> float | None:
        return state.forecast


@dataclass(frozen=True)
class Nested:
    """The choices of a nested selection and the accounts that result.

    choices: one row each: its `date`, the position of the `variant`, and its `sharpe` per bar on the past.
    equity:  at every close from the first choice on, of three accounts: `nested`; `winner`, the best variant of the
             whole window; and `hold`, buy-and-hold.
    scores:  of the three, as `return_scores` gives them.
    """

    choices: pd.DataFrame
    equity: pd.DataFrame
    scores: dict[str, dict[str, float]]

    @property
    def switches(self) -> int:
        """How many choices differ from the one before."""
        return int((self.choices["variant"].diff().iloc[1:] != 0).sum())


def choose(returns: np.ndarray, first: int, every: int, past: int | None = None) -> tuple[np.ndarray, ...]:
    """The best variants of returns (n, N) at the bars first, first + every, …

    past: bars up to and including the bar of a choice that it is based on; None for all.

    Returns the bars, the variants and their Sharpe ratios per bar, (K,) each. The ratio of constant returns is 0; of
    equal variants the first is chosen.

    Raises ValueError for settings that leave a choice without bars.
    """
    if not (every >= 1 and 2 <= first < len(returns) and (past is None or past >= 2)):
        raise ValueError(
            f"choosing needs every >= 1, past >= 2 and a first choice within the {len(returns):,} bars scored; "
            f"got every={every}, past={past}, first={first}"
        )
    at = np.arange(first, len(returns) - 1, every)
    start = np.zeros(len(at), int) if past is None else np.maximum(at + 1 - past, 0)
    blocks = [_past_sharpe(returns[:, k : k + COLUMNS], start, at + 1) for k in range(0, returns.shape[1], COLUMNS)]
    sharpe = np.concatenate(blocks, axis=1)  # (K, N)
    best = sharpe.argmax(axis=1)
    return at, best, sharpe[np.arange(len(at)), best]


def _past_sharpe(returns: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Sharpe ratios per bar of the returns from each start up to its stop, (K, N), from cumulative sums."""
    sums, squares = (np.vstack([np.zeros(returns.shape[1]), np.cumsum(x, axis=0)]) for x in (returns, returns**2))
    n = (stop - start)[:, None]
    total, square = sums[stop] - sums[start], squares[stop] - squares[start]
    variance = (square - total**2 / n) / (n - 1)
    flat = variance * n <= 1e-12 * squares[-1]  # the rest is rounding
    return np.where(flat, 0.0, total / n / np.sqrt(np.where(flat, 1.0, variance)))


def targets(bars: pd.DataFrame, forecast: pd.Series, strategy: Strategy, parameters: Parameters) -> np.ndarray:
    """The weight that a variant wants to hold after each close, (T,): its last decision, 0 before the first.

    Raises TypeError for a strategy without a fast rule, whose decisions cannot be computed without trading.
    """
    if not supports(strategy):
        name = class_of(strategy).__name__
        raise TypeError(f"{name} has no fast rule, only the built-in strategies do; leave out the nesting")
    values = {name: np.array([float(value)]) for name, value in all_parameters(strategy, parameters).items()}
    prices = Prices.of(bars)
    close, worth = prices.close[:, None], prices.worth()[:, None]
    with np.errstate(all="ignore"):
        decisions = RULES[strategy](forecast.to_numpy(float)[:, None], close, worth, values)
    return pd.Series(np.broadcast_to(decisions, close.shape)[:, 0]).ffill().fillna(0.0).to_numpy()


def nested(
    bars: pd.DataFrame,
    returns: np.ndarray,
    target: Callable[[int], np.ndarray],
    winner: int,
    tolerance: float,
    account: Account,
    bars_per_year: int,
    *,
    every: int | None = None,
    past: int | None = None,
) -> Nested:
    """Trades the choices in backtrader, and from the same close on the winner and buy-and-hold.

    returns: of the variants on the last n bars, over cash, (n, N).
    target:  called with the position of a variant, returns its targets (T,).
    winner:  position of the best variant of the whole window.
    every:   bars between choices; None for a quarter of a year. The first is after a year, or a quarter of the bars
             where that is less.
    past:    bars that a choice is based on; None for all.

    One account holds after each close the target of the variant chosen last, so that a switch costs what changing the
    position costs. This is exact where all variants have the same tolerance.

    Raises ValueError as `choose` does, and what `simulate` raises.
    """
    n = len(returns)
    first = max(2, min(bars_per_year, n // 4))
    at, variants, sharpe = choose(returns, first, every or max(1, round(bars_per_year / 4)), past)
    start = len(bars) - n
    weights = {k: target(k) for k in sorted({*map(int, variants), winner})}
    last = np.searchsorted(at, np.arange(at[0], n), side="right") - 1  # number of the last choice at each close
    rows = np.arange(start + at[0], len(bars))
    selected = np.array([weights[k] for k in variants])[last, rows]
    equity = _equity(bars, rows, {"nested": selected, "winner": weights[winner][rows]}, tolerance, account)
    changes = equity.pct_change().fillna(0.0)
    choices = pd.DataFrame({"date": bars.index[start + at], "variant": variants, "sharpe": sharpe})
    cash = cash_returns(pd.DatetimeIndex(equity.index), account.interest_bps)
    return Nested(choices, equity, {name: return_scores(changes[name], bars_per_year, cash) for name in equity})


def _equity(
    bars: pd.DataFrame, rows: np.ndarray, weights: Mapping[str, np.ndarray], tolerance: float, account: Account
) -> pd.DataFrame:
    """The equity at the closes `rows` of accounts that hold these weights, and of `hold`, traded by backtrader."""
    equity = {}
    for name, values in (*weights.items(), ("hold", np.ones(len(rows)))):
        series = pd.Series(np.nan, index=bars.index)
        series.iloc[rows] = values
        rule, parameters = (BuyAndHold, holding(bars)) if name == "hold" else (Follow, {"tolerance": tolerance})
        equity[name] = simulate(bars, series, rule, parameters, account).history["equity"].iloc[rows]
    return pd.DataFrame(equity)
