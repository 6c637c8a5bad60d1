"""Every name alike: the benchmark of a portfolio."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..rule import Rule, State

IDLE = 0.005  # of equity: dividends that are put back


@dataclass
class EqualWeight(Rule):
    """Buys every name with a forecast at the same weight, whatever it says, and holds.

    Rebalanced only when a name gets its first forecast or has ended, to equal weights of those there are. Dividends
    paid in cash are put back into the names that paid them, once they are 0.5 % of the account.
    """

    members: np.ndarray | None = field(default=None, init=False, repr=False)  # (N,)
    paid: np.ndarray | None = field(default=None, init=False, repr=False)  # dividends not put back yet, (N,)
    bands: float | np.ndarray = field(default=0.0, init=False, repr=False)  # tolerances, (N,)

    def tolerances(self) -> float | np.ndarray:
        return self.bands

    def decide(self, state: State) -> np.ndarray | None:
        members = state.listed & ~np.isnan(state.forecasts)
        if self.members is not None and (members == self.members).all():
            return self._with_dividends(state)
        if self.members is None and not members.any():
            return None
        self.members, self.paid, self.bands = members, np.zeros(len(members)), 0.0
        return members / max(int(members.sum()), 1)

    def _with_dividends(self, state: State) -> np.ndarray | None:
        """The weights held, and what was paid on top, where that is enough and no name waits for its open."""
        assert self.paid is not None
        if state.dividends.any():
            self.paid = self.paid + state.units * state.dividends
        if not self.paid.any() or state.waiting.any():
            return None
        share = self.paid / state.equity
        if share.sum() <= IDLE:
            return None
        self.paid = np.zeros(len(share))
        self.bands = np.where(share > 0, 0.0, 1.0)  # the others stay as they are
        # No more than lies idle: costs may have taken some of what was paid.
        idle = max(1.0 - float(state.weights.sum()), 0.0)
        return state.weights + share * min(1.0, idle / float(share.sum()))
