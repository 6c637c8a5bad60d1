"""GARCH(1,1) by maximum likelihood: how volatile each bar was expected to be, and paths of that.

Notation: e returns less their mean (n,), h variance per bar, σ = √h.
h[t] = ω + α e[t-1]² + β h[t-1], with e[-1]² = h[-1] = var(e).   -2 log L = Σ log 2πh + e²/h.
Source: Bollerslev (1986), Generalized autoregressive conditional heteroskedasticity, Journal of Econometrics 31(3).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

# α + β below 1, with a margin that keeps a path's variance within bounds.
PERSISTENCE = 0.9999
STARTS = tuple(itertools.product((0.02, 0.05, 0.1, 0.2), (0.8, 0.95, 0.99)))  # α, α + β


@dataclass(frozen=True)
class Garch:
    """A fitted law: `omega` in squared returns, `alpha`, `beta`."""

    omega: float
    alpha: float
    beta: float

    def variances(self, e: np.ndarray) -> np.ndarray:
        """h of every bar, given the returns less their mean."""
        return _variances(np.array([self.omega, self.alpha, self.beta]), e**2)

    def path(self, z: np.ndarray, first: float) -> np.ndarray:
        """σ of every bar of a path whose first is given and whose standardised returns are z."""
        omega, alpha, beta = self.omega, self.alpha, self.beta
        h, made = first**2, []
        for square in (z**2).tolist():
            made.append(h)
            h = omega + (alpha * square + beta) * h
        return np.sqrt(made)


def fitted(returns: np.ndarray) -> tuple[Garch, np.ndarray]:
    """The most likely law of these returns about their mean, and the σ it gives every bar; remembered.

    Raises ValueError for returns that do not vary.
    """
    return _fitted(returns.tobytes())


@lru_cache(maxsize=8)
def _fitted(values: bytes) -> tuple[Garch, np.ndarray]:
    from scipy.optimize import minimize

    returns = np.frombuffer(values)
    e = returns - returns.mean()
    scale = float(e.std())
    if scale <= 1e-12:
        raise ValueError("a GARCH cannot be fitted to returns that do not vary")
    squares = (e / scale) ** 2
    starts = [np.array([1 - both, alpha, both - alpha]) for alpha, both in STARTS]
    best = min(starts, key=lambda start: _loss(start, squares)[0])
    found = minimize(
        _loss,
        best,
        args=(squares,),
        jac=True,
        method="SLSQP",
        bounds=[(1e-8, 10.0), (0.0, 1.0), (0.0, 1.0)],
        constraints={
            "type": "ineq",
            "fun": lambda p: PERSISTENCE - p[1] - p[2],
            "jac": lambda p: np.array([0.0, -1.0, -1.0]),
        },
        options={"ftol": 1e-10, "maxiter": 500},
    )
    point = found.x if found.fun <= _loss(best, squares)[0] else best
    law = Garch(float(point[0]) * scale**2, float(point[1]), float(point[2]))
    return law, np.sqrt(law.variances(e))


def _variances(point: np.ndarray, squares: np.ndarray) -> np.ndarray:
    before = float(squares.mean())
    return _recursion(point[0] + point[1] * np.r_[before, squares[:-1]], point[2], before)


def _recursion(steps: np.ndarray, beta: float, before: float) -> np.ndarray:
    """y[t] = steps[t] + β y[t-1], y[-1] given."""
    from scipy.signal import lfilter

    return lfilter([1.0], [1.0, -beta], steps, zi=[beta * before])[0]


def _loss(point: np.ndarray, squares: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean of (log h + e²/h)/2, and its gradient in ω, α and β."""
    h, before = _variances(point, squares), squares.mean()
    steps = np.ones(len(h)), np.r_[before, squares[:-1]], np.r_[before, h[:-1]]
    slopes = np.stack([_recursion(step, point[2], 0.0) for step in steps])  # (3, n)
    weight = (1 - squares / h) / h
    return float(np.mean(np.log(h) + squares / h)) / 2, slopes @ weight / (2 * len(h))
