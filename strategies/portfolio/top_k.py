"""The names with the best forecasts.

Notation: n names with a forecast, w target weights, w° the weights held at the close.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ..rule import CalendarRule, Limits, State

WEIGHTINGS = ("equal", "inverse_volatility")
WHOLE = 2.0  # Σ|w - w°| where all that was held is sold and as much bought


@dataclass
class TopK(CalendarRule):
    """Long the k names with the highest forecasts and, long-short, short the k with the lowest.

    k:            names on each side; all of them where there are fewer, half of them on each side of a long-short.
    short:        whether the lowest are sold short.
    weighting:    equal, or inverse_volatility: in proportion to 1/σ, σ² the exponential average of squared log returns.
    span:         bars over which σ² is averaged, α = 2/(span + 1).
    exposure:     the sum of the absolute weights, half of it on each side of a long-short.
    rebalance:    bar, daily, weekly, monthly or quarterly: at the first close of each.
    turnover_cap: the most that is bought and sold at one rebalance, over equity; where Σ|w - w°| is more, each weight
                  goes the same part of its way. From 2 on, which can replace the whole of the portfolio, there is none.

    Ties go to the name that comes first in the panel.

    Reference: Fischer & Krauss (2018), European Journal of Operational Research 270(2), section 3.4, for the ranking.
    """

    rebalance: str = "weekly"
    k: int = 5
    short: bool = False
    weighting: str = "equal"
    span: int = 60
    exposure: float = 1.0
    turnover_cap: float = WHOLE
    before: np.ndarray | None = field(default=None, init=False, repr=False)  # level of each name's bar before, (N,)
    variance: np.ndarray | None = field(default=None, init=False, repr=False)  # σ² (N,)
    limits: ClassVar[Limits] = {
        **CalendarRule.limits,
        "k": (1, math.inf),
        "span": (2, math.inf),
        "exposure": (0.0, 1.0),
        "turnover_cap": (0.0, math.inf),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.weighting not in WEIGHTINGS:
            raise ValueError(f"weighting must be one of {', '.join(WEIGHTINGS)}; got {self.weighting!r}")

    def decide(self, state: State) -> np.ndarray | None:
        self._average(state)
        ranked = self._ranked(state) if self.rebalances(state.date) else np.empty(0, int)
        if len(ranked) < (2 if self.short else 1):
            return None
        self.mark(state.date)
        n = len(state.closes)
        if self.short:
            k = min(self.k, len(ranked) // 2)
            sides = self._side(ranked[:k], n) - self._side(ranked[-k:], n)
            return self._capped(self.exposure / 2 * sides, state)
        return self._capped(self.exposure * self._side(ranked[: self.k], n), state)

    def _ranked(self, state: State) -> np.ndarray:
        """Names that can be traded, the highest forecast first."""
        known = state.listed & ~np.isnan(state.forecasts)
        if self.variance is not None:
            known &= self.variance > 0
        names = np.flatnonzero(known)
        return names[np.argsort(-state.forecasts[names], kind="stable")]

    def _side(self, chosen: np.ndarray, n: int) -> np.ndarray:
        """Weights of one side, (n,), which add up to 1; 0 for a name that is not chosen."""
        share = np.ones(len(chosen)) if self.variance is None else 1 / np.sqrt(self.variance[chosen])
        weights = np.zeros(n)
        weights[chosen] = share / share.sum()
        return weights

    def _capped(self, weights: np.ndarray, state: State) -> np.ndarray:
        """w° + min(1, cap/Σ|w - w°|) · (w - w°)."""
        if self.turnover_cap >= WHOLE:  # which weights that have drifted up exceed
            return weights
        before = state.weights
        turnover = float(np.abs(weights - before).sum())
        part = self.turnover_cap / turnover if turnover > self.turnover_cap else 1.0
        return weights if part == 1 else before + part * (weights - before)

    def _average(self, state: State) -> None:
        """One step of every name's σ², at its own bars; without one where the weights are equal."""
        if self.weighting == "equal":
            return
        nothing = np.full(len(state.levels), np.nan)
        before, variance = (nothing if past is None else past for past in (self.before, self.variance))
        with np.errstate(invalid="ignore"):
            squared = np.log(state.levels / before) ** 2
            step = np.where(np.isnan(variance), 1.0, 2 / (self.span + 1))
            moved = np.where(np.isnan(variance), 0.0, variance)
            moved = moved + step * (squared - moved)
        self.variance = np.where(state.fresh & ~np.isnan(squared), moved, variance)
        self.before = state.levels
