"""GARCH(1,1) by maximum likelihood: the conditional volatility of every bar, and simulated paths of it.

Notation: e returns less their mean (n,), h variance per bar, σ = √h.
h[t] = ω + α e[t-1]² + β h[t-1], with e[-1]² = h[-1] = var(e).   -2 log L = Σ log 2πh + e²/h.
Source: Bollerslev (1986), Generalized autoregressive conditional heteroskedasticity, Journal of Econometrics 31(3).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

PERSISTENCE = 0.9999  # largest α + β; below 1, so that the variance of a path stays finite
# Pairs of α and α + β from which the best start of the optimizer is taken.
STARTS = tuple(itertools.product((0.02, 0.05, 0.1, 0.2), (0.8, 0.95, 0.99)))


@dataclass(frozen=True)
class Garch:
    """The parameters of a GARCH(1,1): `omega` in squared returns per bar, `alpha`, `beta`."""

    omega: float
    alpha: float
    beta: float

    def variances(self, e: np.ndarray) -> np.ndarray:
        """h of every bar, (n,), from the returns less their mean."""
        return _variances(np.array([self.omega, self.alpha, self.beta]), e**2)

    def path(self, z: np.ndarray, first: float) -> np.ndarray:
        """σ of every bar of a simulated path, (n,): z its standardised returns (n,), `first` its first σ."""
        omega, alpha, beta = self.omega, self.alpha, self.beta
        h, variances = first**2, []
        for square in (z**2).tolist():
            variances.append(h)
            h = omega + (alpha * square + beta) * h
        return np.sqrt(variances)


def fit(returns: np.ndarray) -> tuple[Garch, np.ndarray]:
    """The maximum likelihood fit to these returns (n,) about their mean, and its σ of every bar (n,); cached.

    Raises ValueError for returns that do not vary.
    """
    return _fit(returns.tobytes())


@lru_cache(maxsize=8)
def _fit(values: bytes) -> tuple[Garch, np.ndarray]:
    from scipy.optimize import minimize

    returns = np.frombuffer(values)
    e = returns - returns.mean()
    scale = float(e.std())
    if scale <= 1e-12:
        raise ValueError("a GARCH cannot be fitted to returns that do not vary")
    squares = (e / scale) ** 2
    starts = [np.array([1 - both, alpha, both - alpha]) for alpha, both in STARTS]
    best = min(starts, key=lambda start: _loss(start, squares)[0])
    optimum = minimize(
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
    point = optimum.x if optimum.fun <= _loss(best, squares)[0] else best
    garch = Garch(float(point[0]) * scale**2, float(point[1]), float(point[2]))
    return garch, np.sqrt(garch.variances(e))


def _variances(point: np.ndarray, squares: np.ndarray) -> np.ndarray:
    initial = float(squares.mean())
    return _recursion(point[0] + point[1] * np.r_[initial, squares[:-1]], point[2], initial)


def _recursion(steps: np.ndarray, beta: float, initial: float) -> np.ndarray:
    """y[t] = steps[t] + β y[t-1] from y[-1] = initial."""
    from scipy.signal import lfilter

    return lfilter([1.0], [1.0, -beta], steps, zi=[beta * initial])[0]


def _loss(point: np.ndarray, squares: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean of (log h + e²/h)/2, and its gradient in ω, α and β."""
    h, initial = _variances(point, squares), squares.mean()
    steps = np.ones(len(h)), np.r_[initial, squares[:-1]], np.r_[initial, h[:-1]]
    derivatives = np.stack([_recursion(step, point[2], 0.0) for step in steps])  # of h, (3, n)
    weight = (1 - squares / h) / h
    return float(np.mean(np.log(h) + squares / h)) / 2, derivatives @ weight / (2 * len(h))
