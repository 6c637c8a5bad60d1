"""LSTM layers in one fused kernel for all steps, where FlashRNN and a GPU are available; a head is a window.

FlashRNN runs many heads at once, whose recurrent weights are the blocks of one block-diagonal matrix, so that they are
independent nets. The products of the inputs and the net's output layer stay with torch. Its speed on a GPU has not
been measured yet.

Its Triton kernels are used, for LSTMs of 16 or 32 units, in exact float32. Its GRU and vanilla net are CUDA sources
that are compiled for every number of windows; these cells, and other sizes, use `batched_net` alone.

Notation: C windows (heads), K steps, n samples, H hidden units, G = 4 H gates.
Reference: Pöppel, Beck & Hochreiter (2025), FlashRNN: I/O-Aware Optimization of Traditional RNNs on Modern Hardware,
ICLR.
"""

from __future__ import annotations

import os
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version

import torch

from .batched_net import Recurrence
from .jobs import CELLS, Plan

# Powers of two from 16 on; with 64 units the exact kernels spill 20 KB of registers (compiled for an H100).
SIZES = 16, 32
CAPABILITY = 8, 0
# Triton 3.9 removed the block pointers that FlashRNN 1.0.8 is written with.
TRITON = (3, 6), (3, 9)
# Its kernels index in 32 bits.
LARGEST_INDEX = 2**31 - 1


def recurrence(plan: Plan, device: torch.device) -> Recurrence | None:
    """The fused recurrence for the layers of this plan on this device; None where there is none."""
    if plan.cell != "lstm" or plan.hidden not in SIZES or device.type != "cuda":
        return None
    if not installed() or torch.cuda.get_device_capability(device) < CAPABILITY:
        return None
    # By default Triton rounds the factors of a product to ten bits; gradients must be exact to 1e-5.
    os.environ.setdefault("TRITON_F32_DEFAULT", "ieee")
    return partial(lstm, backend="triton_fused")


@cache
def installed() -> bool:
    """Whether FlashRNN is installed, with a version of Triton that it supports."""
    try:
        version("flashrnn")
        lowest, excluded = TRITON
        return lowest <= tuple(int(part) for part in version("triton").split(".")[:2]) < excluded
    except PackageNotFoundError:
        return False


def most_windows(plan: Plan, samples: int, steps: int) -> int:
    """How many windows of so many samples its kernels can index; they pad samples to a multiple of 16."""
    return max(1, LARGEST_INDEX // (-(-samples // 16) * 16 * (steps + 1) * CELLS["lstm"] * plan.hidden))


def lstm(inputs: torch.Tensor, w: torch.Tensor, _b: torch.Tensor, backend: str) -> list[torch.Tensor]:
    """The K hidden states (C, n, H) from the gates' inputs (C, K, n, G), biases included, and the weights (C, H, G)."""
    from flashrnn import flashrnn

    gates = CELLS["lstm"], w.shape[1]  # in torch's order: i, f, g, o
    states, _ = flashrnn(
        inputs.unflatten(3, gates).permute(2, 1, 3, 0, 4),  # (n, K, 4, C, H)
        w.unflatten(2, gates).permute(2, 0, 3, 1).contiguous(),  # (4, C, to H, from H)
        w.new_zeros(gates[0], len(w), gates[1]),
        function="lstm",
        backend=backend,
        dtype="float32",
    )  # (h and c, n, K, C, H)
    return list(states[0].permute(1, 2, 0, 3).unbind(0))
