"""The numbers of `random_numbers`, drawn on a device: the same bits, for many nets at once.

torch has no unsigned 64-bit products, so the hash is computed in signed integers, whose bits wrap the same way.

Notation: C nets, n samples, K steps, H units, D directions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from .jobs import Plan


def seeds(values: Sequence[int], device: torch.device) -> torch.Tensor:
    """Seeds below 2⁶⁴ as signed integers of the same bits, (C,)."""
    return torch.from_numpy(np.array(values, dtype=np.uint64).view(np.int64)).to(device)


def keys(seed: torch.Tensor, stream: int) -> torch.Tensor:
    """As `random_numbers.key`, for each seed (C,)."""
    return _mix(seed + _signed((stream + 1) * 0xD1B54A32D192ED03))


def integers(k: torch.Tensor, i: torch.Tensor) -> torch.Tensor:
    """As `random_numbers.integers`, in signed integers of the same bits: keys and positions are broadcast."""
    return _mix(k + (i + 1) * _signed(0x9E3779B97F4A7C15))


def permutations(k: torch.Tensor, n: int) -> torch.Tensor:
    """As `random_numbers.permutation`, for each key (C,): (C, n)."""
    unsigned = integers(k[:, None], torch.arange(n, device=k.device)) ^ _signed(
        1 << 63
    )  # in the order of unsigned ones
    return unsigned.argsort(dim=1, stable=True)


def masks(plan: Plan, starts: torch.Tensor, steps: int, k: torch.Tensor) -> list[torch.Tensor]:
    """As `random_numbers.masks`, for keys (C,) and the rows (C, n) at which samples begin: (C, n, K, D·H) each."""
    width, longest = plan.directions * plan.hidden, plan.lookback - 1 + plan.stride
    step, unit = (torch.arange(count, device=k.device) for count in (steps, width))
    positions = ((starts[:, :, None] * longest + step) * width)[..., None] + unit
    lowest = int(np.ceil(plan.dropout * 2**24))  # of a number's upper 24 bits, where it is kept
    factor = 1 / (1 - plan.dropout)
    return [
        (_shifted(integers(k[:, None, None, None], (layer << 40) + positions), 40) >= lowest) * factor
        for layer in range(1, plan.layers + 1)
    ]


def _mix(z: torch.Tensor) -> torch.Tensor:
    z = (z ^ _shifted(z, 30)) * _signed(0xBF58476D1CE4E5B9)
    z = (z ^ _shifted(z, 27)) * _signed(0x94D049BB133111EB)
    return z ^ _shifted(z, 31)


def _shifted(z: torch.Tensor, bits: int) -> torch.Tensor:
    """Shifted to the right as an unsigned integer is."""
    return torch.bitwise_right_shift(z, bits) & ((1 << (64 - bits)) - 1)


def _signed(value: int) -> int:
    """The signed 64-bit integer with the lowest 64 bits of this one."""
    value &= (1 << 64) - 1
    return value - (1 << 64) if value >> 63 else value
