"""The speed of many accounts at once, beside vectorbt and beside backtrader one account after another.

    python -m benchmarks.accounts_speed [--variants 1000] [--vectorbt PYTHON] [--rounds 5]

Moving averages of 2 to 1,001 bars, traded by long_flat on SPY, with Sharpe ratio, return and drawdown. The forecasts
are made before any clock runs; vectorbt, in an environment of its own with Python PYTHON, is handed the positions that
the forecasts ask for. Rounds of both sides alternate; CPU seconds of all threads and wall seconds, medians. Some
variants are also run by backtrader, whose equity must be the same to the last bit. Then more of them, block by block.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from rollcast import SMA, Account, LongFlat, load_bars, simulate
from rollcast.backtests.account import evaluate
from rollcast.backtests.account.fast_scores import score

THEIRS = """
import sys, time
import numpy as np, pandas as pd, vectorbt as vbt
held, market = np.load(sys.argv[1]), np.load(sys.argv[2])
index = pd.DatetimeIndex(market["dates"])
closes, fills = pd.Series(market["close"], index), pd.Series(market["open"], index).shift(-1).ffill()
entries = pd.DataFrame(held & ~np.roll(held, 1, 0), index)
exits = pd.DataFrame(~held & np.roll(held, 1, 0), index)
for line in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    portfolio = vbt.Portfolio.from_signals(closes, entries, exits, price=fills, fees=1e-4, slippage=1e-4, freq="1D")
    portfolio.sharpe_ratio(), portfolio.total_return(), portfolio.max_drawdown()
    print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)
"""


def forecasts_of(bars: pd.DataFrame, variants: int) -> np.ndarray:
    """(T, N)."""
    windows = 2 + np.arange(variants) % 1000
    made = {window: SMA(window=int(window)).predict(bars).to_numpy() for window in np.unique(windows)}
    return np.column_stack([made[window] for window in windows])


def timed(work) -> np.ndarray:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return np.array([time.perf_counter() - wall, time.process_time() - cpu])


def check(bars: pd.DataFrame, forecasts: np.ndarray) -> float:
    """Wall seconds a variant in backtrader; raises AssertionError unless ten of them are ours to the last bit."""
    chosen = np.linspace(0, forecasts.shape[1] - 1, 10).astype(int)
    began = time.perf_counter()
    runs = [simulate(bars, pd.Series(forecasts[:, k], bars.index), LongFlat, {}, Account()) for k in chosen]
    seconds = time.perf_counter() - began
    ours = evaluate(bars, forecasts[:, chosen], LongFlat, {}, Account()).equity
    for k, run in enumerate(runs):
        assert np.array_equal(ours[:, k], run.history["equity"].to_numpy(float)), k
    return seconds / len(chosen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=int, default=1000)
    parser.add_argument("--vectorbt", metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    bars = load_bars("SPY")
    forecasts = forecasts_of(bars, options.variants)
    print(f"{options.variants:,} variants on {len(bars):,} bars, {os.cpu_count()} processors")

    def ours() -> None:
        score(bars, forecasts, LongFlat, {}, Account(), 1001, 252)

    rows: dict[str, list[np.ndarray]] = {"rollcast": [], "vectorbt": []}
    with tempfile.TemporaryDirectory() as folder:
        process = None
        if options.vectorbt:
            held, prices = Path(folder, "held.npy"), Path(folder, "prices.npz")
            np.save(held, np.nan_to_num(pd.DataFrame(np.sign(forecasts)).ffill().to_numpy()) > 0)
            np.savez(prices, dates=pd.DatetimeIndex(bars.index).to_numpy(), open=bars["open"], close=bars["close"])
            command = [options.vectorbt, "-W", "ignore", "-c", THEIRS, str(held), str(prices)]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(options.rounds + 1):  # the first compiles and loads
            rows["rollcast"].append(timed(ours))
            if process:
                process.stdin.write("go\n")
                process.stdin.flush()
                rows["vectorbt"].append(np.array(process.stdout.readline().split(), float))
        if process:
            process.stdin.close()
            process.wait()
    for name, times in rows.items():
        if times:
            first, (wall, cpu) = times[0], np.median(times[1:], axis=0)
            print(f"{name:12} {wall:8.3f} s wall {cpu:8.3f} s CPU   first {first[0]:.2f} s")
    if rows["vectorbt"]:
        ratios = np.median(np.array(rows["vectorbt"][1:]) / np.array(rows["rollcast"][1:]), axis=0)
        print(f"ratio        {ratios[0]:8.1f}        {ratios[1]:8.1f}")
    one = check(bars, forecasts)
    print(f"backtrader   {one * options.variants:8.1f} s wall, from 10 of them; equity the same to the last bit")
    for times in (1, 2, 4, 10):
        spent = timed(lambda times=times: [ours() for _ in range(times)])
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        spent_text = f"{spent[0]:8.2f} s wall {spent[1]:8.2f} s CPU"
        print(f"{times * options.variants:8,} in blocks {spent_text} {peak:7.0f} MB at most")


if __name__ == "__main__":
    main()
