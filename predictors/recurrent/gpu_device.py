"""What training needs of a GPU: memory, a compiled kernel, and launches. Addresses are whole numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np


class Kernel(Protocol):
    """A compiled kernel on a GPU."""

    def launch(self, name: str, blocks: int, threads: int, shared: int, arguments: Sequence[Any]) -> None:
        """Starts a function with so many bytes of shared memory a block, and returns at once."""

    def resident(self, name: str, threads: int, shared: int) -> int:
        """How many such blocks the GPU runs at a time."""


class Device(Protocol):
    """A GPU. Its methods raise MemoryError where memory is too small, and RuntimeError for what else fails."""

    shared_memory: int  # bytes that a block can have

    def kernel(self, macros: Mapping[str, object]) -> Kernel:
        """The kernel, compiled with these macros of cpp/gpu/shape.h."""

    def free_memory(self) -> int:
        """Bytes."""

    def allocate(self, size: int) -> int:
        """The address of so many bytes, zero, of the GPU's memory."""

    def upload(self, array: np.ndarray) -> int:
        """The address of a copy of the array in the GPU's memory."""

    def shared_with_host(self, size: int) -> tuple[np.ndarray, int]:
        """So many bytes, zero, of memory that both can read and write: as the host's array, and the GPU's address."""

    def release(self) -> None:
        """Waits until nothing runs, and frees all memory."""

    def busy(self) -> bool:
        """Whether what was launched still runs."""
