"""The speed of many accounts at once, beside backtrader one account after another; prints the ratio.

    python benchmarks/accounts_speed.py [variants] [one by one]

Moving averages of 2 to 1,001 bars, traded by long_flat on SPY, forecasts included. Some of the variants, spread over
all of them, are also run by backtrader, before and after, so that a busy machine slows both; their time is multiplied
up to all, and their equity must be the same to the last bit.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pandas as pd

from rollcast import SMA, Account, LongFlat, load_bars, simulate
from rollcast.backtests.account import Evaluation, evaluate

TARGET_SECONDS, TARGET_RATIO = 10, 100


def at_once(bars: pd.DataFrame, windows: list[int]) -> tuple[Evaluation, float]:
    """Every variant, and the wall seconds it took."""
    began = time.perf_counter()
    forecasts = np.column_stack([SMA(window=window).predict(bars) for window in windows])
    return evaluate(bars, forecasts, LongFlat, {}, Account()), time.perf_counter() - began


def one_by_one(bars: pd.DataFrame, windows: list[int]) -> tuple[list[np.ndarray], float]:
    """The equity of these variants by backtrader, and the wall seconds they took."""
    began = time.perf_counter()
    runs = [simulate(bars, SMA(window=window).predict(bars), LongFlat, {}, Account()) for window in windows]
    return [run.history["equity"].to_numpy(float) for run in runs], time.perf_counter() - began


def main(variants: int = 1000, sample: int = 20) -> None:
    """Runs both sides and prints the table."""
    bars = load_bars("SPY")
    windows = list(range(2, 2 + variants))
    chosen = np.unique(np.linspace(0, variants - 1, min(sample, variants)).astype(int)).tolist()
    picked = [windows[i] for i in chosen]
    one_by_one(bars, picked[:1])  # imports and caches are not the engine's speed
    before, first = one_by_one(bars, picked[::2])
    fast, seconds = at_once(bars, windows)
    after, second = one_by_one(bars, picked[1::2])
    for i, equity in zip([*chosen[::2], *chosen[1::2]], [*before, *after], strict=True):
        if not np.array_equal(fast.equity[:, i], equity):
            raise SystemExit(f"the two sides disagree about window {windows[i]}")
    slow = (first + second) / len(chosen) * variants
    load_average = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{os.cpu_count()} cores{load_average}; Python {platform.python_version()}, numpy {np.__version__}")
    print(f"{variants:,} × sma × long_flat on {len(bars):,} bars, {int(fast.orders.sum()):,} orders\n")
    print(f"all at once             {seconds:9.2f} s (target {TARGET_SECONDS})")
    print(f"backtrader one by one   {slow:9.2f} s (from {len(chosen)} of them, equity the same to the last bit)")
    print(f"\nratio {slow / seconds:.0f} (target {TARGET_RATIO})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
