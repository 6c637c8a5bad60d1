"""Commands for a program that is not trusted with the machine's time: they are counted before, and ended after a time.

Every call is a process of its own, started in the workspace. It is the command that anybody types, so its runs are
examined by the gate and counted by the ledger alike.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..json_values import Values

GRACE = 10.0  # seconds that a command has for clearing up after SIGTERM
RUNS = "runs"  # the folder of runs inside the workspace


class Refused(ValueError):
    """A call that is not made, or that failed; its text says what to do instead."""


@dataclass(frozen=True)
class Limits:
    """What one call may cost: bars over all names, predictors and markets; refits of learners likewise; seconds."""

    bars: int = 500_000
    windows: int = 1000
    seconds: float = 120.0


@dataclass(frozen=True)
class Desk:
    """Where calls are made. workspace: the only folder whose files can be named.

    That holds for names, not for code: a predictor's file is Python, and does what its user may do.
    """

    workspace: Path
    limits: Limits = field(default_factory=Limits)
    _busy: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def inside(self, name: str) -> str:
        """A name or a path, where it lies in the workspace. Raises Refused where it does not."""
        root = self.workspace.resolve()
        path = (root / name).resolve()
        if not path.is_relative_to(root) or name.startswith(("-", "~")):
            raise Refused(f"{name} is outside the workspace {root}; name a file inside it, relative to it")
        return name

    def symbol(self, text: str) -> str:
        """A symbol, several, or a file of prices, each inside the workspace. Raises Refused for another."""
        for part in text.split(","):
            self.inside(part.removeprefix("@"))
        return text

    def run(self, predictors: Sequence[str], options: Values, words: Sequence[str], markets: int = 0) -> Values:
        """Runs a command after its cost was counted. Raises Refused where a limit is passed, or the command fails."""
        for name in predictors:
            self.inside(name.partition(",")[0].partition(":")[0])
        self.inside(str(options.get("strategy", "")).partition(":")[0])
        self.symbol(str(options.get("symbol", "")))
        request = {"predictors": list(predictors), "options": options, "runs": 1 + markets}
        printed = self._process(["-m", "rollcast.backtests.agent.cost"], json.dumps(request))
        found = json.loads(printed.strip().splitlines()[-1])
        if "error" in found:
            raise Refused(found["error"])
        for name, advice in (("bars", "a shorter span or fewer names"), ("windows", "a larger `every`")):
            most = getattr(self.limits, name)
            if found[name] > most:
                raise Refused(f"this would take {found[name]:,} {name}, and the limit is {most:,}; ask for {advice}")
        return self.command(words)

    def command(self, words: Sequence[str]) -> Values:
        """The JSON object that a command prints. Raises Refused, with the command's error, where there is none."""
        printed = self._process(["-m", "rollcast", *words, "--json"])
        try:
            return json.loads(printed)
        except json.JSONDecodeError:
            raise Refused(f"the plugin must not print; it printed {printed[:200]!r}") from None

    def _process(self, words: Sequence[str], text: str = "") -> str:
        """What a Python process prints; it, and whatever it has started, is ended when its time is over."""
        if not self._busy.acquire(blocking=False):
            raise Refused("another call is being made; wait for its answer")
        try:
            with subprocess.Popen(
                [sys.executable, *words],
                cwd=self.workspace,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            ) as process:
                printed, errors = self._communicate(process, text)
        finally:
            self._busy.release()
        if not printed.strip():
            lines = errors.strip().splitlines() or [f"the command ended with status {process.returncode}"]
            raise Refused(lines[-1].removeprefix("Error: "))
        return printed

    def _communicate(self, process: subprocess.Popen[str], text: str) -> tuple[str, str]:
        try:
            return process.communicate(text, timeout=self.limits.seconds)
        except subprocess.TimeoutExpired:
            raise Refused(
                f"this took longer than {self.limits.seconds:g} seconds and was ended; ask for less: a shorter span, a "
                "larger `every`, fewer epochs"
            ) from None
        finally:
            _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    """Ends a process and what it has started, if it still runs: asked first, then killed."""
    if process.poll() is not None:
        return
    kill = getattr(os, "killpg", os.kill)
    kill(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE)
    except subprocess.TimeoutExpired:
        kill(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        process.wait()
