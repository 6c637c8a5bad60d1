"""The names with the best forecasts.

Notation: n names with a forecast, w target weights, w° the weights held at the close.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from rollcast.strategies.portfolio.base import PortfolioStrategy, spread

WEIGHTINGS = ("equal", "inverse_volatility")
WHOLE = 2.0  # Σ|w - w°| where all that was held is sold and as much bought


class TopK(PortfolioStrategy):
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

    params: Any = (
        ("k", 5),
        ("short", False),
        ("weighting", "equal"),
        ("span", 60),
        ("exposure", 1.0),
        ("rebalance", "weekly"),
        ("turnover_cap", WHOLE),
    )
    limits: ClassVar = {
        **PortfolioStrategy.limits,
        "k": (1, math.inf),
        "span": (2, math.inf),
        "exposure": (0.0, 1.0),
        "turnover_cap": (0.0, math.inf),
    }

    @classmethod
    def check(cls, **parameters: Any) -> None:
        super().check(**parameters)
        if parameters["weighting"] not in WEIGHTINGS:
            raise ValueError(f"weighting must be one of {', '.join(WEIGHTINGS)}; got {parameters['weighting']!r}")

    def __init__(self) -> None:
        super().__init__()
        self._before = np.full(len(self.datas), np.nan)  # level of each name's bar before
        self._variance = np.full(len(self.datas), np.nan)  # σ² (N,)

    def decide(self) -> np.ndarray | None:
        self._average()
        ranked = self._ranked() if self.rebalances() else np.empty(0, int)
        if len(ranked) < (2 if self.p.short else 1):
            return None
        self.mark()
        n = len(self.datas)
        if self.p.short:
            k = min(self.p.k, len(ranked) // 2)
            sides = self._side(ranked[:k], n) - self._side(ranked[-k:], n)
            return self._capped(self.p.exposure / 2 * sides)
        return self._capped(self.p.exposure * self._side(ranked[: self.p.k], n))

    def _ranked(self) -> np.ndarray:
        """Names that can be traded, the highest forecast first."""
        known = self.listed & ~np.isnan(self.forecasts)
        if self.p.weighting != "equal":
            known &= self._variance > 0
        names = np.flatnonzero(known)
        return names[np.argsort(-self.forecasts[names], kind="stable")]

    def _side(self, chosen: np.ndarray, n: int) -> np.ndarray:
        """Weights of one side, which add up to 1."""
        share = np.ones(len(chosen)) if self.p.weighting == "equal" else 1 / np.sqrt(self._variance[chosen])
        return spread(chosen, share, n)

    def _capped(self, weights: np.ndarray) -> np.ndarray:
        """w° + min(1, cap/Σ|w - w°|) · (w - w°)."""
        if self.p.turnover_cap >= WHOLE:  # which held weights that have drifted up exceed
            return weights
        held = self.weights()
        turnover = float(np.abs(weights - held).sum())
        return weights if turnover <= self.p.turnover_cap else held + self.p.turnover_cap / turnover * (weights - held)

    def _average(self) -> None:
        """One step of every name's σ², at its own bars."""
        if self.p.weighting == "equal":
            return
        with np.errstate(invalid="ignore"):
            squared = np.log(self.levels / self._before) ** 2
            step = np.where(np.isnan(self._variance), 1.0, 2 / (self.p.span + 1))
            moved = np.where(np.isnan(self._variance), 0.0, self._variance)
            moved = moved + step * (squared - moved)
        self._variance = np.where(self.fresh & ~np.isnan(squared), moved, self._variance)
        self._before = self.levels
