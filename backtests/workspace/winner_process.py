"""A second process that makes the winner's run: loaded while the sweep trades, at work while the sweep is judged."""

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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rollcast.backtests.pipeline.request import Request

# Begins to make a run with its sheet in a workspace; what it returns waits for the run's folder.
Begin = Callable[[Request, Path], Callable[[], Path]]
PATIENCE = 60.0  # seconds to clear away a run that was interrupted

# Not `multiprocessing`, which would run the caller's script again.
_SERVE = "import sys; sys.path[:] = {path!r}; from rollcast.backtests.workspace.winner_process import serve; serve()"


def here(request: Request, out: Path) -> Callable[[], Path]:
    """Makes the run in this process, when its folder is waited for."""
    from rollcast.backtests.workspace.workspace import backtest

    return lambda: backtest(request, out)[1]


@contextmanager
def aside() -> Iterator[Begin]:
    """Makes runs in a process of its own, which ends with this block, and with this process however it ends.

    A run's folder appears whole or not at all there too. What is raised there is raised by the waiting.
    """
    command = [sys.executable, "-c", _SERVE.format(path=sys.path)]
    # Out of the terminal's Ctrl-C, which ends this process, which ends that one.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdin is not None  # a pipe
    assert process.stdout is not None
    asked, answers, waited = process.stdin, process.stdout, [0]

    def begin(request: Request, out: Path) -> Callable[[], Path]:
        waited[0] += 1
        pickle.dump((request, out), asked)
        asked.flush()
        return answer

    def answer() -> Path:
        try:
            found = pickle.load(answers)
        except EOFError:
            raise OSError(f"the process of the winner's run ended with code {process.wait()}; run it again") from None
        waited[0] -= 1
        if isinstance(found, Exception):
            raise found
        return found

    try:
        yield begin
    finally:
        if not waited[0]:
            process.kill()
        asked.close()  # at which a run is interrupted
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        answers.close()


def serve() -> None:
    """What the other process does: loads what a sheet needs, and makes and answers what it is asked for."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever is printed is no answer
    # A shell's background job ignores Ctrl-C, and so does all it starts; there _thread.interrupt_main does nothing.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    requests: queue.Queue[Any] = queue.Queue()
    try:
        threading.Thread(target=_listen, args=(requests,), daemon=True).start()
        from rollcast.backtests.sheet.performance import warm

        warm()
        while (asked := requests.get()) is not None:
            pickle.dump(_made(*asked), answers)
            answers.flush()
    except (KeyboardInterrupt, BrokenPipeError):  # the sweep has ended
        pass
    os._exit(0)


def _made(request: Request, out: Path) -> Path | Exception:
    try:
        return here(request, out)()
    except Exception as error:  # raised again where it is waited for
        return error


def _listen(requests: queue.Queue[Any]) -> None:
    """Hands on what is asked; where the asking process has ended, or given up, interrupts what is being made."""
    try:
        while True:
            requests.put(pickle.load(sys.stdin.buffer))
    except EOFError:
        requests.put(None)
        _thread.interrupt_main()
        time.sleep(PATIENCE)
        os._exit(1)
