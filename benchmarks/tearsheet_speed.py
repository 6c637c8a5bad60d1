"""Times our tear sheet against a script that only calls quantstats.reports.html, each in a fresh process."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RETURNS = """
import pandas as pd
prices = pd.read_parquet("backtests/prices/spy.parquet").set_index("date")["adj_close"].astype(float)
held = (prices > prices.rolling(50).mean()).shift(1, fill_value=False)
benchmark = prices.pct_change().fillna(0.0)
returns = benchmark * held
"""
BARE = """
import quantstats
quantstats.reports.html(returns, benchmark=benchmark, output=path)
"""
OURS = """
from backtests.tearsheet import write_tear_sheet
names = {"title": "SMA on SPY", "strategy_name": "sma", "benchmark_name": "SPY"}
write_tear_sheet(path, returns, benchmark, **names, periods_per_year=252, facts={})
"""


def seconds(script: str, path: Path) -> float:
    """Wall-clock seconds of a fresh interpreter that makes the returns and runs `script`."""
    code = f"import sys\nsys.path.insert(0, '.')\npath = {str(path)!r}\n{RETURNS}{script}"
    began = time.perf_counter()
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - began


def main(rounds: int = 5) -> None:
    """Alternates the two, so that a slow minute of the machine falls on both, and prints medians and their ratio."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "sheet.html")
        pairs, sizes = [], [0, 0]
        for _ in range(rounds):
            pair = []
            for which, script in enumerate((BARE, OURS)):
                pair.append(seconds(script, path))
                sizes[which] = path.stat().st_size
            pairs.append(pair)
    bare, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(after / before for before, after in pairs)
    print(f"quantstats alone {bare:.1f} s, {sizes[0] / 1e6:.1f} MB; rollcast {ours:.1f} s, {sizes[1] / 1e6:.1f} MB")
    print(f"ratio {ratio:.2f} (median of {rounds} alternating cold pairs)")


if __name__ == "__main__":
    main()
