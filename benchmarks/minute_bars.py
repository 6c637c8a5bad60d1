"""350,000 one-minute bars of New York sessions through the engine, the reader and the whole command, with its memory.

    python benchmarks/minute_bars.py [bars]

Each measurement is a fresh process, whose peak memory is its own; the market is synthetic: sessions as the calendar has
them, volatility that smiles over the day, gaps over the night. Asked: the engine in 30 s, every process within 1.5 GB.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["ROLLCAST_LEDGER"] = "off"  # no trial of its user's
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

from rollcast.backtests.data.calendars import schedule

ASKED_SECONDS, ASKED_GB = 30.0, 1.5
YEARLY = 0.16  # volatility of the walk
LAST = pd.Timestamp("2025-12-31")


def minute_market(n: int, seed: int = 1) -> pd.DataFrame:
    """The last n minutes of the sessions of New York up to the end of 2025, dated by their closes."""
    sessions = schedule("XNYS", LAST - pd.Timedelta(days=n // 390 * 1.5 + 30), LAST)
    spans = [pd.date_range(o + pd.Timedelta("1min"), c, freq="min") for o, c in sessions.itertuples(index=False)]
    index = pd.DatetimeIndex(np.concatenate(spans), name="date")[-n:]
    rng = np.random.default_rng(seed)
    minute = ((index - index.normalize()) / pd.Timedelta(minutes=1) - 570).to_numpy()
    smile = 0.7 + 1.6 * (minute / 390 - 0.5) ** 2 * 4
    step = YEARLY / np.sqrt(252 * 390) * smile * rng.standard_t(5, n) * 0.7
    night = np.where(minute == 1, YEARLY / np.sqrt(252) * 0.5 * rng.standard_normal(n), 0.0)
    close = 100 * np.exp(np.cumsum(step + night))
    opened = np.r_[100.0, close[:-1]] * np.exp(night)
    reach = np.exp(np.abs(rng.normal(0, 2e-4, (2, n))) * smile)
    high, low = np.maximum(opened, close) * reach[0], np.minimum(opened, close) / reach[1]
    prices = {"open": opened, "high": high, "low": low, "close": close}
    volume = np.round(1e4 * smile * rng.gamma(2.0, 1.0, n))
    return pd.DataFrame(prices, index=index).round(4).assign(volume=volume)


def engine(path: Path) -> dict[str, float]:
    """`simulate` alone."""
    from rollcast import load
    from rollcast.backtests.account.engine import simulate
    from rollcast.strategies.long_flat import LongFlat

    bars = pd.read_parquet(path)
    forecast = load("sma").predict(bars)
    simulate(bars[:500], forecast[:500], LongFlat)  # imports are not the engine's speed
    return seconds(lambda: simulate(bars, forecast, LongFlat))


def reader(path: Path) -> dict[str, float]:
    """`load` of a file: read, looked over by the doctor and the calendar."""
    from rollcast.backtests.data.load import load

    return seconds(lambda: load(str(path)))


def coarser(path: Path) -> dict[str, float]:
    """`load` of a file, made into bars of an hour."""
    from rollcast.backtests.data.load import load
    from rollcast.backtests.data.options import DataOptions

    return seconds(lambda: load(str(path), DataOptions(bar="1h")))


def command(path: Path) -> dict[str, float]:
    """`cli.py backtest --predictor sma`, the page included."""
    import cli

    with tempfile.TemporaryDirectory() as out:
        words = ["backtest", "--predictor", "sma", "--symbol", str(path), "--out", out]
        took = seconds(lambda: cli.main(words, standalone_mode=False))
        page = next(Path(out).glob("*/tearsheet.html"))
        return took | {"page MB": page.stat().st_size / 1e6}


def seconds(work: Callable[[], object]) -> dict[str, float]:
    """Wall and CPU seconds of a call."""
    start, cpu = time.perf_counter(), time.process_time()
    work()
    return {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}


PARTS = {"engine": engine, "reader": reader, "coarser": coarser, "command": command}


def measured(part: str, path: Path) -> dict[str, float]:
    """A part in a process of its own: seconds, peak memory of the process in GB, and what else it says."""
    words = [sys.executable, __file__, part, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(n: int = 350_000) -> None:
    """Prints a line a measurement."""
    bars = minute_market(n)
    print(f"{n:,} one-minute bars, {bars.index[0]} to {bars.index[-1]}, {bars.index.normalize().nunique()} sessions")
    with tempfile.TemporaryDirectory() as folder:
        parquet, csv = Path(folder) / "minutes.parquet", Path(folder) / "minutes.csv"
        bars.to_parquet(parquet)
        bars.to_csv(csv)
        for name, part, path in (
            ("the engine", "engine", parquet),
            ("load a Parquet file", "reader", parquet),
            ("load a CSV", "reader", csv),
            ("load a CSV with --bar 1h", "coarser", csv),
            ("backtest of a CSV, with its page", "command", csv),
        ):
            found = measured(part, path)
            extra = "".join(f"   {key[:-3]} {value:.1f} MB" for key, value in found.items() if key.endswith("MB"))
            print(f"{name:<34}{found['seconds']:7.1f} s {found['cpu']:7.1f} s CPU   peak {found['peak']:.2f} GB{extra}")
    print(f"asked: the engine within {ASKED_SECONDS:g} s, every process within {ASKED_GB:g} GB")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        answer = PARTS[sys.argv[1]](Path(sys.argv[2]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
        print(json.dumps(answer | {"peak": peak}))
    else:
        main(*map(int, sys.argv[1:]))
