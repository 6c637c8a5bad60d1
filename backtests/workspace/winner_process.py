"""A second process for the backtest of a sweep's winner.

It imports what a tear sheet needs while the points are traded, and runs the backtest while the sweep is judged.
"""

from __future__ import annotations

import _thread
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ...predictors.isolation import described, fault_of, with_notes
from .. import fresh_process
from ..pipeline.request import Request

# Starts a backtest with its tear sheet in a workspace; returns a function that waits for the run's folder.
Start = Callable[[Request, Path], Callable[[], Path]]
GRACE = 60.0  # seconds an interrupted run has to remove its files


def run_in_this_process(request: Request, out: Path) -> Callable[[], Path]:
    """A `Start` that runs the backtest in this process, when its folder is waited for."""
    from .workspace import backtest

    return lambda: backtest(request, out)[1]


@contextmanager
def second_process() -> Iterator[Start]:
    """A `Start` that runs backtests in a second process, which ends with the block or with this process.

    There too a run's folder appears whole or not at all. What a backtest raises is raised where it is waited for, and
    OSError where the second process has ended.
    """
    # A session of its own: Ctrl-C reaches this process alone, which then ends the other in an orderly way.
    command = fresh_process.command(__name__)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    requests, replies = process.stdin, process.stdout
    assert requests is not None  # a pipe
    assert replies is not None
    pending = 0

    def start(request: Request, out: Path) -> Callable[[], Path]:
        nonlocal pending
        pending += 1
        pickle.dump((request, out), requests)
        requests.flush()
        return wait

    def wait() -> Path:
        nonlocal pending
        try:
            reply = pickle.load(replies)
        except EOFError:
            raise OSError(f"the process of the winner's run ended with code {process.wait()}; run it again") from None
        pending -= 1
        if isinstance(reply, Exception):
            raise reply
        return reply

    try:
        yield start
    finally:
        if not pending:
            process.kill()
        requests.close()  # interrupts a run that has not ended, as `_read_requests` says
        _wait(process)
        replies.close()


def _wait(process: subprocess.Popen[bytes]) -> None:
    """Waits until the process has ended; kills it after GRACE."""
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def serve() -> None:
    """The main function of the second process: runs one request after another, and replies with folder or error."""
    replies = fresh_process.replies()
    # A shell's background job ignores Ctrl-C, and its children inherit that: _thread.interrupt_main would do nothing.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    requests: queue.Queue[tuple[Request, Path] | None] = queue.Queue()
    try:
        threading.Thread(target=_read_requests, args=(requests,), daemon=True).start()
        from ..sheet.performance import warm

        warm()
        while (request := requests.get()) is not None:
            pickle.dump(_reply(*request), replies)
            replies.flush()
    except (KeyboardInterrupt, BrokenPipeError):  # the first process has ended
        pass
    os._exit(0)


def _reply(request: Request, out: Path) -> Path | Exception:
    try:
        return run_in_this_process(request, out)()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # the first process raises it
        if fault_of(error):
            error.add_note(f"in the process of the winner's run:\n{traceback.format_exc()}")
        try:
            if isinstance(error, Exception) and isinstance(pickle.loads(pickle.dumps(error)), type(error)):
                return error
        except Exception:
            pass  # its class cannot be pickled; the message below still says what it was
        return with_notes(ValueError(f"{type(error).__name__}: {described(error)}"), error)


def _read_requests(requests: queue.Queue[tuple[Request, Path] | None]) -> None:
    """Queues the requests; interrupts the run in progress when the first process closes the pipe or ends."""
    try:
        while True:
            requests.put(pickle.load(sys.stdin.buffer))
    except EOFError:
        requests.put(None)
        _thread.interrupt_main()
        time.sleep(GRACE)
        os._exit(1)
