"""The speed of a sweep, end to end, beside one backtest after another; prints the ratios.

    python benchmarks/sweep_speed.py [points] [one by one]

Moving averages of 2 to 1,001 bars, traded by long_flat on SPY. The sweep is the whole command in a process of its own,
from starting Python to the last page: specification, forecasts, the look-ahead gate of a sample, accounts, scores, the
table on disk, every point in the ledger, probability of overfitting, nested selection, the winner run again in
backtrader with its tear sheet, and the index. Beside it some of the points one by one, half of them before and half
after, so that a busy machine slows both, their time multiplied up to all, in three ways: the command `backtest`, sheet
and all; what is left of it in a process that has its imports and makes no sheet (forecast, gate, backtrader for the
strategy and for holding, scores); and backtrader alone for the strategy. Their returns must be the sweep's to the last
bit. CPU seconds are those of all processes; wall seconds are what to go by on an idle machine, CPU seconds on a busy
one. The steps are those of a sweep in one process that has its imports, but for those of a sheet.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["ROLLCAST_LEDGER"] = "off"  # no trial of its user's
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

from rollcast import Account, LongFlat, Request, simulate
from rollcast.backtests.sheet.sweep import write_sweep
from rollcast.backtests.sweep.live import Progress
from rollcast.backtests.sweep.points import sweep_of
from rollcast.backtests.workspace.sweep import run_sweep

CLI = Path(__file__).resolve().parents[1] / "cli.py"
TARGET_SECONDS, TARGET_RATIO = 10, 100


@dataclass
class Clock:
    """Wall and CPU seconds since it was made; children's CPU seconds once they have ended."""

    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=lambda: sum(os.times()[:4]))

    def spent(self) -> np.ndarray:
        """Both, so far."""
        return np.array([time.perf_counter() - self.wall, sum(os.times()[:4]) - self.cpu])


def one_by_one(
    request: Request, windows: list[int], since: str
) -> tuple[dict[int, np.ndarray], np.ndarray, np.ndarray]:
    """The returns of these points, and what their backtests and backtrader alone took."""
    returns, whole, engine = {}, np.zeros(2), np.zeros(2)
    for window in windows:
        clock = Clock()
        result = replace(request, params={"window": str(window)}, since=since).run()
        whole += clock.spent()
        returns[window] = result.returns.to_numpy()
        clock = Clock()
        simulate(result.bars, result.forecast.reindex(result.bars.index), LongFlat, {}, Account())
        engine += clock.spent()
    return returns, whole, engine


def commanded(folder: str, *words: str) -> np.ndarray:
    """What a command took, which writes into this folder."""
    clock = Clock()
    subprocess.run([sys.executable, str(CLI), *words, "--out", folder], check=True, capture_output=True)
    return clock.spent()


def swept(points: int) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """The returns of every point of the sweep, and what it took."""
    with tempfile.TemporaryDirectory() as folder:
        spent = commanded(folder, "sweep", "--predictor", "sma", "-p", f"window=2:{points + 1}:1")
        (result,) = Path(folder).glob("sweep-*")
        if not json.loads((result / "winner.json").read_text())["same"]:
            raise SystemExit("the winner's run in backtrader is not what the sweep had")
        table, rows = (pd.read_parquet(result / f"{name}.parquet") for name in ("returns", "results"))
    keys = zip(rows["p.window"].astype(int), rows["key"], strict=True)
    return {window: table[key].to_numpy() for window, key in keys}, spent


def sheets(windows: list[int], since: str) -> np.ndarray:
    """What the command `backtest` takes for these points."""
    with tempfile.TemporaryDirectory() as folder:
        words = ("backtest", "--predictor", "sma", "--since", since)
        return np.sum([commanded(folder, *words, "-p", f"window={window}") for window in windows], axis=0)


def steps(request: Request, points: int) -> dict[str, np.ndarray]:
    """What had been spent when each step was done, in one process."""
    marks: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()

        def note(progress: Progress) -> None:
            ended = "begun" if progress.done == 0 else "done"
            marks[f"{progress.stage} {ended}"] = clock.spent()

        write_sweep(run_sweep(sweep_of(request, [f"window=2:{points + 1}:1"], []), Path(folder), note))
        marks["all"] = clock.spent()
    return marks


def main(points: int = 1000, sample: int = 10) -> None:
    """Runs both sides and prints the table."""
    request = Request("sma")
    windows = np.unique(np.linspace(2, points + 1, min(sample, points)).astype(int)).tolist()
    bars = request.load().bars
    since = f"{bars.index[points]:%Y-%m-%d}"  # the longest average's first forecast
    one_by_one(request, windows[:1], since)  # imports and caches are not its speed
    before, *first = one_by_one(request, windows[::2], since)
    commands = sheets(windows[:2], since)
    ours, whole = swept(points)
    commands += sheets(windows[-2:], since)
    after, *second = one_by_one(request, windows[1::2], since)
    marks = steps(request, points)
    for window, returns in (before | after).items():
        if not np.array_equal(ours[window], returns):
            raise SystemExit(f"the two sides disagree about window {window}")
    backtests, engine = ((a + b) / len(windows) * points for a, b in zip(first, second, strict=True))
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{os.cpu_count()} cores{load}; Python {platform.python_version()}, numpy {np.__version__}")
    print(f"{points:,} × sma × long_flat on {len(bars):,} bars\n\n{'':44}{'wall s':>8}{'CPU s':>8}")
    rows = {
        f"the command, all of it (target {TARGET_SECONDS})": whole,
        "the command backtest, one by one (from 4)": commands / 4 * points,
        f"backtests without sheets (from {len(windows)})": backtests,
        "of which the strategy in backtrader": engine,
        "in one process: forecasts and gate, until": marks["forecasts done"],
        "  points traded, kept, counted, until": marks["points done"],
        "  judged, nested selection, until": marks["winner begun"],
        "  winner, tear sheet, page, until": marks["all"],
    }
    for name, (wall, cpu) in rows.items():
        print(f"{name:44}{wall:8.2f}{cpu:8.2f}")
    ratios = {
        "command to commands": (commands / 4 * points, whole),
        "no sheets on either side, imports loaded": (backtests, marks["winner begun"]),
        "the winner's sheet on one side only": (backtests, marks["all"]),
        "all of the command to those without sheets": (backtests, whole),
    }
    print(f"\n{f'times as fast (target {TARGET_RATIO})':44}{'wall':>8}{'CPU':>8}")
    for name, (slow, fast) in ratios.items():
        print(f"{name:44}{slow[0] / fast[0]:8.0f}{slow[1] / fast[1]:8.0f}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
