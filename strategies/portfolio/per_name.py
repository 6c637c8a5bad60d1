"""A rule for one name, applied to every name of a portfolio."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..rule import NameRule, NameState, Rule, State


@dataclass
class PerName(Rule):
    """Each name is traded by a copy of a rule for one name, which owns an equal share of the account.

    rule: the weight of a name is what its copy wants, over the names that have a forecast; a name that comes or ends
          changes everybody's share. Its `tolerance` is in parts of the share.

    Raises TypeError for a rule that is not for one name.
    """

    rule: NameRule | None = None
    copies: list[NameRule] = field(default_factory=list, init=False, repr=False)
    targets: np.ndarray = field(default_factory=lambda: np.empty(0), init=False, repr=False)  # NaN without one, (N,)
    share: float = field(default=1.0, init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.rule, NameRule):
            raise TypeError(f"PerName needs rule=…, a NameRule; got {self.rule!r}")

    def tolerances(self) -> float:
        assert self.rule is not None
        return self.rule.tolerance * self.share

    def decide(self, state: State) -> np.ndarray | None:
        assert self.rule is not None
        if not self.copies:
            self.copies = [self.rule.fresh() for _ in state.closes]
            self.targets = np.full(len(self.copies), np.nan)
        members = state.listed & ~np.isnan(state.forecasts)
        share = 1 / max(int(members.sum()), 1)
        self._ask(state, state.equity * share)
        wanted = members & ~np.isnan(self.targets)
        if not wanted.any():
            return None
        self.share = share
        return np.where(wanted, self.targets, 0.0) * share

    def _ask(self, state: State, equity: float) -> None:
        """Asks the copy of each name with a bar."""
        columns = (state.forecasts, state.closes, state.growth, state.units)
        for i in np.flatnonzero(state.fresh).tolist():
            forecast, close, growth, units = (float(column[i]) for column in columns)
            target = self.copies[i].target(NameState(state.date, forecast, close, growth, units, equity))
            if target is not None:
                self.targets[i] = target
