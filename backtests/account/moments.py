"""The moments of the returns of many accounts, and the scores made of them.

`scores.return_scores` is the twin for one account. Notation: n bars, N accounts; r simple return per bar, x that less
what cash earned, c = r - mean(r).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from .scores import over_cash


@dataclass(frozen=True)
class Moments:
    """Of returns (n, N), each (N,).

    growth: ∏(1+r).   mean: of r.   second, third, fourth: Σc², Σc³, Σc⁴.   over: mean of x.
    over_second: Σ(x - over)².   below: Σ min(x, 0)².   drawdown: least of equity/its peak - 1.
    """

    growth: np.ndarray
    mean: np.ndarray
    second: np.ndarray
    third: np.ndarray
    fourth: np.ndarray
    over: np.ndarray
    over_second: np.ndarray
    below: np.ndarray
    drawdown: np.ndarray

    @classmethod
    def of(cls, returns: np.ndarray, cash: np.ndarray | float = 0.0) -> Moments:
        """Of returns (n, N); cash: what cash earned per bar, (n,)."""
        rows = np.ascontiguousarray(returns.T)  # along a row numpy adds as it does for one account
        over = over_cash(rows, np.asarray(cash, float))
        equity = np.cumprod(1 + rows, axis=1)
        peak = np.maximum(np.maximum.accumulate(equity, axis=1), 1.0)
        mean, over_mean = rows.mean(axis=1), over.mean(axis=1)
        c, x = rows - mean[:, None], over - over_mean[:, None]
        square = c * c
        return cls(
            *(equity[:, -1], mean, square.sum(axis=1), (square * c).sum(axis=1), (square * square).sum(axis=1)),
            *(over_mean, (x * x).sum(axis=1), (np.minimum(over, 0) ** 2).sum(axis=1)),
            (equity / peak - 1).min(axis=1),
        )

    def scores(self, n: int, bars_per_year: int) -> dict[str, np.ndarray]:
        """Every score of `return_scores`, (N,), from the moments of n bars."""
        yearly = np.sqrt(bars_per_year)
        spread = np.sqrt(self.second / n)
        scale = np.where(spread > 1e-15, spread, np.nan)
        with np.errstate(over="ignore"):  # a few bars of a large gain
            # One by one, as for one account: the power of an array differs from it in the last bit.
            cagr = np.array([one ** (bars_per_year / n) for one in self.growth]) - 1
        degrees = n - 1 if n > 1 else np.nan
        return {
            "total_return": self.growth - 1,
            "cagr": cagr,
            "volatility": np.sqrt(self.second / degrees) * yearly,
            "sharpe": ratio(self.over, np.sqrt(self.over_second / degrees)) * yearly,
            "sortino": ratio(self.over, np.sqrt(self.below / n)) * yearly,
            "max_drawdown": self.drawdown,
            "calmar": ratio(cagr, np.abs(self.drawdown)),
            "skew": self.third / n / scale**3,
            "kurtosis": self.fourth / n / scale**4,
        }


MOMENTS = tuple(field.name for field in fields(Moments))


def sharpe_columns(returns: np.ndarray, bars_per_year: int) -> np.ndarray:
    """The annualised Sharpe ratio of every column of returns (n, N), as `Moments.scores` has it."""
    mean = returns.mean(axis=0)
    centred = returns - mean
    deviation = np.sqrt(np.einsum("ij,ij->j", centred, centred) / (len(returns) - 1))
    return ratio(mean, deviation) * np.sqrt(bars_per_year)


def returns_of(equity: np.ndarray) -> np.ndarray:
    """Simple returns per bar, 0 at the first; -1 where the equity of a ruined account becomes NaN, and 0 after it."""
    returns = np.zeros(equity.shape)
    returns[1:] = equity[1:] / equity[:-1] - 1
    missing = np.isnan(equity)
    if missing.any():
        returns[missing] = 0.0
        ruined = missing.any(axis=0)
        returns[missing.argmax(axis=0)[ruined], np.flatnonzero(ruined)] = -1.0
    return returns


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """The quotients, NaN where the denominator is zero or only rounding."""
    return numerator / np.where(np.abs(denominator) > 1e-15, denominator, np.nan)
