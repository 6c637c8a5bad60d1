"""From target weights to orders that the cash always pays for.

Notation: N names; w target weights, v values held, E equity and E' what is left of it once all orders are paid, r the
cost of trading as a fraction of the value traded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rollcast.strategies.base import SHAVE


@dataclass(frozen=True)
class Book:
    """What the account holds at this open, (N,); the price of a name without a bar is its last close.

    rate: r.   whole: whether units must be whole.
    """

    units: np.ndarray
    price: np.ndarray
    cash: float
    rate: float
    whole: bool

    @property
    def value(self) -> np.ndarray:
        """v, (N,)."""
        return self.units * self.price

    @property
    def equity(self) -> float:
        """E."""
        return self.cash + float(self.value.sum())


def changes(book: Book, target: np.ndarray, who: np.ndarray) -> np.ndarray:
    """Units to buy (above 0) and sell (below 0) so that these names, `who` (N,), reach their target weights of E'.

    Whole units are cut towards zero. Where the other names leave too little cash, because they have no bar today or
    are within their tolerance, all that is bought is bought in the same smaller proportion.
    """
    worth = after_costs(book, target, who)
    units = np.divide(target * worth * SHAVE, book.price, out=book.units.copy(), where=who & (book.price > 0))
    change = _cut(np.where(who, _cut(units, book.whole) - book.units, 0.0), book.whole)
    value = change * book.price
    needed = float(value[value > 0].sum()) * (1 + book.rate)
    free = book.cash - float(value[value < 0].sum()) * (1 - book.rate)
    if needed > free:
        share = max(free, 0.0) / needed * SHAVE
        change = np.where(change > 0, _cut(change * share, book.whole), change)
    return change


def after_costs(book: Book, target: np.ndarray, who: np.ndarray) -> float:
    """E' = E - r · Σ|w·E' - v| over the names traded: a fixed point, since the costs depend on what is left of E.

    Raises ValueError where the costs could take all of it.
    """
    w, v, equity = target[who], book.value[who], book.equity
    if book.rate * float(np.abs(w).sum()) >= 1:
        raise ValueError(f"trading costs of {1e4 * book.rate:g} basis points leave nothing to invest")
    worth = equity
    for _ in range(200):  # contracts by r·Σ|w| a step: a few steps
        before, worth = worth, equity - book.rate * float(np.abs(w * worth - v).sum())
        if abs(worth - before) <= 1e-13 * abs(equity):
            break
    return worth


def _cut(units: np.ndarray, whole: bool) -> np.ndarray:
    return np.trunc(units) if whole else units
