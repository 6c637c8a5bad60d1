"""From target weights to orders that the cash always pays for: one rule for one name and for many.

Notation: w target weight, v value held, E equity, r the cost of trading as a fraction of the value traded, N names.
E' is what is left of E once all orders are paid:

    E' = E - r · Σ|w·E' - v|,   so   E' = (E + r · Σ s·v) / (1 + r · Σ s·w)

where s is 1 for a name that is bought and -1 for one that is sold. For one name s is the sign of w·E - v.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

SHAVE = 1 - 1e-9  # an order for the whole of the cash must stay affordable after rounding
DUST = 1e-6  # of equity: a difference in weight that is no trade
ROUNDING = 1e-9  # by which weights may exceed what the account may hold
COLLATERAL = 0.5  # cash kept back for the shorts, over their value: it pays their borrow cost and dividends

Number = TypeVar("Number", float, np.ndarray)


class Ruined(ValueError):
    """The account is wiped out: nothing would be left once every position was closed.

    date: of the open or close.   equity: what would be left, in the currency of the prices.
    """

    def __init__(self, date: datetime.datetime, equity: float) -> None:
        super().__init__(date, equity)
        self.date, self.equity = date, equity

    def __str__(self) -> str:
        return f"the account was wiped out on {self.date:%Y-%m-%d}: equity {self.equity:.2f}. Trade smaller"


def refuse_leverage(rule: str, gross: float, leverage: float, present: float, date: datetime.datetime) -> None:
    """Raises ValueError where the absolute weights a rule wants add up to more than the account may hold, or to NaN.

    present: the absolute weights held on the side that is wanted. As much is forgiven, since prices may have carried
    them there, and so is rounding.
    """
    if math.isnan(gross):
        raise ValueError(f"{rule} wants a weight that is not a number on {date:%Y-%m-%d}; None keeps the last one")
    if gross > max(leverage, present) * (1 + ROUNDING):
        raise ValueError(
            f"{rule} wants weights of {gross:.6g} times the equity on {date:%Y-%m-%d}, and the account may hold "
            f"{leverage:g}; make them smaller, or allow it with --leverage"
        )


def cost_rate(commission: Number, slippage: Number) -> Number:
    """r: the cost of buying, as a fraction of the value at the open; of both fractions. Selling costs no more."""
    return (1 + slippage) * (1 + commission) - 1


@dataclass(frozen=True)
class Book:
    """What the account holds at an open, (N,); the price of a name without a bar is its last close.

    cash:  in the currency of the prices.   rate: r.   whole: whether units must be whole.
    today: the date and time of this open.   leverage: the most that absolute weights may add up to; beyond 1, cash is
    borrowed.
    """

    units: np.ndarray
    price: np.ndarray
    cash: float
    rate: float
    whole: bool
    today: Callable[[], datetime.datetime]
    leverage: float = 1.0

    @property
    def value(self) -> np.ndarray:
        """v, (N,)."""
        return self.units * self.price

    @property
    def equity(self) -> float:
        """E."""
        return self.cash + float(self.value.sum())


def change_of_one(
    units: float,
    price: float,
    cash: float,
    rate: float,
    whole: bool,
    target: float,
    tolerance: float,
    today: Callable[[], datetime.datetime],
) -> float | None:
    """Units to buy (above 0) or sell (below 0) so that one name reaches its target weight; None for no trade.

    The same to the last bit as `changes` for a panel of one name. 0 means that a trade is due, but that one whole unit
    is too large a step. Raises Ruined.
    """
    value = units * price
    equity = cash + value
    left = after_closing(equity, abs(value), rate)
    if left <= 0:
        raise Ruined(today(), left)
    closing = target == 0 and units != 0
    if not closing and abs(target - value / equity) <= max(tolerance, DUST):
        return None
    wanted = units_for(target, after_costs_of_one(target, value, equity, rate), price)
    return (math.trunc(wanted) if whole else wanted) - units


def changes(
    book: Book, target: np.ndarray, due: np.ndarray, tolerance: float | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Units to buy (above 0) and sell (below 0) so that the names `due` reach their target weights of E', both (N,).

    target, due: (N,).   tolerance: one number or (N,): a name is traded where its weight is further than this, and than
    DUST, from its target, or where the target is 0.

    Whole units are cut towards zero. Where the other names leave too little cash, because they have no bar today or
    are within their tolerance, all that is bought is bought in the same smaller proportion. Returns the units, and
    which names a trade was due for, (N,). Raises Ruined, and ValueError where costs could take all there is.
    """
    value, equity = book.value, book.equity
    left = after_closing(equity, float(np.abs(value).sum()), book.rate)
    if left <= 0:
        raise Ruined(book.today(), left)
    far = np.abs(target - value / equity) > np.maximum(tolerance, DUST)
    traded = due & (far | ((target == 0) & (book.units != 0)))
    worth = after_costs(target[traded], value[traded], equity, book.rate)
    wanted = units_for(target[traded], worth, book.price[traded])
    change = np.zeros(len(target))
    change[traded] = (np.trunc(wanted) if book.whole else wanted) - book.units[traded]
    return _affordable(book, change, (book.leverage - 1) * worth), traded


def after_closing(equity: Number, gross: Number, rate: Number) -> Number:
    """E - r·Σ|v|: what would be left once every position was closed; `gross` is Σ|v|."""
    return equity - rate * gross


def after_costs_of_one(weight: Number, value: Number, equity: Number, rate: Number) -> Number:
    """E' of one name, or of many accounts of one name each."""
    side = 2.0 * (weight * equity >= value) - 1.0
    return (equity + rate * (side * value)) / (1.0 + rate * (side * weight))


def after_costs(weight: np.ndarray, value: np.ndarray, equity: float, rate: float) -> float:
    """E' of the names traded, w and v (K,), which is exact once their sides are those at E' itself.

    Newton's method on a convex function of straight pieces, begun at E: it reaches the piece of the root in at most K
    steps, and for one name in one.

    Raises ValueError where the costs could take all of it.
    """
    worth, sides = equity, np.zeros(len(weight))
    for _ in range(len(weight)):
        before, sides = sides, np.where(weight * worth >= value, 1.0, -1.0)
        if (before == sides).all():
            break
        slope = 1.0 + rate * float((sides * weight).sum())
        if slope <= 0:
            raise ValueError(f"trading costs of {1e4 * rate:g} basis points leave nothing to invest")
        worth = (equity + rate * float((sides * value).sum())) / slope
    return worth


def units_for(weight: Number, worth: Number, price: Number) -> Number:
    """Units that make up a weight of `worth` at this price."""
    return weight * worth / price * SHAVE


def _affordable(book: Book, change: np.ndarray, credit: float) -> np.ndarray:
    """The same changes, (N,), with what is bought made smaller where the cash does not suffice.

    A share x of what is bought must leave COLLATERAL of the value of the shorts that remain:
    C - x·(1 + r)·(B + L) ≥ COLLATERAL · (S - x·B), for C the cash and the credit and S the shorts after the sales, B
    what is bought back of S and L what is bought beyond.
    """
    value = change * book.price
    after_sales = book.value + np.minimum(value, 0.0)
    bought = np.maximum(value, 0.0)
    back = np.minimum(bought, np.maximum(-after_sales, 0.0))
    free = book.cash + credit - float(value[value < 0].sum()) * (1 - book.rate)
    free -= COLLATERAL * float(np.maximum(-after_sales, 0.0).sum())
    needed = float(bought.sum()) * (1 + book.rate) - COLLATERAL * float(back.sum())
    free = max(free, 0.0)
    if needed <= free:
        return change
    smaller = change * (free / needed * SHAVE)
    return np.where(change > 0, np.trunc(smaller) if book.whole else smaller, change)
