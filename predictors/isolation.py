"""A plugin's code, kept apart from the run: what it changes is put back, and what it raises is told from our errors."""

from __future__ import annotations

import copy
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import TracebackType

import numpy as np
import pandas as pd

# Functions of a class in which it refuses a parameter: what they raise is a message, and no fault of the plugin.
REFUSING = ("__init__", "__post_init__", "check")
_FILES: set[str] = set()


def remember(file: str | None) -> None:
    """Notes the source file of a plugin, or of the module that its entry point names."""
    if file:
        _FILES.add(file)


@contextmanager
def isolated() -> Iterator[None]:
    """Runs a plugin's code: afterwards the working directory, numpy's handling of errors, pandas' options and the
    warnings' filters are what they were. A forked copy of this process ends here, and not before: one that goes on to
    call the plugin, as the gate does, forks again.

    What it prints goes to standard error, so that nothing is between the lines of a command.
    """
    place, process, options = os.getcwd(), os.getpid(), copy.deepcopy(pd.options.d)
    with warnings.catch_warnings(), np.errstate(), redirect_stdout(sys.stderr):
        try:
            yield
        finally:
            if os.getpid() != process:
                os._exit(1)
            if pd.options.d != options:
                pd.options.d.clear()
                pd.options.d.update(options)
            if not _is_here(place):
                os.chdir(place)


def _is_here(place: str) -> bool:
    try:
        return os.getcwd() == place
    except FileNotFoundError:  # it was removed
        return False


def fault_of(error: BaseException) -> tuple[BaseException, TracebackType] | None:
    """The error in a chain of causes that a plugin's code raised, with its traceback from there on.

    None where no plugin had a part in it, and where a class has refused a parameter.
    """
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        trace = one.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename not in _FILES:
            trace = trace.tb_next
        if trace is not None:
            refused = trace.tb_frame.f_code.co_name in REFUSING and isinstance(one, ValueError | TypeError)
            return None if refused else (one, trace)
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return None


def described(error: BaseException, most: int = 500) -> str:
    """The message of an error in one line of at most so many letters, whatever its `__str__` does."""
    try:
        text = " ".join(str(error).split())
    except BaseException as failure:
        if isinstance(failure, KeyboardInterrupt):
            raise
        text = f"its message cannot be shown, for {type(failure).__name__} was raised by it"
    return text if len(text) <= most else f"{text[: most - 1]}…"


def with_notes(error: Exception, other: BaseException) -> Exception:
    """The error with the notes of another, which it stands for."""
    for note in getattr(other, "__notes__", ()):
        error.add_note(note)
    return error


def file_of(trace: TracebackType) -> Path:
    """The file of the plugin at the head of a traceback of `fault_of`."""
    return Path(trace.tb_frame.f_code.co_filename)
