"""A sweep that is killed goes on where it stopped: nothing is lost, and nothing is there twice."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from rollcast.backtests.sweep.store import Store

ROOT = Path(__file__).parents[2]
# Small chunks, so that there is much to be killed between. Who is to be killed does it alone, some calls of functions
# after keeping a number of parts or beginning a run: it depends on nobody's speed.
SCRIPT = """
import os
import signal
import sys
from contextlib import nullcontext
from pathlib import Path
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.sheet.sweep import write_sweep
from rollcast.backtests.sweep import worklist
from rollcast.backtests.workspace import winner_process
from rollcast.backtests.workspace.sweep import run_sweep
from rollcast.backtests.sweep.points import sweep_of
worklist.CHUNK = 2
parts, calls = int(sys.argv[3]), int(sys.argv[4])

def count(*_):
    global calls
    calls -= 1
    if calls < 0:
        os.kill(os.getpid(), signal.SIGKILL)

def look(event, arguments):
    global parts
    parts -= event == "os.rename" and os.path.basename(os.path.dirname(arguments[1])) == "parts"
    begun = event == "os.mkdir" and ".unfinished-" in str(arguments[0])
    if parts == 0 or (parts > 0 and begun):
        parts = -1
        sys.setprofile(count)

if parts:
    sys.addaudithook(look)
sweep = sweep_of(Request("sma", start="2015"), ["window=5:124:1"], [])
own = sys.argv[2] == "second process"
with winner_process.second_process() if own else nullcontext(winner_process.run_in_this_process) as start:
    write_sweep(run_sweep(sweep, Path(sys.argv[1]), start=start))
"""
POINTS = 120
CALLS = 500_000  # of functions, after which a sweep is killed at the latest: some parts are made within


def started(out: Path, where: str = "this process", parts: int = 0, calls: int = 0) -> subprocess.Popen:
    """A sweep, which kills itself where parts is not 0."""
    words = [str(out), where, str(parts), str(calls)]
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *words], cwd=ROOT, stderr=subprocess.PIPE, text=True)


def finished(out: Path, where: str = "this process") -> None:
    process = started(out, where)
    _, error = process.communicate()
    assert process.returncode == 0, error


def folder_of(out: Path) -> Path:
    (folder,) = out.glob("sweep-*")
    return folder


def recorded(out: Path) -> list[tuple[str, str | None]]:
    with closing(sqlite3.connect(out / "ledger.sqlite")) as connection:
        return connection.execute("SELECT trial, folder FROM runs").fetchall()


def check_whole(out: Path) -> pd.DataFrame:
    """Every point is there once: in the parts, in the tables, in the ledger; and there is one run of the winner."""
    rows = pd.read_parquet(folder_of(out) / "results.parquet")
    assert len(rows) == POINTS
    assert rows["key"].is_unique
    assert sorted(Store(folder_of(out)).rows()["key"]) == sorted(rows["key"])
    swept = [trial for trial, folder in recorded(out) if folder is None]
    assert len(swept) == len(set(swept)) == POINTS
    assert len(list(out.glob("*/tearsheet.html"))) == 1
    assert (folder_of(out) / "sweep.html").stat().st_size > 10_000
    assert not list(folder_of(out).rglob(".unfinished-*"))
    return rows.drop(columns="created")


def check_parts(out: Path) -> None:
    """No point is in two parts."""
    parts = [pd.read_parquet(part, columns=["key"]) for part in out.glob("sweep-*/parts/*.parquet")]
    if parts:
        assert pd.concat(parts)["key"].is_unique


def killed(out: Path, parts: int, seed: int = 0) -> None:
    """Runs the sweep until it is killed, at random, after keeping so many more parts or beginning the winner's run."""
    process = started(out, "this process", parts, random.Random(seed).randrange(100, CALLS))
    _, error = process.communicate()
    assert process.returncode == -signal.SIGKILL, error
    check_parts(out)


@pytest.mark.slow
def test_a_sweep_killed_twenty_times_loses_nothing_and_repeats_nothing(tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"

    def parts() -> int:
        return len(list(disturbed.glob("sweep-*/parts/*.parquet")))

    def winners() -> int:
        """Runs of the winner that were begun: each leaves its hidden folder when it is killed."""
        return len(list(disturbed.glob(".unfinished-*")))

    among_points = 0
    for seed in range(12):
        killed(disturbed, 1, seed)
        among_points += 0 < parts() < POINTS // 2
    for seed in range(12, 20):
        killed(disturbed, POINTS, seed)
    assert among_points >= 3
    assert parts() == POINTS // 2
    assert winners() >= 3
    finished(disturbed)
    finished(undisturbed)
    pd.testing.assert_frame_equal(check_whole(disturbed), check_whole(undisturbed))


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_a_finished_one_is_not_run_again(tmp_path):
    parts = "sweep-*/parts/*.parquet"
    killed(tmp_path, 3)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob(parts)}
    assert 3 <= len(before) < POINTS // 2
    finished(tmp_path)
    check_whole(tmp_path)
    after = {path: path.stat().st_mtime_ns for path in tmp_path.glob(parts)}
    assert {path: after[path] for path in before} == before, "what was finished is not run again"
    runs = len(recorded(tmp_path))
    finished(tmp_path)
    check_whole(tmp_path)
    assert len(recorded(tmp_path)) == runs
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob(parts)} == after


@pytest.mark.slow
def test_a_second_process_at_the_winners_run_ends_with_the_killed_sweep_and_leaves_no_half(tmp_path):
    def begun() -> list[Path]:
        return list(tmp_path.glob(".unfinished-*"))

    rng, alive = random.Random(0), 0
    for _ in range(6):
        process = started(tmp_path, "second process")
        while process.poll() is None and not begun():
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            alive += 1
        process.communicate()
        check_parts(tmp_path)
        until = time.monotonic() + 300
        while begun() and time.monotonic() < until:
            time.sleep(0.01)
        assert not begun()
    assert alive >= 3
    finished(tmp_path, "second process")
    check_whole(tmp_path)
