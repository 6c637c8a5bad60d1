"""Times the page of a workspace of 10,000 runs: written at first, written after one more run, and its size."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.ledger_speed import multiply
from rollcast import Request
from rollcast.backtests.ledger.database import NAME
from rollcast.backtests.ledger.ledger import Ledger
from rollcast.backtests.sheet.index import write_index
from rollcast.backtests.workspace.workspace import backtest


def fill(out: Path, runs: int) -> None:
    """A workspace with so many runs in its ledger, each with a folder that holds what the page reads."""
    _, folder = backtest(Request("sma", start="2010"), out)
    multiply(out / NAME, runs, lambda copy: f"{folder.name}-{copy}")
    for copy in range(1, runs):
        copy_page(folder, out / f"{folder.name}-{copy}")


def copy_page(folder: Path, other: Path) -> None:
    """Another folder with what the page of the workspace reads of a run."""
    other.mkdir()
    for name in ("metrics.json", "equity.parquet", "tearsheet.html"):
        (other / name).hardlink_to(folder / name)


def main() -> None:
    """Prints one JSON object: seconds and bytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        fill(out, runs)
        ledger, seconds = Ledger(out / NAME), {}
        for name in ("first", "after one more run"):
            if seconds:
                other = out / "one-more"
                copy_page(out / ledger.runs(limit=1)["folder"].iloc[0], other)
                ledger.record(ledger.row(1), other)
            clocks = (time.perf_counter, time.process_time)
            start = [clock() for clock in clocks]
            page = write_index(out)
            wall, cpu = (round(clock() - begun, 3) for clock, begun in zip(clocks, start, strict=True))
            seconds[name] = {"wall": wall, "cpu": cpu}
        print(json.dumps({"runs": ledger.size(), "seconds": seconds, "bytes": page.stat().st_size}))


if __name__ == "__main__":
    main()
