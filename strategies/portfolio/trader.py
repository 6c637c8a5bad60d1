"""What a rule for many names is told at each close, and what it orders at each open: without an engine.

Notation: N names.
"""

from __future__ import annotations

import datetime

import numpy as np

from ..rule import Rule, State
from ..sizing import Book, changes, refuse_leverage
from .calendar import BAR, ENDED, UNLISTED
from .per_name import PerName


class Trader:
    """A rule for many names, its targets, and which of them have not been traded to.

    target:    the weights wanted, (N,).   due: names whose target has not been traded to, (N,).
    leverage:  the most that the absolute weights may add up to.
    too_small: targets that could not be reached because one whole unit costs too much.
    """

    def __init__(self, rule: Rule, n: int, leverage: float = 1.0) -> None:
        self.rule, self.leverage = rule, leverage
        self.target, self.due = np.zeros(n), np.zeros(n, bool)
        self.too_small = 0
        self._forecasts, self.closes = np.full(n, np.nan), np.full(n, np.nan)
        self._returned = np.ones(n)  # levels over closes

    def close(
        self,
        date: datetime.datetime,
        status: np.ndarray,
        forecasts: np.ndarray,
        closes: np.ndarray,
        dividends: np.ndarray,
        splits: np.ndarray,
        units: np.ndarray,
        cash: float,
    ) -> None:
        """Tells the rule what is known at this close; all but `date` and `cash` are (N,).

        status: UNLISTED, BAR, PAUSED or ENDED.   dividends, splits: of this bar; 0 and 1 where there are none.

        Raises ValueError for weights that are not (N,), or of which one of a listed name is NaN, and for weights beyond
        the leverage of the account.
        """
        fresh, before = status == BAR, self.closes
        listed = (status != UNLISTED) & (status != ENDED)
        every = fresh.all()
        self._forecasts = forecasts if every else np.where(fresh, forecasts, self._forecasts)
        self.closes = closes if every else np.where(fresh, closes, before)
        acted = (dividends != 0) | (splits != 1)
        worth = closes
        if acted.any():
            worth = closes * splits + dividends
            self._returned = np.where(acted, self._returned * (splits + dividends / self.closes), self._returned)
        growth = worth / before if every else np.divide(worth, before, out=np.full(len(before), np.nan), where=fresh)
        state = State(
            *(date, self._forecasts, self.closes, growth, self.closes * self._returned, dividends),
            *(fresh, listed, self.due & listed, units, cash),
        )
        _freeze(state)
        decision = self.rule.decide(state)
        if decision is not None:
            if np.shape(decision) != listed.shape:
                raise ValueError(f"{self._name} gave weights of shape {np.shape(decision)}, not {listed.shape}")
            target = np.where(listed, decision, 0.0)
            gross = float(np.abs(target).sum())
            if not gross <= 1:  # NaN too
                present = float(np.maximum(np.sign(target) * state.weights, 0.0).sum())
                refuse_leverage(self._name, gross, self.leverage, present, date)
            self.target, self.due = target, listed.copy()

    @property
    def _name(self) -> str:
        rule = self.rule.rule if isinstance(self.rule, PerName) else self.rule
        return type(rule).__name__

    def opening(self, status: np.ndarray, units: np.ndarray) -> bool:
        """Whether anything can be traded at this open: a target is due, or a position's name has ended."""
        return bool((self.due & (status == BAR)).any() or ((status == ENDED) & (units != 0)).any())

    def order(self, status: np.ndarray, opens: np.ndarray, book: Book) -> np.ndarray:
        """Units to buy (above 0) and sell (below 0) at this open, (N,); a name that has ended is given up.

        opens: whether the name has a bar, and `book.price` is its open, (N,). Raises as `sizing.changes`.
        """
        over = (status == ENDED) & (book.units != 0)
        self.target = np.where(over, 0.0, self.target)
        size, traded = changes(book, self.target, (self.due & opens) | over, self.rule.tolerances())
        self.due = self.due & ~opens
        self.too_small += int(np.sum(traded & (book.units == 0) & (size == 0)))
        return size


def _freeze(state: State) -> None:
    """Makes the arrays of a state read-only: the account and later closes use them too."""
    for name in ("forecasts", "closes", "growth", "levels", "dividends", "fresh", "listed", "waiting", "units"):
        getattr(state, name).flags.writeable = False
