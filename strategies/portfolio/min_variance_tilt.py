"""The quietest long-only portfolio, tilted towards the names with the better forecasts.

Notation: n names, T rows of returns x, Σ their covariance (n, n), σ̄² the mean of its diagonal, w weights, z forecasts
in standard deviations from the mean of the names.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from scipy.optimize import minimize

from ..rule import CalendarRule, Limits, State
from ..sizing import DUST

FEWEST = 30  # rows of returns from which a covariance is estimated


@dataclass
class MinVarianceTilt(CalendarRule):
    """w minimises w'Σw/(2σ̄²) - tilt · z'w/n, with Σw = `exposure` and 0 ≤ w ≤ `cap`.

    tilt:      were the names uncorrelated and equally volatile, a forecast one standard deviation above the mean would
               get so many equal weights more; 0 is the minimum-variance portfolio, whatever the forecasts.
    cap:       the largest weight; where n caps are less than `exposure`, the rest stays in cash.
    span:      dates of log returns from which Σ is estimated, shrunk by Ledoit and Wolf; dates on which one of the
               names has no bar are left out, and a name with bars on fewer than half of them is not held.
    exposure:  the sum of the weights.
    rebalance: bar, daily, weekly, monthly or quarterly: at the first close of each.

    References: Markowitz (1952), Journal of Finance 7(1); Ledoit & Wolf (2004), Journal of Multivariate Analysis 88(2);
    Jagannathan & Ma (2003), Journal of Finance 58(4), for why the bounds help.
    """

    rebalance: str = "monthly"
    tilt: float = 0.5
    cap: float = 0.2
    span: int = 250
    exposure: float = 1.0
    past: deque[np.ndarray] = field(init=False, repr=False)  # levels, NaN where a name has no bar
    limits: ClassVar[Limits] = {
        **CalendarRule.limits,
        "tilt": (0.0, math.inf),
        "cap": (0.0, 1.0),
        "span": (FEWEST, math.inf),
        "exposure": (0.0, 1.0),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        self.past = deque(maxlen=self.span + 1)

    def decide(self, state: State) -> np.ndarray | None:
        self.past.append(np.where(state.fresh, state.levels, np.nan))
        if not self.rebalances(state.date) or len(self.past) <= FEWEST:
            return None
        past = np.array(self.past)
        begun = np.isfinite(past).mean(axis=0) >= 0.5
        names = np.flatnonzero(state.listed & begun & ~np.isnan(state.forecasts))
        rows = past[np.isfinite(past[:, names]).all(axis=1)][:, names]
        if not len(names) or len(rows) <= FEWEST:
            return None
        self.mark(state.date)
        weights = np.zeros(len(past[0]))
        covariance = shrunk(np.diff(np.log(rows), axis=0))
        weights[names] = tilted(covariance, state.forecasts[names], self.tilt, self.cap, self.exposure)
        return weights


def shrunk(x: np.ndarray) -> np.ndarray:
    """Σ (n, n) = δ·m·I + (1-δ)·S: the sample covariance S of x (T, n) drawn towards its mean variance m.

    δ = min(b²/d², 1), d² = ‖S - mI‖², b² = Σ_t ‖x_t x_t' - S‖²/T²; Ledoit & Wolf (2004), lemmas 3.2 to 3.4.
    """
    x = x - x.mean(axis=0)
    rows, n = x.shape
    s = x.T @ x / rows
    m = np.trace(s) / n
    target = m * np.eye(n)
    d2 = float(((s - target) ** 2).sum())
    # Σ_t ‖x_t x_t' - S‖² = Σ_t (x_t'x_t)² - T‖S‖²
    b2 = (float(((x**2).sum(axis=1) ** 2).sum()) - rows * float((s**2).sum())) / rows**2
    delta = min(b2 / d2, 1.0) if d2 > 0 else 1.0
    return delta * target + (1 - delta) * s


def tilted(covariance: np.ndarray, forecast: np.ndarray, tilt: float, cap: float, exposure: float) -> np.ndarray:
    """The weights (n,) that minimise w'Σw/(2σ̄²) - tilt · z'w/n within the bounds; z is 0 where forecasts are equal.

    By SLSQP, from equal weights; raises ValueError where it finds none.
    """
    n = len(forecast)
    total = min(exposure, cap * n)
    q = covariance / (float(np.trace(covariance)) / n)
    deviation = float(forecast.std())
    pull = tilt / n * (forecast - forecast.mean()) / deviation if deviation > 0 else np.zeros(n)
    found = minimize(
        lambda w: 0.5 * w @ q @ w - pull @ w,
        np.full(n, total / n),
        jac=lambda w: q @ w - pull,
        bounds=[(0.0, cap)] * n,
        constraints={"type": "eq", "fun": lambda w: w.sum() - total, "jac": lambda w: np.ones(n)},
        method="SLSQP",
        options={"ftol": 1e-12, "maxiter": 500},
    )
    if not found.success:
        raise ValueError(f"no minimum-variance weights for {n} names: {found.message}")
    return np.where(found.x < DUST, 0.0, np.minimum(found.x, cap))
