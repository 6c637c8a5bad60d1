"""The strategy under test, and the markets of the checks on which it trades."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from ...predictors.checks.perturbations import eventful_market, provoking_market
from ...predictors.ema import EMA
from ...strategies.rule import Rule
from ...strategies.sizing import Ruined
from ..account.engine import Account
from ..account.hosts import Strategy, is_rule
from ..json_values import Parameters
from ..market.market import Market
from ..market.panel import Panel
from .trial import Trial

BARS, LONGEST = 300, 1200  # of a market; the longer one is for a strategy that makes no order on the shorter
WINDOW = 10  # of the forecasts, an EMA's
NAMES = 3  # of a market for a rule for many
ACCOUNT = Account(leverage=10)  # which refuses no weight that an account might allow


@dataclass(frozen=True)
class StrategySubject:
    """A strategy with its parameters, and what it trades on three markets: the predictors' own, with an EMA's forecast.

    A strategy that is ruined on a market is examined on the bars before.
    """

    strategy: Strategy
    parameters: Parameters

    @cached_property
    def trials(self) -> dict[str, Trial]:
        """Expression of a market → what was traded there. Raises what the strategy raises."""
        trials = self._trials(BARS)
        return trials if any(len(t.traded.orders) for t in trials.values()) else self._trials(LONGEST)  # type: ignore[union-attr]

    @property
    def many(self) -> bool:
        """Whether it is a rule for many names."""
        return is_rule(self.strategy, Rule)

    def _trials(self, n: int) -> dict[str, Trial]:
        markets = {f"eventful_market({n})": [eventful_market(n, seed) for seed in range(NAMES)]}
        for kind in ("by day", "by second"):
            same = provoking_market(n, kind)
            # Names that begin one after another.
            markets[f'provoking_market({n}, "{kind}")'] = [same.iloc[k * 10 :] for k in range(NAMES)]
        return {name: self._traded(bars) for name, bars in markets.items()}

    def _traded(self, bars: list[pd.DataFrame]) -> Trial:
        """What it traded on this market, or before it was ruined there."""
        names = {f"name{k}": one for k, one in enumerate(bars)}
        market = Market.of(Panel("names", names)) if self.many else Market.of(bars[0])
        series = {name: EMA(WINDOW).predict(one.model_bars) for name, one in market.loaded.items()}
        table = pd.DataFrame(series, index=market.panel.calendar)
        trial = Trial(self.strategy, self.parameters, market, table, ACCOUNT, ValueError())
        while isinstance(traded := trial.run(), Ruined):
            trial = trial.perturbed(int(trial.dates.searchsorted(pd.Timestamp(traded.date))), "cut off")
        if isinstance(traded, Exception):
            raise traded
        return Trial(self.strategy, self.parameters, trial.market, trial.table, trial.account, traded)
