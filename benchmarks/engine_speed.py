"""The engine's speed at one feed, beside the same strategy on backtrader's own feed and broker; prints the ratio.

    python benchmarks/engine_speed.py [bars] [repeats]

Both sides trade the same forecast with the same rule and record the account's value at every bar; they take turns, so
that a busy machine slows both. Medians of in-process CPU and wall time.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import backtrader as bt
import pandas as pd

from rollcast import Account, LongFlat, load, simulate
from rollcast.predictors.bars import random_walk

TARGET_RATE, TARGET_RATIO = 15_000, 1.3


class StockFeed(bt.feeds.PandasData):
    """backtrader's own feed, read row by row, with a column for the forecast."""

    lines = ("forecast",)
    params = (("forecast", "forecast"),)


class StockLongFlat(bt.Strategy):
    """`LongFlat` as it is usually written: the same decisions, sized at the next open, on backtrader's own broker."""

    def __init__(self) -> None:
        self.target: float | None = None

    def next(self) -> None:
        forecast = self.data.forecast[0]
        if forecast > 1e-4:
            self.target = 1.0
        elif forecast < -1e-4:
            self.target = 0.0

    def next_open(self) -> None:
        if self.target is None:
            return
        price, held = self.data.open[0], self.position.size
        equity = self.broker.getcash() + held * price
        closing = self.target == 0 and held
        if not closing and abs(self.target - held * price / equity) <= 0.1:
            return
        size = int(self.target * equity / (price * 1.0001**2) * (1 - 1e-9)) - held
        if size > 0:
            self.buy(size=size)
        elif size < 0:
            self.sell(size=-size)


class Value(bt.Analyzer):
    """The broker's value at every bar."""

    def start(self) -> None:
        self.values: list[float] = []

    def next(self) -> None:
        self.values.append(self.strategy.broker.getvalue())

    prenext = nextstart = next


def ours(bars: pd.DataFrame, forecast: pd.Series) -> float:
    """Final equity by the engine."""
    account = Account(commission_bps=1, slippage_bps=1)
    return float(simulate(bars, forecast, LongFlat, {}, account).history["equity"].iloc[-1])


def stock(bars: pd.DataFrame, forecast: pd.Series) -> float:
    """Final equity by backtrader as it comes."""
    cerebro = bt.Cerebro(stdstats=False, cheat_on_open=True)
    cerebro.adddata(StockFeed(dataname=bars.assign(forecast=forecast.to_numpy(float))))
    cerebro.broker.setcash(100_000.0)
    cerebro.broker.setcommission(commission=1e-4)
    cerebro.broker.set_slippage_perc(1e-4, slip_out=True)
    cerebro.addstrategy(StockLongFlat)
    cerebro.addanalyzer(Value, _name="value")
    (run,) = cerebro.run()
    return run.analyzers.value.values[-1]


def timed(simulation: Callable[[], float]) -> tuple[float, float, float]:
    """CPU seconds, wall seconds, and the answer."""
    cpu, wall = time.process_time(), time.perf_counter()
    answer = simulation()
    return time.process_time() - cpu, time.perf_counter() - wall, answer


def processor() -> str:
    """The CPU's model name, where the machine tells."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def main(n: int = 50_000, repeats: int = 5) -> None:
    """Runs both sides in turn and prints the table."""
    bars = random_walk(n, seed=1)
    forecast = load("ema", span=20).predict(bars)
    simulate(bars[:500], forecast[:500], LongFlat)  # imports and caches are not the engine's speed
    rows = [(timed(lambda: ours(bars, forecast)), timed(lambda: stock(bars, forecast))) for _ in range(repeats)]
    mine, theirs = zip(*rows, strict=True)
    if abs(mine[0][2] - theirs[0][2]) > 0.01:
        raise SystemExit(f"the two sides disagree: {mine[0][2]:.2f} and {theirs[0][2]:.2f}")
    load_average = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{processor()}, {os.cpu_count()} cores{load_average}; Python {platform.python_version()}")
    print(f"{n:,} bars, one feed, long_flat on ema; medians of {repeats}\n")
    print(f"{'':24}{'CPU s':>9}{'wall s':>9}{'bars/CPU s':>13}")
    for name, side in (("rollcast's engine", mine), ("backtrader's PandasData", theirs)):
        cpu, wall = (statistics.median(run[k] for run in side) for k in (0, 1))
        print(f"{name:24}{cpu:9.2f}{wall:9.2f}{n / cpu:13,.0f}")
    rate = n / statistics.median(run[0] for run in mine)
    ratio = statistics.median(b[0] / a[0] for a, b in rows)
    print(f"\nratio {ratio:.2f} (target {TARGET_RATIO}), {rate:,.0f} bars/s (target {TARGET_RATE:,})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
