"""Every name alike: the benchmark of a portfolio."""

from __future__ import annotations

import numpy as np

from rollcast.strategies.portfolio.base import PortfolioStrategy

IDLE = 0.005  # of equity: dividends that are put back


class EqualWeight(PortfolioStrategy):
    """Buys every name with a forecast at the same weight, whatever it says, and holds.

    Rebalanced only when a name gets its first forecast or has ended, to equal weights of those there are. Dividends
    paid in cash are put back into the names that paid them, once they are 0.5 % of the account.
    """

    def __init__(self) -> None:
        super().__init__()
        n = len(self.datas)
        self._members = np.zeros(n, bool)
        self._paid = np.zeros(n)  # dividends of each name that are not put back yet
        self._tolerances = np.zeros(n)

    def tolerances(self) -> np.ndarray:
        return self._tolerances

    def decide(self) -> np.ndarray | None:
        members = self.listed & ~np.isnan(self.forecasts)
        if (members == self._members).all():
            return self._with_dividends()
        self._members = members
        self._paid, self._tolerances = np.zeros(len(members)), np.zeros(len(members))
        return members / max(int(members.sum()), 1)

    def _with_dividends(self) -> np.ndarray | None:
        """The weights held, and what was paid on top, where that is enough and no name waits for its open."""
        if self.dividends.any():
            self._paid += self.held() * self.dividends
        if not self._paid.any() or (self.due & self.listed).any():
            return None
        share = self._paid / self.broker.getvalue()
        if share.sum() <= IDLE:
            return None
        self._paid = np.zeros(len(share))
        self._tolerances = np.where(share > 0, 0.0, 1.0)  # the others stay as they are
        return self.weights() + share
