"""Times whole commands: --help, list, and a cold SMA backtest beside a script that only calls quantstats."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
os.environ["ROLLCAST_LEDGER"] = "off"  # no trials of its user's
BARE = """
import pandas as pd, quantstats
equity = pd.read_parquet(run)
quantstats.reports.html(
    equity["equity"].pct_change().fillna(0.0), benchmark=equity["benchmark"].pct_change().fillna(0.0), output=sheet
)
"""


def seconds(*command: str) -> float:
    """Wall-clock seconds of a command run from the checkout."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - began


def main(rounds: int = 5) -> None:
    """Takes turns, so that a slow minute of the machine falls on all, and prints medians and the ratio's median."""
    for command in (["cli.py", "--help"], ["cli.py", "list"]):
        print(f"{' '.join(command)}: {statistics.median(seconds(*command) for _ in range(rounds)):.2f} s")
    with tempfile.TemporaryDirectory() as folder:
        backtest = ["cli.py", "backtest", "--predictor", "sma", "--out", folder]
        seconds(*backtest)  # its equity is what the bare script draws
        (run,) = Path(folder).glob("*/equity.parquet")
        bare = f"run, sheet = {str(run)!r}, {str(Path(folder, 'bare.html'))!r}\n{BARE}"
        pairs = [(seconds(*backtest), seconds("-W", "ignore", "-c", bare)) for _ in range(rounds)]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    print(f"backtest --predictor sma: {ours:.1f} s; quantstats alone on its returns: {theirs:.1f} s; ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
