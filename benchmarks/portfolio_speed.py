"""What deciding and sizing a portfolio costs beside the bare engine given the same orders; prints the ratio.

    python benchmarks/portfolio_speed.py [repeats]

`top_k` weekly on the bundled panel sp20, 20 names on 8,313 days. The bare engine is the same cerebro, feeds, broker and
analyzers with a strategy that knows its orders beforehand; the replay is what stress tests use. They
take turns, so that a busy machine slows all. CPU seconds, medians.
"""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import backtrader as bt
import pandas as pd

from rollcast import Panel, load, load_panel
from rollcast.backtests.account.panel_engine import PanelSimulation, simulate_panel
from rollcast.backtests.account.replay import Stage, replay
from rollcast.strategies.portfolio.top_k import TopK

TARGET_RATIO = 1.5


class Replay(bt.Strategy):
    """Sends the orders it was given, bar by bar."""

    params: Any = (("orders", None),)
    too_small = 0

    def next_open(self) -> None:
        for i, size in self.p.orders.get(len(self), ()):
            (self.buy if size > 0 else self.sell)(data=self.datas[i], size=abs(size))


def replayed(panel: Panel, forecasts: pd.DataFrame, done: PanelSimulation) -> PanelSimulation:
    """The same orders by the bare engine."""
    orders: dict[int, list[tuple[int, float]]] = {}
    places = {symbol: i for i, symbol in enumerate(panel.symbols)}
    for bar, row in zip(panel.calendar.get_indexer(done.orders["date"]), done.orders.itertuples(), strict=True):
        orders.setdefault(int(bar), []).append((places[row.symbol], row.units))
    return simulate_panel(panel, forecasts, Replay, {"orders": orders})  # type: ignore[arg-type]


def timed(simulation: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds, and the answer."""
    began = time.process_time()
    answer = simulation()
    return time.process_time() - began, answer


def processor() -> str:
    """The CPU's model name, where the machine tells."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def main(repeats: int = 5) -> None:
    """Runs all sides in turn and prints the table."""
    panel = load_panel("sp20")
    ema = load("ema", span=20)
    forecasts = pd.DataFrame({s: ema.predict(bars) for s, bars in panel.bars.items()}, index=panel.calendar)
    done = simulate_panel(panel, forecasts, TopK)  # imports and caches are not the engine's speed
    rows, stage, values = [], Stage(panel), forecasts.to_numpy(float)
    for _ in range(repeats):
        ours, _ = timed(lambda: simulate_panel(panel, forecasts, TopK))
        bare, again = timed(lambda: replayed(panel, forecasts, done))
        fast, quick = timed(lambda: replay(stage, values, TopK))
        if not again.history.equals(done.history) or (quick.equity != done.history["equity"]).any():
            raise SystemExit("the sides disagree")
        rows.append((ours, bare, fast))
    load_average = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    print(f"{processor()}, {os.cpu_count()} cores{load_average}; Python {platform.python_version()}")
    print(
        f"{len(panel.bars)} names, {len(panel.calendar):,} dates, {len(done.orders):,} orders; medians of {repeats}\n"
    )
    for name, side in (("top_k weekly", 0), ("bare engine, same orders", 1), ("replay", 2)):
        print(f"{name:26}{statistics.median(row[side] for row in rows):8.2f} CPU s")
    ratio = statistics.median(ours / bare for ours, bare, _ in rows)
    print(f"\nratio {ratio:.2f} (target at most {TARGET_RATIO})")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
