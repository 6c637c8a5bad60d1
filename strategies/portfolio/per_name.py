"""A rule for one name, applied to every name of a portfolio."""

from __future__ import annotations

from typing import Any

import numpy as np

from rollcast.strategies.base import ForecastStrategy
from rollcast.strategies.portfolio.base import PortfolioStrategy
from rollcast.strategies.portfolio.feed import BAR


class PerName(PortfolioStrategy):
    """Each name is traded by a copy of a rule for one name, which owns an equal share of the account.

    rule:       a `ForecastStrategy`: the weight of a name is what its copy wants to hold, over the names that have a
                forecast; a name that comes or ends changes everybody's share.
    parameters: the rule's; its `tolerance` is in parts of the share.

    A rule is asked only what it decides at its closes (`next`, `decide`); sizing and orders are the portfolio's.
    """

    params: Any = (("rule", None), ("parameters", None))

    def __init__(self) -> None:
        super().__init__()
        rule, parameters = self.p.rule, dict(self.p.parameters or {})
        if not (isinstance(rule, type) and issubclass(rule, ForecastStrategy)):
            raise TypeError(f"PerName needs rule=…, a ForecastStrategy; got {rule!r}")
        self._copies = [_seated(rule, parameters, data) for data in self.datas]
        self._share = 1.0

    def tolerances(self) -> float:
        return self._copies[0].p.tolerance * self._share

    def next(self) -> None:
        for copy, status in zip(self._copies, self._columns["status"], strict=True):
            if status[0] == BAR:
                copy.next()
        super().next()

    def decide(self) -> np.ndarray | None:
        members = self.listed & ~np.isnan(self.forecasts)
        targets = [None if copy.target is None else float(copy.target) for copy in self._copies]
        wanted = members & np.array([target is not None for target in targets])
        if not wanted.any():
            return None
        self._share = 1 / int(members.sum())
        return np.where(wanted, np.array([target or 0.0 for target in targets]), 0.0) * self._share


def _seated(rule: type[ForecastStrategy], parameters: dict[str, Any], data: Any) -> ForecastStrategy:
    """A copy of the rule that reads this feed, made past backtrader, which would tie it to the first one and run it."""
    copy = object.__new__(rule)
    copy.p = copy.params = rule.params()
    for name, value in parameters.items():
        setattr(copy.p, name, value)
    copy.data, copy.datas = data, [data]
    copy.__init__()  # type: ignore[misc]
    return copy
