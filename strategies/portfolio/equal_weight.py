"""Every name alike: the benchmark of a portfolio."""

from __future__ import annotations

import numpy as np

from strategies.portfolio.base import PortfolioStrategy


class EqualWeight(PortfolioStrategy):
    """Buys every name with a forecast at the same weight, whatever it says, and holds.

    Rebalanced only when a name gets its first forecast or has ended, to equal weights of those there are.
    """

    def __init__(self) -> None:
        super().__init__()
        self._members = np.zeros(len(self.datas), bool)

    def decide(self) -> np.ndarray | None:
        members = self.listed & ~np.isnan(self.forecasts)
        if (members == self._members).all():
            return None
        self._members = members
        return members / max(int(members.sum()), 1)
