"""The speed of a sweep, end to end, beside one backtest after another; prints the ratios.

    python benchmarks/sweep_speed.py [points] [one by one]

Moving averages of 2 to 1,001 bars, traded by long_flat on SPY. The sweep: specification, forecasts, the look-ahead gate
of a sample, accounts, scores, the table on disk, every point in the ledger, probability of overfitting, nested
selection, and the winner run again in backtrader with its tear sheet. Beside it some of the points one by one, half of
them before and half after, so that a busy machine slows both, their time multiplied up to all: once as `backtest` runs
them but for the sheet (forecast, gate, backtrader for the strategy and for holding, scores), and once by backtrader
alone. Their returns must be the sweep's to the last bit. CPU seconds are those of the process; where the machine is
busy, they are what to go by.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

from backtests.engine import Account, simulate
from backtests.request import Request
from backtests.sheet.sweep import write_sweep
from backtests.sweep.live import Progress
from backtests.sweep.points import sweep_of
from backtests.sweep.run import sweep
from strategies.long_flat import LongFlat

TARGET_SECONDS, TARGET_RATIO = 10, 100


@dataclass
class Clock:
    """Wall and CPU seconds since it was made."""

    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)

    def spent(self) -> np.ndarray:
        """Both, so far."""
        return np.array([time.perf_counter() - self.wall, time.process_time() - self.cpu])


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
        simulate(result.bars, result.forecasts.reindex(result.bars.index), LongFlat, {}, Account())
        engine += clock.spent()
    return returns, whole, engine


def swept(request: Request, points: int) -> tuple[dict[int, np.ndarray], dict[str, np.ndarray]]:
    """The returns of every point, and what had been spent when each step was done."""
    marks: dict[str, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock()

        def note(progress: Progress) -> None:
            ended = "begun" if progress.done == 0 else "done"
            marks[f"{progress.stage} {ended}"] = clock.spent()

        found = sweep(sweep_of(request, [f"window=2:{points + 1}:1"], []), Path(folder), note)
        write_sweep(found)
        marks["all"] = clock.spent()
        table = pd.read_parquet(found.folder / "returns.parquet")
    if not found.winner.same:
        raise SystemExit("the winner's run in backtrader is not what the sweep had")
    keys = zip(found.rows["p.window"].astype(int), found.rows["key"], strict=True)
    return {window: table[key].to_numpy() for window, key in keys}, marks


def main(points: int = 1000, sample: int = 10) -> None:
    """Runs both sides and prints the table."""
    request = Request("sma")
    windows = np.unique(np.linspace(2, points + 1, min(sample, points)).astype(int)).tolist()
    bars = request.load().bars
    since = f"{bars.index[points]:%Y-%m-%d}"  # the longest average's first forecast
    one_by_one(request, windows[:1], since)  # imports and caches are not its speed
    before, *first = one_by_one(request, windows[::2], since)
    ours, marks = swept(request, points)
    after, *second = one_by_one(request, windows[1::2], since)
    for window, returns in (before | after).items():
        if not np.array_equal(ours[window], returns):
            raise SystemExit(f"the two sides disagree about window {window}")
    backtests, engine = ((a + b) / len(windows) * points for a, b in zip(first, second, strict=True))
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{os.cpu_count()} cores{load}; Python {platform.python_version()}, numpy {np.__version__}")
    print(f"{points:,} × sma × long_flat on {len(bars):,} bars\n\n{'':44}{'wall s':>8}{'CPU s':>8}")
    rows = {
        "forecasts and gate, until": marks["forecasts done"],
        "points traded, kept, counted, until": marks["points done"],
        "judged, nested selection, until": marks["winner begun"],
        f"winner, tear sheet, page: all (target {TARGET_SECONDS})": marks["all"],
        f"backtests one by one (from {len(windows)})": backtests,
        "of which the strategy in backtrader": engine,
    }
    for name, (wall, cpu) in rows.items():
        print(f"{name:44}{wall:8.2f}{cpu:8.2f}")
    for name, slow in (("backtests", backtests), ("backtrader alone", engine)):
        ratios = f"{slow[1] / marks['all'][1]:.0f}, without the winner's sheet {slow[1] / marks['winner begun'][1]:.0f}"
        print(f"CPU ratio to {name}: {ratios} (target {TARGET_RATIO})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
