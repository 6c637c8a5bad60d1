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
# Small chunks, so that there is much to be killed between.
SCRIPT = """
import sys
from contextlib import nullcontext
from pathlib import Path
from rollcast.backtests.pipeline.request import Request
from rollcast.backtests.sheet.sweep import write_sweep
from rollcast.backtests.sweep import worklist
from rollcast.backtests.workspace import sweep, winner_process
from rollcast.backtests.sweep.points import sweep_of
worklist.CHUNK = 2
asked = sweep_of(Request("sma", start="2015"), ["window=5:124:1"], [])
with winner_process.aside() if sys.argv[2] == "aside" else nullcontext(winner_process.here) as begin:
    write_sweep(sweep.sweep(asked, Path(sys.argv[1]), begin=begin))
"""
POINTS = 120


def started(out: Path, where: str = "here") -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(out), where], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )


def finished(out: Path, where: str = "here") -> None:
    process = started(out, where)
    _, error = process.communicate(timeout=300)
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


def killed(out: Path, kills: int, reached: object, seed: int = 0, where: str = "here") -> int:
    """Kills the sweep at random moments after `reached(folder)` holds; returns how often it was alive to be killed."""
    rng, alive = random.Random(seed), 0
    for _ in range(kills):
        process = started(out, where)
        until = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < until and not reached(out):  # type: ignore[operator]
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            alive += 1
        process.communicate()
        parts = [pd.read_parquet(part, columns=["key"]) for part in out.glob("sweep-*/parts/*.parquet")]
        if parts:
            assert pd.concat(parts)["key"].is_unique
    return alive


@pytest.mark.slow
def test_a_sweep_killed_twenty_times_loses_nothing_and_repeats_nothing(tmp_path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"

    def parts() -> int:
        return len(list(disturbed.glob("sweep-*/parts/*.parquet")))

    def winners() -> int:
        """Runs of the winner that were begun: each leaves its hidden folder when it is killed."""
        return len(list(disturbed.glob(".unfinished-*")))

    alive, among_points = 0, 0
    for seed in range(12):
        before = parts()
        alive += killed(disturbed, 1, lambda _, before=before: parts() > before or winners() > 0, seed)
        among_points += 0 < parts() < POINTS // 2
    for seed in range(12, 20):
        begun = winners()
        alive += killed(disturbed, 1, lambda _, begun=begun: winners() > begun, seed)
    assert alive >= 15
    assert among_points >= 3
    assert parts() == POINTS // 2
    assert winners() >= 3
    finished(disturbed)
    finished(undisturbed)
    pd.testing.assert_frame_equal(check_whole(disturbed), check_whole(undisturbed))


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_a_finished_one_is_not_run_again(tmp_path):
    parts = "sweep-*/parts/*.parquet"
    assert killed(tmp_path, 1, lambda out: len(list(out.glob(parts))) >= 3) == 1
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
    def begun(out: Path) -> list[Path]:
        return list(out.glob(".unfinished-*"))

    alive = 0
    for seed in range(6):
        alive += killed(tmp_path, 1, begun, seed, "aside")
        until = time.monotonic() + 15
        while begun(tmp_path) and time.monotonic() < until:
            time.sleep(0.01)
        assert not begun(tmp_path)
    assert alive >= 3
    finished(tmp_path, "aside")
    check_whole(tmp_path)
