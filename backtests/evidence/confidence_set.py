"""Which of several forecasts may be the best, given how their losses vary.

Notation: losses (n bars, k models), smaller is better; d̄ a model's mean loss less the mean of all in the set.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pandas as pd

from .bootstrap import block_length, drawn_counts
from .skill import equal_losses


def confidence_set(
    losses: pd.DataFrame, *, level: float = 0.90, draws: int = 1000, block: float | None = None, seed: int = 0
) -> pd.DataFrame:
    """The model confidence set: it holds the best model with the probability `level`, and whatever is not told from it.

    losses: bars × models, a column a model; block: mean block length of the bootstrap in bars, None chooses it

    Columns, by model: `loss`, its mean; `p`, the highest 1 - level at which the model is in the set; `included`.
    The worst model, by T_max = max d̄/sd(d̄) with sd from the bootstrap, is taken out and the rest tested again; a
    model's p is the highest of the tests up to the one that took it out.

    Hansen, Lunde & Nason (2011), The model confidence set, Econometrica 79(2).
    """
    x = _checked(losses)
    n = len(x)
    centred = x - x.mean(axis=0)
    if block is None:
        block = max(block_length(column) for column in (x - x.mean(axis=1, keepdims=True)).T)
    rng = np.random.default_rng(seed)
    means = [counts @ centred / n for counts in drawn_counts(n, block, draws, rng)]
    p = _p_values(x.mean(axis=0), np.concatenate(means))
    return pd.DataFrame({"loss": x.mean(axis=0), "p": p, "included": p >= 1 - level}, index=losses.columns)


def pairwise(losses: pd.DataFrame) -> pd.DataFrame:
    """Diebold and Mariano's statistic of every two models, one bar ahead, and its p alone and among all pairs.

    losses: bars × models. Columns `better`, `worse`, `statistic` (not negative), `p` (two-sided), `p_holm`, by p.

    p_holm: the largest of (m-j+1)·p over the pairs up to this one, the j-th smallest of m, at most 1. Holm (1979),
    Scandinavian Journal of Statistics 6(2). A pair that always loses the same has none.
    """
    x = _checked(losses)
    rows = []
    for a, b in combinations(np.argsort(x.mean(axis=0), kind="stable"), 2):
        statistic, p = equal_losses(x[:, b] - x[:, a])
        rows.append((losses.columns[a], losses.columns[b], statistic, p))
    table = pd.DataFrame(rows, columns=["better", "worse", "statistic", "p"])
    table = table.sort_values("p", kind="stable", ignore_index=True)
    tests = table["p"].count()
    steps = np.maximum(tests - np.arange(len(table)), 1)
    return table.assign(p_holm=(table["p"] * steps).cummax().clip(upper=1.0))


def _checked(losses: pd.DataFrame) -> np.ndarray:
    x = losses.to_numpy(float)
    n, k = x.shape
    if n < 2 or k < 2:
        raise ValueError(f"expected losses of two bars and two models or more, got {n} bars and {k} models")
    if not np.isfinite(x).all():
        wrong = losses.columns[~np.isfinite(x).all(axis=0)][0]
        raise ValueError(
            f"expected a finite loss at every bar, got {int((~np.isfinite(x)).sum())} others, as in {wrong!r}"
        )
    return x


def _p_values(loss: np.ndarray, drawn_means: np.ndarray) -> np.ndarray:
    """p of each model; loss (k,) mean losses, drawn_means (draws, k) those of the draws less those of the sample."""
    left = np.arange(len(loss))
    p, highest = np.ones(len(loss)), 0.0
    while len(left) > 1:
        chance = drawn_means[:, left] - drawn_means[:, left].mean(axis=1, keepdims=True)
        deviation = np.sqrt((chance**2).mean(axis=0))
        excess = loss[left] - loss[left].mean()
        rounding = 1e-14 * np.abs(loss).max()
        scale = np.where(deviation > rounding, deviation, math.inf)
        # Losses that differ by a constant leave nothing to chance.
        statistic = np.where((deviation <= rounding) & (excess > rounding), math.inf, excess / scale)
        highest = max(highest, float(np.mean((chance / scale).max(axis=1) >= statistic.max())))
        worst = int(statistic.argmax())
        p[left[worst]] = highest
        left = np.delete(left, worst)
    return p
