"""Commands that are killed lose nothing that was finished, and the next command of the workspace leaves nothing."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest

from rollcast import Result
from rollcast.backtests.sweep.store import Store
from tests.command import cli

ROOT = Path(__file__).parent.parent
COMMANDS = (
    ["backtest", "-P", "sma", "--start", "2019"],
    ["backtest", "-P", "ols-features", "--start", "2012", "--train", "300"],
    ["sweep", "-P", "sma", "-p", "window=5:60:1", "--start", "2018"],
    ["placebo", "-P", "sma", "--markets", "3", "--start", "2019"],
    ["compare", "sma", "ema", "--start", "2019"],
)


def started(*arguments: str, out: Path, temporary: Path | None = None) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(temporary or tempfile.gettempdir())}
    command = [sys.executable, str(ROOT / "cli.py"), *arguments, "--out", str(out)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=ROOT, env=environment, text=True, start_new_session=True, **quiet)


def drafts(*folders: Path) -> list[Path]:
    return [path for folder in folders for path in folder.rglob(".unfinished-*")]


def test_sigterm_is_like_an_interrupt_with_status_143(tmp_path):
    """It is sent once the draft of the run is there, while it trains."""
    run = started("backtest", "-P", "lstm", "-p", "epochs=400", out=tmp_path / "runs")
    while not drafts(tmp_path) and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGTERM)
    _, error = run.communicate()
    assert run.returncode == 143, error
    assert error.splitlines()[-1] == "Terminated!"
    assert "Traceback" not in error
    assert drafts(tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["placebo", "-P", "sma", "--market-seed", "-1"],
        ["placebo", "-P", "sma", "--until", "0.001", "--markets", "5"],
        ["backtest", "-P", "sma", "--symbol", "nothing"],
        ["backtest", "-P", "sma", "--start", "2021-08-10"],
        ["backtest", "-P", "lstm", "--seed", "-1"],
        ["sweep", "-P", "sma", "-p", "window=0:5:1"],
        ["sweep", "-P", "sma", "-p", "window=5|6", "--end", "1993-02-02"],
        ["compare", "sma", "nothing"],
    ],
)
def test_a_refused_command_leaves_no_folder(arguments, tmp_path):
    done = cli(*arguments, "--out", str(tmp_path / "runs"))
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_lock_that_a_killed_sweep_left_is_cleared_and_one_in_use_is_not(tmp_path):
    dead, alive = tmp_path / "sweep-dead", tmp_path / "sweep-alive"
    dead.mkdir()
    sqlite3.connect(dead / "lock.sqlite").close()
    with Store(alive).locked():
        assert cli("ledger", "list", "--out", str(tmp_path)).returncode in (0, 1)
        assert [path.name for path in tmp_path.glob("sweep-*")] == ["sweep-alive"]


@pytest.mark.slow
def test_of_a_hundred_killed_commands_nothing_is_lost_and_nothing_left(tmp_path):
    """Five commands, each killed twenty times after a random time, in one workspace; then each is run to its end."""
    out, temporary, number = tmp_path / "runs", tmp_path / "tmp", random.Random(9)
    temporary.mkdir()
    finished: set[Path] = set()
    recorded = 0
    for attempt in range(100):
        process = started(*COMMANDS[attempt % len(COMMANDS)], out=out, temporary=temporary)
        try:
            process.wait(number.uniform(0.2, 3.0))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        now = {path for path in out.glob("[0-9]*") if path.is_dir()} if out.exists() else set()
        assert finished <= now
        finished = now
        rows = count(out)
        assert rows >= recorded
        recorded = rows
    for command in (*COMMANDS, ("ledger", "list")):
        process = started(*command, out=out, temporary=temporary)
        _, error = process.communicate()
        assert process.returncode == 0, error
    assert drafts(out, temporary) == []
    for run in out.glob("[0-9]*"):
        if (run / "recipe.json").exists():
            Result.load(run)


def count(out: Path) -> int:
    path = out / "ledger.sqlite"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as ledger:
        tables = ledger.execute("SELECT name FROM sqlite_master WHERE name = 'runs'").fetchall()
        return ledger.execute("SELECT count(*) FROM runs").fetchone()[0] if tables else 0
