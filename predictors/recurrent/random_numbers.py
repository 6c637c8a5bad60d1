"""Counter-based random numbers: a number is a hash of its key and its position, whatever the order, thread or device.

Notation: k key of a stream of numbers, i position in it. The hash is SplitMix64's finaliser; cpp/random_numbers.h is
the same in C++.

Reference: Steele, Lea & Flood (2014), Fast Splittable Pseudorandom Number Generators, OOPSLA.
"""

from __future__ import annotations

import numpy as np

from .jobs import Plan

WEIGHTS, ORDER, DROPOUT = range(3)
_MASK = (1 << 64) - 1


def key(seed: int, stream: int) -> int:
    """The key of a stream of numbers of this seed; the seed may itself be a key."""
    return _mix_one((seed + (stream + 1) * 0xD1B54A32D192ED03) & _MASK)


def integers(k: int, i: np.ndarray) -> np.ndarray:
    """Uniform random integers (uint64) at the positions i, in the shape of i."""
    i = np.asarray(i, dtype=np.uint64)
    return _mix(np.uint64(k) + (i + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))


def uniform(k: int, i: np.ndarray) -> np.ndarray:
    """Uniform random numbers in [0, 1), multiples of 2⁻²⁴, at the positions i, in the shape of i.

    >>> [round(float(u), 4) for u in uniform(key(0, WEIGHTS), np.arange(3))]
    [0.117, 0.7307, 0.1535]
    """
    return (integers(k, i) >> np.uint64(40)) * 2.0**-24


def permutation(k: int, n: int) -> np.ndarray:
    """A random permutation of 0 … n - 1: the positions sorted by their random integers."""
    return np.argsort(integers(k, np.arange(n)), kind="stable")


def epoch_order(seed: int, epoch: int, n: int) -> np.ndarray:
    """The order of the n training samples in an epoch of a training with this seed."""
    return permutation(key(key(seed, ORDER), epoch), n)


def dropout_key(seed: int, update: int) -> int:
    """The key of dropout in one update of a training with this seed."""
    return key(key(seed, DROPOUT), update)


def masks(plan: Plan, starts: np.ndarray, steps: int, k: int) -> list[np.ndarray]:
    """Dropout masks for the inputs of every layer but the first, and of the head: 0, or 1/(1-p) for an input in use.

    starts: the row at which each of the n samples begins, which identifies it.

    Returns masks of shape (n, steps, D·H).
    """
    width = plan.directions * plan.hidden
    longest = plan.lookback - 1 + plan.stride  # steps of a sample
    positions = (starts[:, None, None] * longest + np.arange(steps)[:, None]) * width + np.arange(width)
    factor = 1 / (1 - plan.dropout)
    layers = range(1, plan.layers + 1)
    return [np.where(uniform(k, (layer << 40) + positions) < plan.dropout, 0.0, factor) for layer in layers]


def _mix(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _mix_one(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & _MASK
    return z ^ (z >> 31)
