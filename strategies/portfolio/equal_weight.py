"""Every name alike: the benchmark of a portfolio."""

from __future__ import annotations

import numpy as np

from strategies.portfolio.base import PortfolioStrategy


IDLE = 0.005  # of equity: dividends that are put back


class EqualWeight(PortfolioStrategy):
    """Buys every name with a forecast at the same weight, whatever it says, and holds.

    Rebalanced only when a name gets its first forecast or has ended, to equal weights of those there are. Dividends
    that were paid in cash are put back into all names, as they are held, once they are 0.5 % of the account.
    """

    def __init__(self) -> None:
        super().__init__()
        self._members = np.zeros(len(self.datas), bool)
        self._paid = 0.0  # dividends since the last order

    def decide(self) -> np.ndarray | None:
        members = self.listed & ~np.isnan(self.forecasts)
        if (members == self._members).all():
            return self._with_dividends()
        self._members, self._paid = members, 0.0
        return members / max(int(members.sum()), 1)

    def _with_dividends(self) -> np.ndarray | None:
        """The weights held, adding up to 1, where enough was paid and no name waits for its first open."""
        if self.dividends.any():
            self._paid += float(self.held() @ self.dividends)
        if not self._paid or self.due.any() or self._paid <= IDLE * self.broker.getvalue():
            return None
        self._paid = 0.0
        weights = self.weights()
        return weights / weights.sum()
