"""A plugin's code, kept apart from the run: what it changes is put back, and what it raises is told from our errors."""

from __future__ import annotations

import copy
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from functools import wraps
from pathlib import Path
from types import TracebackType

import numpy as np
import pandas as pd

# Functions of a class in which it refuses a parameter: what they raise is a message, and no fault of the plugin.
REFUSING = ("__init__", "__post_init__", "check")
_FILES: set[str] = set()
_SAVED: dict[str, object] = {}


def remember(file: str | None) -> None:
    """Notes the source file of a plugin, or of the module that its entry point names."""
    if file:
        _FILES.add(file)


@contextmanager
def isolated() -> Iterator[None]:
    """Runs a plugin's code: afterwards the working directory, numpy's handling of errors, pandas' options and the
    warnings' filters are what they were, and a forked copy of this process ends.

    What it prints goes to standard error, so that nothing is between the lines of a command.
    """
    place, options, filters, shown = os.getcwd(), _options(), list(warnings.filters), warnings.showwarning
    with np.errstate(), redirect_stdout(sys.stderr), _no_copy():
        try:
            yield
        finally:
            if pd.options.d != options:
                pd.options.d.clear()
                pd.options.d.update(copy.deepcopy(options))
            if warnings.filters != filters:
                warnings.resetwarnings()  # this, and no assignment, makes Python forget what the filters decided
                warnings.filters[:] = filters  # type: ignore[index]
            warnings.showwarning = shown
            if not _is_here(place):
                os.chdir(place)


# What is called of a plugin. A strategy is called at every bar, where the settings of `isolated` would cost too much.
_ONCE = ("predict", "fit", "forecast")
_EVERY_BAR = ("decide", "observe", "opinion", "next", "next_open")


def guard(cls: type) -> None:
    """Isolates each call of a plugin's class: a copy of the process that it forks ends with the call, and not with the
    block around a hundred of them, in which each copy would fork again.
    """
    blocks = {**dict.fromkeys(_ONCE, isolated), **dict.fromkeys(_EVERY_BAR, _no_copy)}
    for one in cls.__mro__:
        for name in vars(one).keys() & blocks.keys():
            function = vars(one)[name]
            if (
                inspect.isfunction(function) and function.__code__.co_filename in _FILES
            ):  # a guarded one is of this file
                setattr(one, name, _within(blocks[name], function))


def _within(
    block: Callable[[], AbstractContextManager[None]], function: Callable[..., object]
) -> Callable[..., object]:
    @wraps(function)
    def call(*args: object, **kwargs: object) -> object:
        with block():
            return function(*args, **kwargs)

    return call


@contextmanager
def _no_copy() -> Iterator[None]:
    """Ends a copy of this process that was forked within the block."""
    process = os.getpid()
    try:
        yield
    finally:
        if os.getpid() != process:
            os._exit(1)


def _options() -> dict[str, object]:
    """A copy of pandas' options, made again only when they have changed: it takes 0.3 ms."""
    if pd.options.d != _SAVED:
        _SAVED.clear()
        _SAVED.update(copy.deepcopy(pd.options.d))
    return dict(_SAVED)


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
