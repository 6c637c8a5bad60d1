"""QuantStats' report drawn in a second process, which loads what that needs while the first one trains and trades."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pandas as pd

from ..fresh_process import command, replies
from .performance import Performance, performance, warm

# What `performance` takes; it returns a function that waits for the report.
Draw = Callable[..., Callable[[], Performance]]


def in_this_process(returns: pd.Series, benchmark: pd.Series, **words: Any) -> Callable[[], Performance]:
    """A `Draw` that draws when the report is waited for."""
    return partial(performance, returns, benchmark, **words)


@contextmanager
def second_process() -> Iterator[Draw]:
    """A `Draw` by a second process where there is a second core; the process ends with the block or with this one.

    The report is the same to the last byte. Where the second process has ended, this one draws. What `performance`
    raises is raised where the report is waited for.
    """
    if (os.cpu_count() or 1) < 2:
        yield in_this_process
        return
    # A session of its own: Ctrl-C reaches this process alone, which then ends the other.
    process = subprocess.Popen(command(__name__), stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    try:
        yield partial(_start, process)
    finally:
        process.kill()
        process.communicate()


def _start(
    process: subprocess.Popen[bytes], returns: pd.Series, benchmark: pd.Series, **words: Any
) -> Callable[[], Performance]:
    here = in_this_process(returns, benchmark, **words)
    assert process.stdin is not None  # a pipe
    try:
        pickle.dump((returns, benchmark, words), process.stdin)
        process.stdin.flush()
    except BrokenPipeError:
        return here

    def wait() -> Performance:
        try:
            reply = pickle.load(process.stdout)  # type: ignore[arg-type]  # a pipe
        except (EOFError, pickle.UnpicklingError):
            return here()
        if isinstance(reply, Exception):
            raise reply
        return reply

    return wait


def serve() -> None:
    """The main function of the second process: draws one report after another, until the first process ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = replies()
    with contextlib.suppress(EOFError, BrokenPipeError):
        warm()
        while True:
            returns, benchmark, words = pickle.load(sys.stdin.buffer)
            try:
                reply: object = performance(returns, benchmark, **words)
            except Exception as error:  # the first process raises it
                reply = error
            pickle.dump(reply, answers)
            answers.flush()
