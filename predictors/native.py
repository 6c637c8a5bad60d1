"""What the compiled libraries share: where they are, and how many threads they run on."""

from __future__ import annotations

import ctypes
import os
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path


def library_at(folder: Path, name: str) -> ctypes.CDLL | None:
    """The shared library of this name in a folder; None where it was not built."""
    path = folder / f"{name}{EXTENSION_SUFFIXES[-1]}"  # the plain suffix, .so or .pyd: one serves every Python
    return ctypes.CDLL(str(path)) if path.is_file() else None


def workers() -> int:
    """How many threads or trainings run at a time: the environment's ROLLCAST_THREADS, else the processors available.

    Raises ValueError where ROLLCAST_THREADS is no whole number.
    """
    threads = os.environ.get("ROLLCAST_THREADS")
    if threads:
        return max(1, int(threads))
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
