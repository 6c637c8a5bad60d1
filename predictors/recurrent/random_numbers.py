"""Random numbers as a hash of what they are for, so that any order, thread or device draws the same.

Notation: k key (what the numbers are for), i position. The hash is SplitMix64's finaliser (Steele, Lea & Flood 2014,
OOPSLA); cpp/random_numbers.h is its equal in C++.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rollcast.predictors.recurrent.jobs import Plan

WEIGHTS, ORDER, DROPOUT = range(3)
_MASK = (1 << 64) - 1


def key(seed: int, stream: int) -> int:
    """The key of one stream of numbers that belongs to this seed, which may itself be a key."""
    return _mix_one((seed + (stream + 1) * 0xD1B54A32D192ED03) & _MASK)


def draws(k: int, i: np.ndarray) -> np.ndarray:
    """A uint64 for every position, shape as `i`."""
    i = np.asarray(i, dtype=np.uint64)
    return _mix(np.uint64(k) + (i + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))


def uniform(k: int, i: np.ndarray) -> np.ndarray:
    """A number in [0, 1) for every position, a multiple of 2⁻²⁴.

    >>> [round(float(u), 4) for u in uniform(key(0, WEIGHTS), np.arange(3))]
    [0.117, 0.7307, 0.1535]
    """
    return (draws(k, i) >> np.uint64(40)) * 2.0**-24


def order(k: int, n: int) -> np.ndarray:
    """A permutation of 0 … n - 1: the positions in order of their draws."""
    return np.argsort(draws(k, np.arange(n)), kind="stable")


def epoch_order(seed: int, epoch: int, n: int) -> np.ndarray:
    """The order in which the n samples of a training with this seed are taken in an epoch."""
    return order(key(key(seed, ORDER), epoch), n)


def dropout_key(seed: int, update: int) -> int:
    """The key of the dropout of one update of a training with this seed."""
    return key(key(seed, DROPOUT), update)


def masks(plan: Plan, starts: np.ndarray, steps: int, k: int) -> list[np.ndarray]:
    """Dropout for every layer but the first, and the head: 0 or 1/(1-p) for each number it reads.

    Each mask has the shape (samples, steps, D·H); a sample is known by the row it starts at.
    """
    width = plan.directions * plan.hidden
    most = plan.lookback - 1 + plan.stride
    at = (starts[:, None, None] * most + np.arange(steps)[:, None]) * width + np.arange(width)
    kept = 1 / (1 - plan.dropout)
    layers = range(1, plan.layers + 1)
    return [np.where(uniform(k, (layer << 40) + at) < plan.dropout, 0.0, kept) for layer in layers]


def _mix(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _mix_one(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _MASK
    return z ^ (z >> 31)
