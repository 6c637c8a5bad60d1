"""A second Python process that a module of rollcast serves, over pipes."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO


def command(module: str) -> list[str]:
    """What starts a process that imports as this one does, and calls the `serve` of a module.

    Not `multiprocessing`, which would run the user's script again there.
    """
    return [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}; from {module} import serve; serve()"]


def replies() -> BinaryIO:
    """There: the pipe for the answers; what is printed from now on goes to standard error, and not among them."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return pipe
