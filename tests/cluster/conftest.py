"""A real Ray cluster of two nodes on this machine, with a token of its own, that ends with the tests."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def start(words: list[str], environment: dict[str, str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--num-cpus=1", "--block", *words]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=environment, cwd=ROOT, start_new_session=True, **quiet)


def end(process: subprocess.Popen) -> None:
    """Ends a node with all its processes, which are one group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def nodes(environment: dict[str, str]) -> int:
    """How many nodes there are; 0 while there is no answer."""
    code = "import logging, ray; ray.init(logging_level=logging.CRITICAL); print(len(ray.nodes()))"
    words = [sys.executable, "-c", code]
    try:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return 0
    return int(done.stdout.strip().splitlines()[-1]) if done.returncode == 0 else 0


@pytest.fixture(scope="session")
def two_nodes() -> Iterator[dict[str, str]]:
    """The environment of a process that is to find the cluster, a processor on each of its nodes."""
    pytest.importorskip("ray", reason="Ray, an optional extra, is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    environment = {**os.environ, **QUIET, **secret, "RAY_ADDRESS": f"127.0.0.1:{port}"}
    # Sockets have short names only.
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        here = ["--node-ip-address=127.0.0.1"]
        head = [*here, "--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={folder}"]
        alone = {key: value for key, value in environment.items() if key != "RAY_ADDRESS"}
        started = [start(head, alone)]
        try:
            deadline = time.monotonic() + 900
            while nodes(environment) < 2:
                assert time.monotonic() < deadline, "the cluster does not come up"
                if len(started) == 1 and nodes(environment) == 1:
                    started.append(start([*here, f"--address=127.0.0.1:{port}"], alone))
                time.sleep(1)
            yield environment
        finally:
            for process in reversed(started):
                end(process)
