"""Nested walk-forward selection: choose the variant on the past, trade it on the next block, and choose again.

What whoever picks the winner of a sweep would have lived through, for at each date only the past was there to pick on.

Notation: T bars, n of them scored, N variants; target the weight a variant wants to hold after each close.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rollcast.backtests.account import supports
from rollcast.backtests.account.engine import Account, simulate
from rollcast.backtests.account.fast_accounts import Prices
from rollcast.backtests.account.fast_rules import RULES
from rollcast.backtests.account.hosts import Strategy, class_of
from rollcast.backtests.account.scores import return_scores
from rollcast.backtests.pipeline.strategies import all_parameters
from rollcast.strategies.buy_and_hold import BuyAndHold, holding
from rollcast.strategies.rule import NameRule, NameState

COLUMNS = 500  # variants looked at together


@dataclass
class Follow(NameRule):
    """Holds the weight that rides in the place of the forecast."""

    def decide(self, state: NameState) -> float | None:
        return state.forecast


@dataclass(frozen=True)
class Nested:
    """What came of choosing again and again.

    choices: by date of the choice: the variant's position, and its Sharpe ratio per bar on the past it was chosen on.
    equity:  at every close from the first choice on: `nested`, the `winner` of the whole window, `hold`.
    scores:  of each, as `return_scores` gives them.
    """

    choices: pd.DataFrame
    equity: pd.DataFrame
    scores: dict[str, dict[str, float]]

    @property
    def switches(self) -> int:
        """How often another variant was chosen than before."""
        return int((self.choices["variant"].diff().iloc[1:] != 0).sum())


def choose(returns: np.ndarray, first: int, every: int, past: int | None = None) -> tuple[np.ndarray, ...]:
    """The best variant at bars first, first + every, … of returns (n, N): bars, variants, Sharpe ratios per bar.

    Judged on the last `past` bars up to that close and with it, or on all of them; one that never moved counts as 0.
    Of equals, the first.
    """
    if not (every >= 1 and 2 <= first < len(returns) and (past is None or past >= 2)):
        raise ValueError(
            f"choosing needs every >= 1, past >= 2 and a first choice within the {len(returns):,} bars scored; "
            f"got every={every}, past={past}, first={first}"
        )
    at = np.arange(first, len(returns) - 1, every)
    start = np.zeros(len(at), int) if past is None else np.maximum(at + 1 - past, 0)
    parts = [_past_sharpe(returns[:, k : k + COLUMNS], start, at + 1) for k in range(0, returns.shape[1], COLUMNS)]
    sharpe = np.concatenate(parts, axis=1)  # (K, N)
    best = sharpe.argmax(axis=1)
    return at, best, sharpe[np.arange(len(at)), best]


def _past_sharpe(returns: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Sharpe ratios per bar of the returns from each start up to its stop, (K, N)."""
    sums, squares = (np.vstack([np.zeros(returns.shape[1]), np.cumsum(x, axis=0)]) for x in (returns, returns**2))
    n = (stop - start)[:, None]
    total, square = sums[stop] - sums[start], squares[stop] - squares[start]
    variance = (square - total**2 / n) / (n - 1)
    flat = variance * n <= 1e-12 * squares[-1]  # rounding is all that is left
    return np.where(flat, 0.0, total / n / np.sqrt(np.where(flat, 1.0, variance)))


def targets(bars: pd.DataFrame, forecast: pd.Series, strategy: Strategy, parameters: Mapping[str, Any]) -> np.ndarray:
    """The weight a variant wants to hold after each close, (T,): its last decision, 0 before there is one.

    Raises TypeError for a strategy without a fast rule, whose decisions cannot be had without trading.
    """
    if not supports(strategy):
        raise TypeError(
            f"{class_of(strategy).__name__} has no fast rule, only the built-in strategies do; leave out the nesting"
        )
    values = {name: np.array([float(v)]) for name, v in all_parameters(strategy, parameters).items()}
    prices = Prices.of(bars)
    close, worth = (each[:, None] for each in (prices.close, prices.worth()))
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
    """Trades the choices in backtrader, switches and all, and beside them the winner and holding, from the same close.

    returns: of the variants on the last n bars (n, N).   target: the targets (T,) of a variant.
    every:   bars between choices, a quarter of a year by default; the first is made after a year, at most a quarter of
             the bars.   past: bars a choice looks back on; all by default.

    One account holds at each close what the variant then chosen would want to hold, so that a switch costs what
    changing the position costs. Nothing is approximated, but all variants must share one tolerance.
    """
    n = len(returns)
    first = max(2, min(bars_per_year, n // 4))
    at, chosen, sharpe = choose(returns, first, every or max(1, round(bars_per_year / 4)), past)
    start = len(bars) - n
    held = {k: target(k) for k in sorted({*map(int, chosen), winner})}
    turns = np.searchsorted(at, np.arange(at[0], n), side="right") - 1  # the last choice made at each close
    rows = np.arange(start + at[0], len(bars))
    series = {name: np.full(len(bars), np.nan) for name in ("nested", "winner")}
    series["nested"][rows] = np.array([held[k] for k in chosen])[turns, rows]
    series["winner"][rows] = held[winner][rows]
    window = slice(start + int(at[0]), None)
    equity = {}
    for name, values in (*series.items(), ("hold", series["winner"])):
        rule, given = (BuyAndHold, holding(bars)) if name == "hold" else (Follow, {"tolerance": tolerance})
        done = simulate(bars, pd.Series(values, index=bars.index), rule, given, account)
        equity[name] = done.history["equity"].iloc[window]
    curves = pd.DataFrame(equity)
    changes = curves.pct_change().fillna(0.0)
    choices = pd.DataFrame({"date": bars.index[start + at], "variant": chosen, "sharpe": sharpe})
    return Nested(choices, curves, {name: return_scores(changes[name], bars_per_year) for name in curves})
